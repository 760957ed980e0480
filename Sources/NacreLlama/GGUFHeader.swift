internal import CLlama
package import NacreEngine

/// What a GGUF file says about itself, read without its weights (0.2 s for the largest vocabularies).
///
/// libllama trusts files: some mistakes in one end the process. So everything that can be known before is checked
/// here, and named in words for the person who has the file.
package struct GGUFHeader: Sendable, Equatable {
    /// The file, as it was named.
    package let path: String
    /// The size of the file.
    package let bytes: Int
    /// The size that the table of tensors asks for.
    package let bytesExpected: Int
    /// Where the weights begin.
    package let weightsOffset: Int
    /// The architecture by libllama's name, such as `llama` or `qwen2`.
    package let architecture: String
    /// The model's own name; empty if it has none.
    package let name: String
    /// Weights in all tensors.
    package let parameters: Int
    /// Tensors by number type, upper case as people write them (`Q8_0`).
    package let tensorTypes: [String: Int]
    /// The number type of most weights.
    package let quantisation: String
    /// Whether attention is causal: a model that looks ahead (an embedding model) cannot generate text.
    package let isCausal: Bool
    /// What else a person wants to know before using the model.
    package let details: GGUFDetails

    /// Number types whose rows libllama interleaves for speed when there is no AMX.
    #if arch(x86_64)
        private static let interleaved: Set<String> = ["Q4_0", "IQ4_NL", "Q1_0", "Q2_K", "Q4_K", "MXFP4"]
    #else
        private static let interleaved: Set<String> = [
            "Q4_0", "Q8_0", "IQ4_NL", "Q1_0", "Q2_K", "Q4_K", "Q5_K", "Q6_K", "MXFP4",
        ]
    #endif
    /// Those whose interleaved kernels were measured to give a row the same bits in every batch. Q4_K was measured
    /// not to; the others were not measured.
    private static let invariant: Set<String> = ["Q4_0", "Q8_0", "IQ4_NL"]

    /// Whether there are weights: of a model in several files, the first may leave all of them to the others.
    var holdsWeights: Bool { !tensorTypes.isEmpty || details.files != nil }

    /// Whether libllama would interleave any of the weights without AMX.
    var isInterleaved: Bool { !Self.interleaved.isDisjoint(with: tensorTypes.keys) }

    /// Whether a row's bits would not depend on its batch if it did.
    package var isInvariantInterleaved: Bool {
        Self.interleaved.intersection(tensorTypes.keys).isSubset(of: Self.invariant)
    }

    /// Reads and checks the header of the file at `path`.
    ///
    /// - Throws: `.modelUnreadable`: no such file, a directory, no permission, empty, not a GGUF, damaged, truncated;
    ///   `.modelUnsupported`: a GGUF of another byte order or version, of something that is not a model, or a later
    ///   part of a model in several files.
    package init(path: String) throws(EngineError) {
        LlamaBackend.start()
        let file = try FileBytes(path: path)
        guard file.count > 0 else {
            throw EngineError(.modelUnreadable, "\(path) is empty", remedy: "download it again")
        }
        let start = try file.bytes(at: 0, count: 64)
        try ForeignFile.refuse(path, start)
        let parameters = gguf_init_params(no_alloc: true, ctx: nil)
        let (context, errors) = LlamaLog.shared.quoting { gguf_init_from_file(path, parameters) }
        guard let context else {
            throw EngineError(
                .modelUnreadable,
                "the header of \(path) (\(file.count) bytes) is damaged or cut short"
                    + (errors.first.map { ": \($0)" } ?? ""),
                remedy: "download it again")
        }
        defer { gguf_free(context) }
        try self.init(path, file.count, GGUFTable(context))
    }

    private init(_ path: String, _ bytes: Int, _ table: borrowing GGUFTable) throws(EngineError) {
        self.path = path
        self.bytes = bytes
        let weightsOffset = table.weightsOffset
        self.weightsOffset = weightsOffset
        let tensors = table.tensors()
        bytesExpected = tensors.reduce(into: weightsOffset) { end, tensor in
            end = max(end, weightsOffset.addingReportingOverflow(tensor.end).partialValue)
        }
        guard bytes >= bytesExpected else {
            throw EngineError(
                .modelUnreadable, "\(path) is cut short: it has \(bytes) of \(bytesExpected) bytes",
                remedy: "download it again")
        }
        if let error = ForeignFile.notModel(path, table) ?? ForeignFile.laterPart(path, table) { throw error }
        guard let architecture = table.text("general.architecture") else {
            throw EngineError(
                .modelUnreadable, "\(path) does not name its architecture", remedy: "convert the model again")
        }
        if let complaint = table.complaint(architecture) {
            throw EngineError(.modelUnreadable, "\(path) is damaged: \(complaint)", remedy: "download it again")
        }
        self.architecture = architecture
        name = table.text("general.name") ?? ""
        details = GGUFDetails(table, architecture, tensors)
        isCausal = table.flag("\(architecture).attention.causal") ?? true
        parameters = tensors.reduce(0) { $0 + $1.elements }
        var counts: [String: Int] = [:]
        var weights: [String: Int] = [:]
        for tensor in tensors {
            counts[tensor.type, default: 0] += 1
            weights[tensor.type, default: 0] += tensor.elements
        }
        tensorTypes = counts
        quantisation = weights.max { ($0.value, $1.key) < ($1.value, $0.key) }?.key ?? "none"
    }

    /// Throws unless the file holds a model that can generate text, as far as its header tells.
    ///
    /// - Throws: `.modelUnsupported`: a vocabulary without weights, a model that does not generate text, one without a
    ///   tokenizer.
    package func requireGenerator() throws(EngineError) {
        guard holdsWeights else {
            throw EngineError(
                .modelUnsupported, "\(path) holds a vocabulary only, no weights",
                remedy: "name the file of the model itself")
        }
        guard isCausal else { throw Self.notGenerator(path, architecture) }
        try requireVocabulary()
    }

    /// - Throws: `.modelUnsupported` if the file has no tokenizer.
    func requireVocabulary() throws(EngineError) {
        guard let tokenizer = details.tokenizer, tokenizer != "no_vocab", tokenizer != "none" else {
            throw EngineError(
                .modelUnsupported, "\(path) has no tokenizer (architecture \(architecture))",
                remedy: "convert the model again with its tokenizer files beside the weights")
        }
    }

    static func notGenerator(_ path: String, _ architecture: String) -> EngineError {
        EngineError(
            .modelUnsupported, "\(path) does not generate text from left to right (architecture \(architecture))",
            remedy: "use a causal language model")
    }
}
