internal import CLlama
import NacreCore
import NacreEngine

/// One KV cache of one model and the threads that compute with it: libllama's calls, checked, and nothing clever.
///
/// Made and used on one thread, which is the first of the computing ones.
struct LlamaContext: ~Copyable {
    /// Sequence ids that libllama knows: `0 ..< sequences`.
    let sequences: Int
    /// Cells of the cache: at least as many as were asked for.
    let cells: Int
    private let pointer: OpaquePointer
    private let memory: OpaquePointer
    private let pool: OpaquePointer
    private let vocabularySize: Int
    /// The computing threads, for work between passes.
    var team: ThreadTeam
    // The C context borrows the weights: this keeps them alive.
    private let model: LlamaModel
    private var batch: NodeBatch
    /// Whether a pass under way should stop.
    let stopTap = StopTap()

    deinit {
        llama_free(pointer)
        ggml_threadpool_free(pool)
    }

    /// - Throws: `.modelUnsupported` if the model has no such cache (or there is not enough memory for it),
    ///   `.failed` if no threads can be had.
    init(_ model: LlamaModel, _ settings: LlamaSettings, cells: Int, sequences: Int) throws(EngineError) {
        var parameters = llama_context_default_params()
        parameters.n_ctx = UInt32(cells)
        parameters.n_batch = UInt32(settings.nodesMax)
        parameters.n_ubatch = UInt32(settings.nodesMax)
        parameters.n_seq_max = UInt32(sequences)
        parameters.n_outputs_max = 0
        parameters.n_threads = Int32(settings.threads)
        parameters.n_threads_batch = Int32(settings.threads)
        // K and V of different types on purpose: with the same type, flash attention has faster kernels for some
        // batch sizes and cache lengths, and those round differently. V in BF16 costs a hundredth of the accuracy
        // that Q8_0 weights cost. Without flash attention the products are faster from some rows on, and a row
        // depends on where its cells lie.
        parameters.flash_attn_type =
            settings.exact ? LLAMA_FLASH_ATTN_TYPE_ENABLED : LLAMA_FLASH_ATTN_TYPE_DISABLED
        parameters.type_k = GGML_TYPE_F16
        parameters.type_v = settings.exact ? GGML_TYPE_BF16 : GGML_TYPE_F16
        parameters.kv_unified = true
        // A cache that forgets what left the window could not be rewound, and would reuse cells out of order.
        parameters.swa_full = true
        parameters.no_perf = true
        let (made, errors) = LlamaLog.shared.quoting { llama_init_from_model(model.handle.pointer, parameters) }
        guard let made else {
            throw EngineError(
                .modelUnsupported,
                "no context of \(cells) tokens for \(model.header.path): "
                    + (errors.first ?? "libllama gave no reason"),
                remedy: "ask for a shorter context or fewer sequences")
        }
        guard let memory = llama_get_memory(made) else {
            llama_free(made)
            throw EngineError(.modelUnsupported, "\(model.header.path) has no KV cache: it cannot generate text")
        }
        guard let pool = Self.threads(settings) else {
            llama_free(made)
            throw EngineError(
                .failed, "\(settings.threads) threads could not be started", remedy: "ask for fewer threads")
        }
        guard let team = ThreadTeam(pool, count: settings.threads) else {
            ggml_threadpool_free(pool)
            llama_free(made)
            throw EngineError(.failed, "there is no memory for a graph of one node")
        }
        llama_attach_threadpool(made, pool, pool)
        pointer = made
        self.memory = memory
        self.pool = pool
        self.team = team
        self.model = model
        self.sequences = sequences
        self.cells = Int(llama_n_ctx(made))
        vocabularySize = model.vocabularySize
        batch = NodeBatch(nodesMax: settings.nodesMax)
        // libllama asks on the computing thread, during a call of `decode`: this context, and with it the tap, is
        // alive.
        llama_set_abort_callback(
            made, { Unmanaged<StopTap>.fromOpaque($0!).takeUnretainedValue().closure?() ?? false },
            Unmanaged.passUnretained(stopTap).toOpaque())
    }

    /// A pool whose idle threads sleep: at libllama's default they spin for a fraction of a second after each pass,
    /// on cores that another engine could use. Pins the calling thread too if cores are named.
    private static func threads(_ settings: LlamaSettings) -> OpaquePointer? {
        var parameters = ggml_threadpool_params_default(Int32(settings.threads))
        parameters.poll = 0
        if let cpus = settings.cpus {
            parameters.strict_cpu = true
            withUnsafeMutableBytes(of: &parameters.cpumask) { mask in
                for cpu in cpus.prefix(settings.threads) { mask[cpu] = 1 }
            }
        }
        return ggml_threadpool_new(&parameters)
    }

    // MARK: - Decoding

    enum Outcome: Equatable {
        case done
        /// No room; nothing was changed.
        case full
        /// The cache holds any part of the batch.
        case failed(Int32)
    }

    final class StopTap {
        var closure: (() -> Bool)?
    }

    /// Evaluates `nodes` in one batch, each as part of its `holders`.
    mutating func decode(_ nodes: [ForestNode], holders: [SequenceSet]) -> Outcome {
        switch llama_decode(pointer, batch.fill(nodes, holders)) {
        case 0: .done
        case 1: .full
        case let code: .failed(code)
        }
    }

    /// The logits of node `index` of the last batch, valid until the next call of anything but this; `nil` if it asked
    /// for none.
    func row(_ index: Int) -> UnsafeBufferPointer<Float>? {
        llama_get_logits_ith(pointer, Int32(index)).map { UnsafeBufferPointer(start: $0, count: vocabularySize) }
    }

    // MARK: - The cache

    /// Drops the positions of `sequence` from `from` on; false if the model cannot.
    func remove(_ sequence: SequenceID, from: Position) -> Bool {
        llama_memory_seq_rm(memory, sequence.rawValue, Int32(from.rawValue), -1)
    }

    /// Gives positions of one sequence, which has them, to another one too, which has not.
    func share(_ positions: Range<Position>, of sequence: SequenceID, with other: SequenceID) {
        let (first, end) = (Int32(positions.lowerBound.rawValue), Int32(positions.upperBound.rawValue))
        llama_memory_seq_cp(memory, sequence.rawValue, other.rawValue, first, end)
    }

    /// Empties the cache.
    func clear() { llama_memory_clear(memory, false) }

    /// One past the last position of `sequence`.
    func length(_ sequence: SequenceID) -> Int { Int(llama_memory_seq_pos_max(memory, sequence.rawValue)) + 1 }

    /// The cells of `sequence`, to be put back with `restore`.
    func state(_ sequence: SequenceID) -> [UInt8] {
        let size = llama_state_seq_get_size(pointer, sequence.rawValue)
        return [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            count = llama_state_seq_get_data(pointer, buffer.baseAddress, size, sequence.rawValue)
        }
    }

    /// Puts a state into the first free cells; false if it was not taken.
    func restore(_ state: [UInt8], as sequence: SequenceID) -> Bool {
        state.withUnsafeBufferPointer {
            llama_state_seq_set_data(pointer, $0.baseAddress, $0.count, sequence.rawValue) == state.count
        }
    }
}
