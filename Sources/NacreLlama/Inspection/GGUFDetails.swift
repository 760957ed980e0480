/// What a GGUF header says beyond what loading needs: for the person who wants to pair the model.
package struct GGUFDetails: Sendable, Equatable {
    /// Tensors of one number type.
    package struct NumberType: Sendable, Equatable {
        /// Upper case as people write it (`Q8_0`).
        package let name: String
        package let tensors: Int
        package let weights: Int
        package let bytes: Int
    }

    /// Of a model in several files, of which this is the first: how many; `nil` if this is all of it.
    package let files: Int?
    /// The number types of the weights, the one with most weights first.
    package let numberTypes: [NumberType]
    package let layers: Int?
    /// The longest context that the model was trained on, in tokens.
    package let contextTrained: Int?
    /// How far back attention looks in the layers that do not see everything; 0 if all do.
    package let slidingWindow: Int
    /// The tokenizer by its name in the file, such as `gpt2` or `llama`.
    package let tokenizer: String?
    /// How text is cut before the merges of a BPE tokenizer, by its name in the file.
    package let preTokenizer: String?
    package let hasChatTemplate: Bool
    /// For a model that only costs as much as its size (Models/tools/cost_shaped.py): whose function it computes, and
    /// at what cost, in the words of the tool.
    package let costShaped: String?
    /// For a drafter made from a target by dropping layers (`LayerPruning`): the target's name, its digest in
    /// hexadecimal, and the layers that were kept, `0-3,7 of 8`.
    package let prunedName: String?
    package let prunedFrom: String?
    package let prunedLayers: String?

    init(_ table: borrowing GGUFTable, _ architecture: String, _ tensors: [GGUFTable.Tensor]) {
        files = table.count("split.count").flatMap { $0 > 1 ? $0 : nil }
        numberTypes = Dictionary(grouping: tensors, by: \.type)
            .map { type, tensors in
                NumberType(
                    name: type, tensors: tensors.count, weights: tensors.reduce(0) { $0 + $1.elements },
                    bytes: tensors.reduce(0) { $0 + $1.bytes })
            }
            .sorted { ($0.weights, $1.name) > ($1.weights, $0.name) }
        layers = table.count("\(architecture).block_count")
        contextTrained = table.count("\(architecture).context_length")
        slidingWindow = table.count("\(architecture).attention.sliding_window") ?? 0
        tokenizer = table.text("tokenizer.ggml.model")
        preTokenizer = table.text("tokenizer.ggml.pre")
        hasChatTemplate = table.has("tokenizer.chat_template") || table.has("tokenizer.chat_templates")
        costShaped = table.text("nacre.cost_shaped")
        prunedName = table.text("nacre.pruned_name")
        prunedFrom = table.text("nacre.pruned_from")
        prunedLayers = table.text("nacre.pruned_layers")
    }
}
