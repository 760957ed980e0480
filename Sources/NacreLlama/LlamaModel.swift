internal import CLlama
package import NacreEngine

/// A model's weights in memory. Immutable after load, shared by contexts and tokenizers, freed with the last of them.
package final class LlamaModel: Sendable {
    /// What the file says about itself.
    package let header: GGUFHeader
    /// A digest of the file: equal digests mean the same weights, as far as honest files go (`Digest`).
    package let digest: UInt64
    /// Whether it was loaded so that a row's logits have the same bits in every batch.
    package let isExact: Bool
    /// Weights in all tensors.
    package let parameters: Int
    /// The longest context that the model was trained on, in tokens.
    package let contextTrained: Int
    /// Tokens in the vocabulary.
    package let vocabularySize: Int
    /// How far back attention looks in the layers that do not see everything; 0 if all do.
    let slidingWindow: Int
    /// Whether all or some layers carry a state instead of a cache: it cannot be cut to a shorter length.
    let isRecurrent: Bool
    let handle: ModelHandle

    /// Loads the model at `path`. Takes about as long as reading the file.
    ///
    /// - Parameters:
    ///   - exact: choose kernels with which a row's logits do not depend on the batch it is evaluated in; it costs
    ///     speed for K quants without AMX.
    ///   - checksWeights: look at every weight, and refuse one that is no number.
    ///   - layers: addresses of the servers that are to hold its layers, `host:port`; none: this process holds all.
    ///     Only for a process that does nothing else, see `LayerGuard`.
    /// - Throws: `.modelUnreadable`, `.modelUnsupported`; with `layers` also `.lost` and `.failed`.
    package init(
        path: String, exact: Bool = true, checksWeights: Bool = false, layers: [String] = []
    ) throws(EngineError) {
        LlamaBackend.start()
        header = try GGUFHeader(path: path)
        try header.requireGenerator()
        isExact = exact
        let devices = try LayerDevices(layers)
        // Repacked weights (AMX tiles, or interleaved rows without AMX) are up to twice as fast. The AMX kernels are
        // exact for all types; of the interleaved ones only some are.
        // Servers of layers know neither.
        let repacks =
            layers.isEmpty
            && (LlamaBackend.hasTiles || (header.isInterleaved && (!exact || header.isInvariantInterleaved)))
        handle = try ModelHandle(path, header, repacks: repacks, checksWeights: checksWeights, devices: devices)
        let model = handle.pointer
        guard llama_model_has_decoder(model), !llama_model_has_encoder(model), !llama_model_is_diffusion(model) else {
            throw GGUFHeader.notGenerator(path, header.architecture)
        }
        parameters = Int(llama_model_n_params(model))
        contextTrained = Int(llama_model_n_ctx_train(model))
        vocabularySize = Int(llama_vocab_n_tokens(handle.vocabulary))
        slidingWindow = Int(llama_model_n_swa(model))
        isRecurrent = llama_model_is_recurrent(model) || llama_model_is_hybrid(model)
        digest = try Digest.ofModel(try FileBytes(path: path), weightsOffset: header.weightsOffset)
    }

    /// As `init`, on a thread that is there for it alone: reading a large file may take minutes.
    package static func load(path: String, exact: Bool) async throws(EngineError) -> LlamaModel {
        let reader = ThreadExecutor(name: "model")
        defer { reader.stop() }
        return try await withCheckedContinuation { continuation in
            reader.call {
                continuation.resume(
                    returning: Result { () throws(EngineError) in try LlamaModel(path: path, exact: exact) })
            }
        }.get()
    }

    /// Name, size and number type for people: `pycode-8m, 8.4 M parameters, Q8_0`.
    package var description: String {
        let name = header.name.isEmpty ? header.architecture : header.name
        return "\(name), \(Self.rounded(parameters)) parameters, \(header.quantisation)"
    }

    /// A count with one decimal and a unit.
    package static func rounded(_ count: Int) -> String {
        let (unit, divisor) = count < 1_000_000_000 ? ("M", 1_000_000) : ("B", 1_000_000_000)
        let tenths = (count * 10 + divisor / 2) / divisor
        return "\(tenths / 10).\(tenths % 10) \(unit)"
    }
}

/// The C model, freed with its last owner.
///
/// `@unchecked Sendable`: libllama changes nothing in a model after loading it, and documents that contexts may share
/// it and that vocabulary calls are thread-safe; freeing happens once, when nobody holds the handle any more.
final class ModelHandle: @unchecked Sendable {
    let pointer: OpaquePointer
    let vocabulary: OpaquePointer

    deinit { llama_model_free(pointer) }

    /// - Parameters:
    ///   - repacks: whether weights may be rearranged for faster kernels; `nil` loads the vocabulary alone.
    ///   - checksWeights: whether a weight that is no number is looked for.
    ///   - devices: where layers go.
    init(
        _ path: String, _ header: GGUFHeader, repacks: Bool?, checksWeights: Bool = false,
        devices: LayerDevices = .none
    ) throws(EngineError) {
        var parameters = llama_model_default_params()
        parameters.check_tensors = checksWeights
        parameters.vocab_only = repacks == nil
        parameters.use_extra_bufts = repacks ?? false
        // Repacked weights are copies; a mapping would keep the file in memory beside them.
        parameters.load_mode = repacks == true ? LLAMA_LOAD_MODE_NONE : LLAMA_LOAD_MODE_MMAP
        let (loaded, errors) = devices.withParameters(parameters) { parameters in
            LlamaLog.shared.quoting { llama_model_load_from_file(path, parameters) }
        }
        guard let loaded else {
            throw Self.refused(path, header, errors)
        }
        guard let vocabulary = llama_model_get_vocab(loaded), llama_vocab_type(vocabulary) != LLAMA_VOCAB_TYPE_NONE
        else {
            llama_model_free(loaded)
            throw EngineError(
                .modelUnsupported, "\(path) has no vocabulary", remedy: "convert the model again with its tokenizer")
        }
        pointer = loaded
        self.vocabulary = vocabulary
    }

    private static func refused(_ path: String, _ header: GGUFHeader, _ errors: [String]) -> EngineError {
        let reason = errors.first { $0.contains("error loading model") } ?? errors.first ?? "libllama gave no reason"
        if reason.contains("invalid data") {
            return EngineError(
                .modelUnreadable, "\(path) is damaged: some of its weights are not numbers",
                remedy: "download it again; if that does not help, convert it again")
        }
        if reason.contains("unknown model architecture") {
            return EngineError(
                .modelUnsupported,
                "\(path) has the architecture \(header.architecture), which libllama "
                    + "\(LlamaBackend.version) does not know",
                remedy: "use a model that this version knows, or a newer Nacre")
        }
        return EngineError(
            .modelUnsupported, "libllama could not load \(path) (\(header.architecture)): \(reason)",
            remedy: "check it with another program that uses llama.cpp; if that loads it, report this")
    }
}
