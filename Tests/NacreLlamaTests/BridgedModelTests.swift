import NacreCore
import NacreEngine
import NacreLlama
import Synchronization
import Testing

/// Drafters of another vocabulary in front of real ones: SentencePiece against byte pairs, and two families of byte
/// pairs, with random weights (ALGORITHMS 5).
@Suite("Bridges between models of real vocabularies", .serialized)
struct BridgedModelTests {
    /// A model with one of llama.cpp's vocabularies.
    private struct Model: Sendable {
        let model: LlamaModel
        let tokenizer: LlamaTokenizer

        init(_ name: String, seed: UInt64) throws {
            let path = "\(Fixture.vocabularies)ggml-vocab-\(name).gguf"
            let source = TinyGGUF(copying: Fixture.read(path))
            let tokens = try LlamaTokenizer(path: path).vocabularySize
            let file = TemporaryFile(TinyGGUF.transformer(vocabularyOf: source, tokens: tokens, seed: seed).bytes)
            model = try LlamaModel(path: file.path)
            tokenizer = try LlamaTokenizer(model)
        }

        func hasToken(beginningWith bytes: some Collection<UInt8>) -> Bool {
            (0..<UInt32(tokenizer.vocabularySize)).contains {
                tokenizer.piece(TokenID(rawValue: $0)).starts(with: bytes)
            }
        }

        /// What a text's tokens say, commands left out.
        func bytes(_ tokens: [TokenID]) -> [UInt8] {
            tokens.filter { !tokenizer.isControl($0) && !tokenizer.isEndOfGeneration($0) }.flatMap(tokenizer.piece)
        }
    }

    /// Each is made once.
    private static let models = Mutex<[String: Model]>([:])

    private static func model(_ name: String) throws -> Model {
        try models.withLock { models in
            if let model = models[name] { return model }
            let model = try Model(name, seed: name.utf8.reduce(0) { 31 * $0 + UInt64($1) })
            models[name] = model
            return model
        }
    }

    /// The drafter's engine behind its bridge: rows are kept by the tokens that led to them.
    private struct TappedEngine: Engine, ~Copyable {
        private var engine: LlamaEngine
        private let tap = RowTap()
        private(set) var texts = SequenceTexts()
        private(set) var rows: [[TokenID]: [UInt32]] = [:]

        init(_ model: LlamaModel) throws {
            engine = try LlamaEngine(
                model: model,
                settings: LlamaSettings(threads: 1, contextPerJob: 512, branches: 2, nodesMax: 64))
            engine.rowTap = tap.closure
        }

        var shape: EngineShape { engine.shape }

        mutating func run(_ pass: EnginePass) throws(EngineError) -> [Score] {
            tap.rows = [:]
            let scores = try engine.run(pass)
            texts.edit(pass)
            for (index, node) in pass.nodes.enumerated() {
                texts.append(node)
                if let row = tap.rows[index], rows.count < 8 { rows[texts[node.sequence]] = row }
            }
            return scores
        }
    }

    private static let key: StreamKey = 11
    private static let count = 10

    private static func chain(
        _ tokens: ArraySlice<TokenID>, of sequence: SequenceID = 0, from first: Int, behind prompt: Int,
        _ policy: SamplingPolicy, _ kind: ScoreRequest.Kind
    ) -> [ForestNode] {
        tokens.indices.map { place in
            ForestNode(
                token: tokens[place], position: Position(rawValue: place), sequence: sequence,
                score: place < first
                    ? nil : ScoreRequest(key: key, index: place + 1 - prompt, policy: policy, kind: kind))
        }
    }

    private static func plain(_ model: LlamaModel, _ prompt: [TokenID], _ policy: SamplingPolicy) throws -> [TokenID] {
        var engine = try LlamaEngine(
            model: model, settings: LlamaSettings(threads: 1, contextPerJob: 256, nodesMax: 64))
        var (text, cached) = (prompt, 0)
        while text.count < prompt.count + count {
            let nodes = chain(text[cached...], from: text.count - 1, behind: prompt.count, policy, .choice)
            cached = text.count
            text += try engine.run(EnginePass(nodes: nodes)).compactMap(\.choice?.token)
        }
        return text
    }

    @Test(
        "the text is the target's own, and the drafter's cache holds that text in its own tokens",
        arguments: VocabularyBridgeTests.pairs.prefix(4), [BridgeKind.slem, .tli])
    func life(pair: VocabularyBridgeTests.Pair, kind: BridgeKind) throws {
        let (big, small) = (try Self.model(pair.target), try Self.model(pair.draft))
        let bridge = try VocabularyBridge(target: big.tokenizer, draft: small.tokenizer, asked: kind)
        let sample = Array("def naïve(x):\n\treturn [\"🐚 日本\", 1024,  x ** 2]".utf8)
        let prompt = try big.tokenizer.tokenize(sample, addSpecial: true, parseSpecial: false)
        var (judged, accepted) = (0, 0)
        for policy in [SamplingPolicy.greedy, SamplingPolicy(temperature: 0.8)] {
            let own = try Self.plain(big.model, prompt, policy)
            var target = try LlamaEngine(
                model: big.model, settings: LlamaSettings(threads: 1, contextPerJob: 256, nodesMax: 64))
            var drafter = BridgedEngine(try TappedEngine(small.model), bridge: bridge, contextMax: 512)
            var (text, held, cached) = (prompt, [TokenID](), 0)
            while text.count < own.count {
                // Three drafts, each behind those before it.
                var known = text
                let kept = min(zip(held, text).prefix { $0 == $1 }.count, text.count - 1)
                var edits: [CacheEdit] = [.release(1), .rewind(0, length: Position(rawValue: kept))]
                held = Array(held.prefix(kept))
                while known.count < text.count + 3 {
                    let nodes = Self.chain(
                        known[held.count...], from: known.count - 1, behind: prompt.count, policy, .candidates(2))
                    let scores = try drafter.run(EnginePass(edits: edits, nodes: nodes))
                    (edits, held) = ([], known)
                    guard case .candidates(let found)? = scores.first, let draft = found.first else { break }
                    known.append(draft.token)
                }
                // A side branch, of what the drafter did not say.
                let fork = held.count - 1
                let other = TokenID(rawValue: UInt32(text.count * 997 % big.tokenizer.vocabularySize))
                let beside = Array(held.prefix(fork)) + [other]
                let side = Self.chain(
                    beside[fork...], of: 1, from: fork, behind: prompt.count, policy, .candidates(1))
                _ = try drafter.run(
                    EnginePass(edits: [.fork(0, to: 1, length: Position(rawValue: fork))], nodes: side))
                for (sequence, tokens) in [(0, held), (1, beside)] as [(SequenceID, [TokenID])] {
                    let (theirs, twins) = drafter.held(sequence)
                    #expect(theirs == tokens && drafter.inner.texts[sequence] == twins)
                    let (said, read) = (big.bytes(tokens), small.bytes(twins))
                    // Of a character that is not complete up to three bytes are held back.
                    let both = zip(said, read).prefix { $0 == $1 }.count
                    // The last token that was drafted has no cell yet, and may be several of the target's.
                    let isRead =
                        both >= said.count - 3
                        || kind == .slem && both == read.count && small.hasToken(beginningWith: said[both...])
                    #expect(
                        isRead, "\(sequence): \(tokens.suffix(4)) says \(said[both...]), \(twins.suffix(4)) does not")
                    #expect(kind == .slem || read.count <= said.count)
                }
                // The target's pass over all of them.
                let first = text.count - 1
                let nodes = Self.chain(known[cached...], from: first, behind: prompt.count, policy, .choice)
                let start = EnginePass(edits: [.rewind(0, length: Position(rawValue: cached))], nodes: nodes)
                let choices = try target.run(start).compactMap(\.choice?.token)
                let good = zip(choices, known[text.count...]).prefix { $0 == $1 }.count
                (judged, accepted) = (judged + known.count - text.count, accepted + good)
                cached = text.count + good
                text += choices.prefix(good + 1)
            }
            #expect(Array(text.prefix(own.count)) == own, "\(policy)")
            // What the drafter computed with its cache taken back and forked is what it computes from nothing.
            #expect(drafter.inner.rows.count == 8)
            for (path, row) in drafter.inner.rows {
                let tap = RowTap()
                var fresh = try LlamaEngine(
                    model: small.model, settings: LlamaSettings(threads: 1, contextPerJob: 512, nodesMax: 512))
                fresh.rowTap = tap.closure
                _ = try fresh.run(
                    EnginePass(nodes: Self.chain(path[...], from: path.count - 1, behind: 0, .greedy, .choice)))
                #expect(tap.rows[path.count - 1] == row, "a row behind \(path.count) tokens")
            }
        }
        #expect(judged > 20, "\(accepted) of \(judged) drafts")
    }
}
