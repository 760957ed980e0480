/// What a header says, or libllama knows, about single layers by their numbers, and what becomes of it when layers go.
///
/// Tensors need no rule: those of layers that are treated alike have the same names and shapes, and a load shows where
/// that is not so. What cannot be seen there is how a layer attends: over a window or not, with positions or without.
struct LayerPattern: Sendable {
    /// After how many layers the kinds of layers repeat; 1 where all are alike, `nil` where that is not known.
    let period: Int?
    /// Why no layer of the model can be dropped; `nil` if some can.
    let refusal: String?

    /// Kinds of layers that libllama derives from the number of the layer, for architectures without a key for it.
    private static let periods = [
        "gemma2": 2, "gemma3": 6, "gpt-oss": 2, "cohere2": 4, "smollm3": 4, "olmo2": 4,
    ]
    /// Architectures whose files may name a window that libllama applies to no layer or to all of them.
    private static let uniform: Set = ["llama", "phi3", "qwen2", "qwen2moe", "qwen3", "qwen3moe", "starcoder2"]
    /// Of several kinds at once, or with a period of their own.
    private static let irregular: Set = ["llama4", "gemma4", "plamo3", "afmoe"]

    /// Sizes of a family that libllama tells by their layers and computes differently.
    private static let singular = ["baichuan": 40, "gemma2": 46, "gemma3": 62, "exaone4": 64]

    init(_ table: borrowing GGUFTable, _ architecture: String) {
        func key(_ name: String) -> String { "\(architecture).\(name)" }
        if let predictors = table.count(key("nextn_predict_layers")), predictors > 0 {
            refusal = "its last layers predict further tokens (nextn_predict_layers) and are no layers of the model"
        } else if let shared = table.count(key("attention.shared_kv_layers")), shared > 0 {
            refusal = "its last layers use the cache of others (shared_kv_layers)"
        } else if table.has(key("embedding_length_per_layer_input")) || table.has(key("altup.num_inputs")) {
            refusal = "it has embeddings for each layer in one tensor"
        } else if let layers = Self.singular[architecture], table.count(key("block_count")) == layers {
            refusal = "\(architecture) of \(layers) layers is computed in a way of its own, known by that number"
        } else {
            refusal = nil
        }
        let window = table.count(key("attention.sliding_window")) ?? 0
        period =
            if Self.irregular.contains(architecture) {
                nil
            } else if table.arrayCount(key("attention.sliding_window_pattern")) != nil {
                // A flag for each layer goes with its layer.
                1
            } else if let known = table.count(key("attention.sliding_window_pattern")) ?? Self.periods[architecture] {
                known > 0 ? known : 1
            } else {
                window == 0 || Self.uniform.contains(architecture) ? 1 : nil
            }
    }

    /// Why these layers would not be what they were; `nil` if they would.
    func complaint(_ keep: LayerSet) -> String? {
        if let refusal { return keep.layers.count == keep.count ? nil : refusal }
        // The first layers stay where they are.
        if keep.isPrefix { return nil }
        guard let period else {
            return "its layers are of several kinds by their number; the first layers alone can be kept, as with --exit"
        }
        let moved = keep.layers.enumerated().first { ($1 - $0) % period != 0 }
        return moved.map { place, layer in
            "its layers are of kinds that repeat after \(period); layer \(layer) would become layer \(place), which is "
                + "of another kind"
        }
    }

    // MARK: - Lists

    /// What becomes of a list in the header.
    enum List {
        case staysAsItIs
        /// An entry for each layer.
        case goesWithLayers
        case isNotUnderstood
    }

    private static let byLayer: Set = [
        "feed_forward_length", "attention.head_count", "attention.head_count_kv", "attention.sliding_window_pattern",
        "attention.recurrent_layers", "attention.key_length", "attention.value_length", "expert_used_count",
        "expert_feed_forward_length", "activation_sparsity_scale", "swiglu_clamp_exp", "swiglu_clamp_shexp",
    ]
    private static let notByLayer: Set = ["rope.dimension_sections", "rope.scaling.attn_factors"]
    /// Everywhere but in these, a list may have to do with layers.
    private static let foreign = ["general.", "tokenizer.", "quantize.", "imatrix.", "split.", "nacre."]

    /// - Parameters:
    ///   - isText: whether its entries are strings.
    ///   - count: its entries.
    static func list(
        _ key: String, architecture: String, isText: Bool, count: Int, layers: Int
    ) -> List {
        if isText || foreign.contains(where: key.hasPrefix) { return .staysAsItIs }
        let name = key.hasPrefix("\(architecture).") ? String(key.dropFirst(architecture.count + 1)) : key
        if byLayer.contains(name) || key.hasPrefix("xielu.") {
            return count == layers ? .goesWithLayers : .isNotUnderstood
        }
        // A list of another length can have nothing for each layer.
        return notByLayer.contains(name) || count != layers ? .staysAsItIs : .isNotUnderstood
    }
}
