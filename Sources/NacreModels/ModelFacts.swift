import NacreCore
package import NacreLlama

/// What a user wants to know of a model file before pairing it; also the document that `nacre models info --json`
/// prints. Keys are snake_case there.
package struct ModelFacts: Encodable, Sendable, Equatable {
    /// The weights of one number type.
    package struct NumberType: Encodable, Sendable, Equatable {
        package let type: String
        package let tensors: Int
        package let weights: Int
        package let bytes: Int
    }

    package struct Quantisation: Encodable, Sendable, Equatable {
        /// The number type of most weights; "none" without weights.
        package let main: String
        /// Bits that a weight takes, on average over all of them.
        package let bitsPerWeight: Double?
        /// All number types, the one with most weights first.
        package let types: [NumberType]
    }

    package struct SpecialToken: Encodable, Sendable, Equatable {
        package let role: String
        package let id: UInt32
        package let text: String
    }

    package struct Vocabulary: Encodable, Sendable, Equatable {
        package let tokens: Int
        /// What verifier and drafter compare, 16 hexadecimal digits.
        package let digest: String
        /// `BPE`, `SPM`, `WPM`, `UGM`, `RWKV` or `PLAMO2`.
        package let kind: String
        /// The tokenizer by its name in the file.
        package let name: String
        package let preTokenizer: String?
        /// Whether the model wants these around a prompt.
        package let addsBos: Bool
        package let addsEos: Bool
        package let special: [SpecialToken]
        /// All tokens that end a text.
        package let ends: [SpecialToken]
        /// Tokens that are commands and not text.
        package let controls: Int
    }

    /// Whether the end of a sequence can be forgotten and its beginning kept.
    package struct Rollback: Encodable, Sendable, Equatable {
        package let works: Bool
        package let reason: String
        /// Whether it was tried with the weights, or follows from the architecture.
        package let isMeasured: Bool
    }

    /// Of a model that costs more than it knows.
    package struct CostShaped: Encodable, Sendable, Equatable {
        /// Whose function it computes.
        package let source: String
        /// The parameters whose cost it has.
        package let parameters: Int
    }

    /// Of a drafter made from a target by dropping layers.
    package struct SelfDrafter: Encodable, Sendable, Equatable {
        /// The target's name.
        package let target: String
        /// The `model_digest` of the target's file.
        package let digest: String
        /// What was kept, `0-3,7 of 8`.
        package let layers: String
    }

    package let path: String
    package let name: String
    package let architecture: String
    package let bytes: Int
    /// Weights in the tensors of this file.
    package let parameters: Int
    package let layers: Int?
    package let quantisation: Quantisation
    /// Tokens; absent if the file does not say.
    package let contextTrained: Int?
    package let vocabulary: Vocabulary
    package internal(set) var rollback: Rollback
    package let hasChatTemplate: Bool
    package let generatesText: Bool
    /// What nodes compare to know that two verifiers hold the same target.
    package let modelDigest: String
    package let costShaped: CostShaped?
    package let selfDrafter: SelfDrafter?
    /// Of a model in several files, of which this is the first: how many.
    package let files: Int?

    package init(_ outline: ModelOutline) {
        let (header, details) = (outline.header, outline.header.details)
        path = header.path
        name = header.name
        architecture = header.architecture
        bytes = header.bytes
        parameters = header.parameters
        layers = details.layers
        let bits = Double(8 * details.numberTypes.reduce(0) { $0 + $1.bytes })
        quantisation = Quantisation(
            main: header.quantisation, bitsPerWeight: parameters > 0 ? bits / Double(parameters) : nil,
            types: details.numberTypes.map {
                NumberType(type: $0.name, tensors: $0.tensors, weights: $0.weights, bytes: $0.bytes)
            })
        contextTrained = details.contextTrained
        vocabulary = Vocabulary(outline)
        rollback = Rollback(outline)
        hasChatTemplate = details.hasChatTemplate
        generatesText = outline.generatesText
        modelDigest = outline.digest.hexadecimal
        costShaped = details.costShaped.map { CostShaped($0, parameters: header.parameters) }
        selfDrafter = details.prunedLayers.map { layers in
            SelfDrafter(target: details.prunedName ?? "-", digest: details.prunedFrom ?? "-", layers: layers)
        }
        files = details.files
    }
}

extension ModelFacts.Vocabulary {
    fileprivate init(_ outline: ModelOutline) {
        let (tokenizer, facts) = (outline.tokenizer, outline.tokenizer.facts)
        tokens = tokenizer.vocabularySize
        digest = tokenizer.vocabularyDigest.hexadecimal
        kind = facts.kind
        name = outline.header.details.tokenizer ?? ""
        preTokenizer = outline.header.details.preTokenizer
        addsBos = facts.addsBeginning
        addsEos = facts.addsEnd
        special = facts.specials.map {
            ModelFacts.SpecialToken(
                role: $0.role, id: $0.token.rawValue, text: String(decoding: $0.piece, as: UTF8.self))
        }
        ends = facts.ends.map {
            ModelFacts.SpecialToken(
                role: "end", id: $0.rawValue, text: String(decoding: tokenizer.piece($0), as: UTF8.self))
        }
        controls = facts.controls
    }
}

extension ModelFacts.Rollback {
    fileprivate init(_ outline: ModelOutline) {
        let window = outline.header.details.slidingWindow
        works = outline.header.isCausal && !outline.isRecurrent
        isMeasured = false
        reason =
            if !outline.header.isCausal {
                "\(outline.header.architecture) does not generate text from left to right"
            } else if outline.isRecurrent {
                "\(outline.header.architecture) has recurrent layers, whose state cannot be cut to a shorter text"
            } else if window > 0 {
                "Nacre keeps the whole cache, also of layers with a sliding window of \(window) tokens"
            } else {
                "every layer keeps a cache"
            }
    }
}

extension ModelFacts.CostShaped {
    /// - Parameter words: as cost_shaped.py writes them, "small.gguf, cost of 340 M parameters".
    fileprivate init(_ words: String, parameters: Int) {
        source = words.firstRange(of: ", cost of ").map { String(words[..<$0.lowerBound]) } ?? words
        self.parameters = parameters
    }
}
