internal import CLlama
import Glibc
import NacreEngine

/// An open GGUF header with what its tensors are called and where they lie.
struct GGUFContents: ~Copyable {
    struct Tensor {
        var name: String
        /// As ggml describes it; lives as long as the contents.
        var pointer: UnsafeMutablePointer<ggml_tensor>
        /// Its bytes in the file.
        var range: Range<Int>
    }

    struct List {
        var key: String
        var count: Int
        var isText: Bool
    }

    let path: String
    let context: OpaquePointer
    private let descriptions: OpaquePointer
    /// In the order of the file.
    let tensors: [Tensor]

    /// - Parameter path: a file whose header was checked (`GGUFHeader`).
    /// - Throws: `.modelUnreadable`.
    init(path: String) throws(EngineError) {
        self.path = path
        var descriptions: OpaquePointer?
        let context = withUnsafeMutablePointer(to: &descriptions) { place in
            gguf_init_from_file(path, gguf_init_params(no_alloc: true, ctx: place))
        }
        guard let context, let descriptions else {
            if let context { gguf_free(context) }
            throw Self.damaged(path)
        }
        var tensors: [Tensor] = []
        let start = gguf_get_data_offset(context)
        for index in 0..<gguf_get_n_tensors(context) {
            guard let name = gguf_get_tensor_name(context, index), let pointer = ggml_get_tensor(descriptions, name)
            else { continue }
            let offset = start + gguf_get_tensor_offset(context, index)
            tensors.append(
                Tensor(
                    name: String(cString: name), pointer: pointer,
                    range: offset..<offset + gguf_get_tensor_size(context, index)))
        }
        self.context = context
        self.descriptions = descriptions
        self.tensors = tensors
    }

    deinit {
        gguf_free(context)
        ggml_free(descriptions)
    }

    /// The lists among the keys.
    var lists: [List] {
        (0..<gguf_get_n_kv(context)).compactMap { index in
            guard gguf_get_kv_type(context, index) == GGUF_TYPE_ARRAY else { return nil }
            return List(
                key: String(cString: gguf_get_key(context, index)), count: gguf_get_arr_n(context, index),
                isText: gguf_get_arr_type(context, index) == GGUF_TYPE_STRING)
        }
    }

    /// A header with the same keys and no tensors yet.
    ///
    /// It is read again, from bytes that say that there are no tensors: libllama's own copy of keys, `gguf_set_kv`,
    /// cuts texts off at a zero byte.
    func keys() throws(EngineError) -> KeysOnly {
        let file = try FileBytes(path: path)
        var bytes = try file.bytes(at: 0, count: gguf_get_data_offset(context))
        // Magic and version take 8 bytes, the number of tensors the next 8.
        guard bytes.count > 24 else { throw Self.damaged(path) }
        for place in 8..<16 { bytes[place] = 0 }
        let parameters = gguf_init_params(no_alloc: true, ctx: nil)
        guard let copy = bytes.withUnsafeBytes({ gguf_init_from_buffer($0.baseAddress, $0.count, parameters) }) else {
            throw Self.damaged(path)
        }
        return KeysOnly(context: copy)
    }

    private static func damaged(_ path: String) -> EngineError {
        EngineError(.modelUnreadable, "the header of \(path) is damaged or cut short", remedy: "download it again")
    }
}

/// A header in memory, to be changed and written.
struct KeysOnly: ~Copyable {
    let context: OpaquePointer

    deinit { gguf_free(context) }
}

/// Changes keys of a header.
struct HeaderSettings {
    private let context: OpaquePointer

    /// - Parameter context: outlives the settings.
    init(_ context: OpaquePointer) { self.context = context }

    mutating func set(_ key: String, _ text: String) { gguf_set_val_str(context, key, text) }

    /// Makes the header that of a model with the layers `keep`.
    ///
    /// - Parameter table: of the whole model.
    mutating func shorten(_ keep: LayerSet, architecture: String, from table: borrowing GGUFTable) throws(EngineError) {
        let lists = (0..<gguf_get_n_kv(context)).compactMap { index -> String? in
            guard gguf_get_kv_type(context, index) == GGUF_TYPE_ARRAY else { return nil }
            let key = String(cString: gguf_get_key(context, index))
            let kind = LayerPattern.list(
                key, architecture: architecture, isText: gguf_get_arr_type(context, index) == GGUF_TYPE_STRING,
                count: gguf_get_arr_n(context, index), layers: keep.count)
            return kind == .goesWithLayers ? key : nil
        }
        for key in lists { shortenList(key, keep) }
        set(count: "\(architecture).block_count", keep.layers.count)
        // Models of experts whose first layers have none.
        let dense = "\(architecture).leading_dense_block_count"
        if let leading = table.count(dense) { set(count: dense, keep.layers.count { $0 < leading }) }
    }

    /// A number in the width that it has.
    private func set(count key: String, _ count: Int) {
        let index = gguf_find_key(context, key)
        guard index >= 0 else { return }
        switch gguf_get_kv_type(context, index) {
        case GGUF_TYPE_UINT16: gguf_set_val_u16(context, key, UInt16(count))
        case GGUF_TYPE_UINT64: gguf_set_val_u64(context, key, UInt64(count))
        default: gguf_set_val_u32(context, key, UInt32(count))
        }
    }

    private func shortenList(_ key: String, _ keep: LayerSet) {
        let index = gguf_find_key(context, key)
        guard index >= 0, let data = gguf_get_arr_data(context, index) else { return }
        let type = gguf_get_arr_type(context, index)
        let width =
            switch type {
            case GGUF_TYPE_UINT8, GGUF_TYPE_INT8, GGUF_TYPE_BOOL: 1
            case GGUF_TYPE_UINT16, GGUF_TYPE_INT16: 2
            case GGUF_TYPE_UINT64, GGUF_TYPE_INT64, GGUF_TYPE_FLOAT64: 8
            default: 4
            }
        let bytes = keep.layers.flatMap { layer in
            UnsafeRawBufferPointer(start: data.advanced(by: layer * width), count: width)
        }
        bytes.withUnsafeBytes { gguf_set_arr_data(context, key, type, $0.baseAddress, keep.layers.count) }
    }
}
