/// How an engine runs a model.
package struct LlamaSettings: Sendable, Hashable {
    /// Threads that compute, the engine's own among them. Engines that work at the same time need as many cores
    /// together: libllama's threads wait for each other by spinning.
    package var threads: Int
    /// The cores to stay on, one per thread in this order; `nil` leaves placement to the system. At least as many
    /// as `threads`.
    package var cpus: [Int]?
    /// Tokens that one job may have, prompt and output and drafts. The cache has this times `sequences`, to be
    /// shared freely, and room for one tree more if there are branches.
    package var contextPerJob: Int
    /// Jobs that can have a sequence at once, at least 1.
    package var sequences: Int
    /// Further sequences for the side branches of trees: with `sequences` at most 254. One tree takes its leaves less
    /// one. Their ids are those behind the jobs', `sequences ..< sequences + branches`; a model with recurrent layers
    /// gets none.
    package var branches: Int
    /// Most nodes of one pass, scored or not. Memory for logits and activations grows with it.
    package var nodesMax: Int
    /// Whether a row's logits must have the same bits in every batch and beside every other sequence.
    ///
    /// `false` gives that up for speed: attention by matrix products instead of row by row, and cells given out
    /// wherever one is free. At a context of 64 tokens it gains nothing, at 1000 and more a lot; `nacre models speed`
    /// measures it, docs/engine.md has figures. Fit for a drafter, whose rounding costs nothing but acceptance.
    package var exact: Bool
    /// With several sequences and `exact`: dead cells that are left lying before the cache is rebuilt. Less room for
    /// them means more rebuilds (1 ms per some hundred live tokens), more means slower passes over a longer cache.
    package var deadCellsMin: Int
    /// With several sequences and `exact`: a gap in the cache is closed if at most so many live cells lie behind it,
    /// and else filled with dead ones. Moving some tens costs about a tenth of a millisecond.
    package var movedCellsMax: Int

    package init(
        threads: Int, cpus: [Int]? = nil, contextPerJob: Int, sequences: Int = 1, branches: Int = 0,
        nodesMax: Int = 512, exact: Bool = true, deadCellsMin: Int = 256,
        movedCellsMax: Int = 64
    ) {
        self.threads = threads
        self.cpus = cpus
        self.contextPerJob = contextPerJob
        self.sequences = sequences
        self.branches = branches
        self.nodesMax = nodesMax
        self.exact = exact
        self.deadCellsMin = deadCellsMin
        self.movedCellsMax = movedCellsMax
    }

    /// The settings of each of `shards` engines that share these threads, cores and sequences: as evenly as they can be
    /// divided, neighbouring cores together. There must be a thread and a sequence for each.
    package func divided(into shards: Int) -> [LlamaSettings] {
        guard shards > 1 else { return [self] }
        precondition((1...min(threads, sequences)).contains(shards), "\(shards) shards of \(threads) threads")
        var core = 0
        return (0..<shards).map { shard in
            func share(_ whole: Int) -> Int { whole / shards + (shard < whole % shards ? 1 : 0) }
            var part = self
            part.threads = share(threads)
            part.sequences = share(sequences)
            part.cpus = cpus.map { Array($0[core..<core + part.threads]) }
            core += part.threads
            return part
        }
    }

    /// Why these threads and sequences cannot be divided among so many engines; `nil` if they can.
    package func complaint(aboutShards shards: Int) -> String? {
        if shards > threads { return "\(shards) shards need as many threads, and there are \(threads)" }
        if shards > sequences { return "\(shards) shards need as many slots, and there are \(sequences)" }
        return nil
    }

    /// The most threads that libllama takes.
    private static let threadsMax = 512

    /// Ids that an exact engine needs for itself: for cells that must stay occupied, and for cells that are moved.
    static let extraSequences = 2
    private static let sequencesMax = SequenceSet.capacity - extraSequences

    /// Whether cells are given out in order, for which ids of the engine's own are needed; a model with recurrent
    /// layers does without.
    var isAppendOnly: Bool { exact && sequences + branches > 1 }

    /// Ids that libllama must know. It ends the process if a pass cannot hold a node of each.
    private var identifiers: Int { sequences + branches + (isAppendOnly ? Self.extraSequences : 0) }

    /// What is wrong with these numbers, in words for the person who wrote them; `nil` if they are usable.
    package var complaint: String? {
        if !(1...Self.threadsMax).contains(threads) { return "threads must be 1 to \(Self.threadsMax), not \(threads)" }
        if !(1...Self.sequencesMax).contains(sequences) {
            return "sequences must be 1 to \(Self.sequencesMax), not \(sequences)"
        }
        if !(0...Self.sequencesMax - sequences).contains(branches) {
            return "\(branches) branches beside \(sequences) sequences; together they may be \(Self.sequencesMax)"
        }
        if !(1...65_536).contains(nodesMax) { return "a pass must hold 1 to 65536 nodes, not \(nodesMax)" }
        if identifiers > nodesMax {
            return "passes of \(nodesMax) nodes are too small for \(identifiers) sequences (\(sequences) of jobs, "
                + "\(branches) of branches and the engine's own): allow that many nodes, or use fewer slots"
        }
        if movedCellsMax < 0 { return "cells that move cannot be fewer than none (\(movedCellsMax))" }
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
