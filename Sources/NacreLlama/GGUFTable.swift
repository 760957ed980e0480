internal import CLlama
import Glibc

/// The key-value pairs and tensors of an open GGUF header. Every access checks the type first: libllama's own
/// getters end the process on the wrong one. The context must outlive the table.
struct GGUFTable: ~Copyable {
    private let context: OpaquePointer

    init(_ context: OpaquePointer) { self.context = context }

    struct Tensor {
        var type: String
        var elements: Int
        var bytes: Int
        /// Where it ends, from the beginning of the weights.
        var end: Int
    }

    var weightsOffset: Int { gguf_get_data_offset(context) }

    func tensors() -> [Tensor] {
        (0..<gguf_get_n_tensors(context)).map { index in
            let shape = gguf_get_tensor_ne(context, index)
            // The reader has checked that the product fits.
            let elements = (0..<4).reduce(1) { $0 * Int(shape?[$1] ?? 0) }
            let offset = gguf_get_tensor_offset(context, index)
            let bytes = gguf_get_tensor_size(context, index)
            return Tensor(
                type: String(cString: ggml_type_name(gguf_get_tensor_type(context, index))).uppercased(),
                elements: elements, bytes: bytes, end: offset.addingReportingOverflow(bytes).partialValue)
        }
    }

    func text(_ key: String) -> String? {
        let index = gguf_find_key(context, key)
        guard index >= 0, gguf_get_kv_type(context, index) == GGUF_TYPE_STRING else { return nil }
        return String(cString: gguf_get_val_str(context, index))
    }

    /// A number that counts something; writers differ in its width for some keys.
    func count(_ key: String) -> Int? {
        let index = gguf_find_key(context, key)
        guard index >= 0 else { return nil }
        return switch gguf_get_kv_type(context, index) {
        case GGUF_TYPE_UINT16: Int(gguf_get_val_u16(context, index))
        case GGUF_TYPE_UINT32: Int(gguf_get_val_u32(context, index))
        case GGUF_TYPE_UINT64: Int(exactly: gguf_get_val_u64(context, index))
        default: nil
        }
    }

    /// The entries of a list; `nil` for anything else.
    func arrayCount(_ key: String) -> Int? {
        let index = gguf_find_key(context, key)
        guard index >= 0, gguf_get_kv_type(context, index) == GGUF_TYPE_ARRAY else { return nil }
        return gguf_get_arr_n(context, index)
    }

    func has(_ key: String) -> Bool { gguf_find_key(context, key) >= 0 }

    func flag(_ key: String) -> Bool? {
        let index = gguf_find_key(context, key)
        guard index >= 0, gguf_get_kv_type(context, index) == GGUF_TYPE_BOOL else { return nil }
        return gguf_get_val_bool(context, index)
    }

    /// A mistake in the header on which libllama would end the process; `nil` if there is none. Found by flipping
    /// bits of good files: it stops damage, not everything that malice can think of.
    func complaint(_ architecture: String) -> String? {
        repeatedPiece ?? impossibleNumber ?? impossibleShape(architecture)
    }

    /// Layers, experts and position scaling that libllama asserts and does not check.
    private func impossibleShape(_ architecture: String) -> String? {
        // Both limits are constants of libllama.
        if let layers = count("\(architecture).block_count"), !(1...512).contains(layers) {
            return "it claims \(layers) layers"
        }
        let experts = count("\(architecture).expert_count") ?? 0
        // Some models give a list, one number per layer.
        let used = count("\(architecture).expert_used_count") ?? min(experts, 1)
        if experts > 1024 || used > experts || (experts > 0 && used == 0) {
            return "it claims to use \(used) of \(experts) experts"
        }
        if let scaling = text("\(architecture).rope.scaling.type"),
            !["none", "linear", "yarn", "longrope"].contains(scaling)
        {
            return "it has an unknown scaling of positions"
        }
        return nil
    }

    /// The norms' kernels assert that epsilon is no less than zero; no number may be infinite.
    private var impossibleNumber: String? {
        for index in 0..<gguf_get_n_kv(context) where gguf_get_kv_type(context, index) == GGUF_TYPE_FLOAT32 {
            let key = String(cString: gguf_get_key(context, index))
            let value = gguf_get_val_f32(context, index)
            if !value.isFinite || (value < 0 && key.hasSuffix("epsilon")) { return "\(key) is \(value)" }
        }
        return nil
    }

    /// Two pieces of the vocabulary with the same text trip an assertion.
    private var repeatedPiece: String? {
        let index = gguf_find_key(context, "tokenizer.ggml.tokens")
        guard index >= 0, gguf_get_kv_type(context, index) == GGUF_TYPE_ARRAY,
            gguf_get_arr_type(context, index) == GGUF_TYPE_STRING
        else { return nil }
        var seen = Set<UInt64>()
        for token in 0..<gguf_get_arr_n(context, index) {
            guard let piece = gguf_get_arr_str(context, index, token), piece.pointee != 0 else { continue }
            var digest = Digest()
            digest.absorb(UnsafeRawBufferPointer(start: piece, count: strlen(piece)))
            if !seen.insert(digest.value).inserted { return "token \(token) repeats the text of another" }
        }
        return nil
    }
}
