/// How an engine runs a model.
package struct LlamaSettings: Sendable, Hashable {
    /// Threads that compute, the engine's own among them. Engines that work at the same time need as many cores
    /// together: libllama's threads wait for each other by spinning.
    package var threads: Int
    /// The cores to stay on, one per thread in this order; `nil` leaves placement to the system. At least as many
    /// as `threads`.
    package var cpus: [Int]?
    /// Tokens that one job may have, prompt and output and drafts. The cache has this times `sequences`, to be
    /// shared freely.
    package var contextPerJob: Int
    /// Sequences that can be alive at once, 1 ... 255.
    package var sequences: Int
    /// Most nodes of one pass, scored or not. Memory for logits and activations grows with it.
    package var nodesMax: Int
    /// Whether a row's logits must have the same bits in every batch and beside every other sequence.
    package var exact: Bool
    /// With several sequences and `exact`: dead cells that are left lying before the cache is rebuilt. Less room for
    /// them means more rebuilds (1 ms per some hundred live tokens), more means slower passes over a longer cache.
    package var deadCellsMin: Int

    package init(
        threads: Int, cpus: [Int]? = nil, contextPerJob: Int, sequences: Int = 1, nodesMax: Int = 512,
        exact: Bool = true, deadCellsMin: Int = 256
    ) {
        self.threads = threads
        self.cpus = cpus
        self.contextPerJob = contextPerJob
        self.sequences = sequences
        self.nodesMax = nodesMax
        self.exact = exact
        self.deadCellsMin = deadCellsMin
    }

    /// The most threads that libllama takes.
    private static let threadsMax = 512

    /// What is wrong with these numbers, in words for the person who wrote them; `nil` if they are usable.
    package var complaint: String? {
        if !(1...Self.threadsMax).contains(threads) { return "threads must be 1 to \(Self.threadsMax), not \(threads)" }
        if !(1...255).contains(sequences) { return "sequences must be 1 to 255, not \(sequences)" }
        if !(1...65_536).contains(nodesMax) { return "a pass must hold 1 to 65536 nodes, not \(nodesMax)" }
        if deadCellsMin < 0 { return "dead cells cannot be fewer than none (\(deadCellsMin))" }
        if contextPerJob < 1 || contextPerJob > (1 << 28) / sequences {
            return "a context of \(contextPerJob) tokens for each of \(sequences) sequences cannot be had"
        }
        guard let cpus else { return nil }
        if cpus.count < threads { return "\(threads) threads cannot be pinned to \(cpus.count) cores" }
        if Set(cpus).count != cpus.count { return "a core is named twice in \(cpus)" }
        let allowed = Processors.allowed
        if let cpu = cpus.first(where: { !allowed.contains($0) || $0 >= Self.threadsMax }) {
            return "core \(cpu) is not among those that this process may use: \(allowed)"
        }
        return nil
    }
}
