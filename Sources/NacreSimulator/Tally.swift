/// What can go wrong, by kind.
package enum FaultKind: String, Sendable, CaseIterable {
    case crash, freeze, reset, halfOpen, stall, engineFailure, cacheFull, lie
}

/// Counts of one run or of many.
package struct Tally: Sendable, Equatable {
    package var seeds = 0
    package var jobs = 0
    /// Jobs by the name of their outcome.
    package var outcomes: [String: Int] = [:]
    package var tokens = 0
    package var messages = 0
    package var events = 0
    package var passes = 0
    package var faults: [FaultKind: Int] = [:]
    /// Commits and ends of old attempts that the coordinator dropped.
    package var staleMessages = 0
    /// Epochs that drafters began after a rollback.
    package var epochs = 0
    /// Draft tokens that were sent.
    package var drafted = 0
    /// Of these, those of drafters without a model.
    package var lookedUp = 0
    /// Those of drafters of another vocabulary.
    package var bridged = 0
    /// Passes with side branches, side branches that won, sequences that began as copies of others.
    package var branched = 0
    package var adopted = 0
    package var forked = 0
    /// Of these, beginnings of texts that jobs have in common.
    package var sharedPrefixes = 0
    /// Drafts that came with the row that they were drawn from, and rows that were fetched after a failed test.
    package var drawn = 0
    package var rowsFetched = 0
    /// Of the drawn ones those among which a token came again.
    package var redrawn = 0
    /// Streams that continue hypotheses that meet again once.
    package var merging = 0
    /// Jobs that opened a stream with a second drafter.
    package var united = 0
    /// Drafts that other verifiers scored, and those of them that were committed by it.
    package var shards = 0
    package var shardsUsed = 0
    /// Verdicts whose outcome was among the drafts.
    package var prepared = 0
    /// Verdicts that told of more than one round.
    package var coalesced = 0
    /// Passes that began while another shard of the same verifier computed.
    package var sideBySide = 0
    /// Passes that began while a drafter computed on its verifier's cores, each of the drafter's own among them.
    package var alternations = 0
    /// Drafts verified of jobs all of whose drafters are on the verifier's cores; of these by several shards.
    package var inTurns = 0
    package var inTurnsOfShards = 0

    /// Jobs with beams that were decoded to their end.
    package var beamJobs = 0
    /// Tokens that jobs put out behind one that ends a text.
    package var beyondEnds = 0
    /// Blocks of drafts that a lossy method committed.
    package var jointBlocks = 0

    package init() {}

    package mutating func add(_ other: Tally) {
        seeds += other.seeds
        jobs += other.jobs
        outcomes.merge(other.outcomes, uniquingKeysWith: +)
        tokens += other.tokens
        messages += other.messages
        events += other.events
        passes += other.passes
        faults.merge(other.faults, uniquingKeysWith: +)
        staleMessages += other.staleMessages
        epochs += other.epochs
        alternations += other.alternations
        inTurns += other.inTurns
        inTurnsOfShards += other.inTurnsOfShards
        drafted += other.drafted
        lookedUp += other.lookedUp
        bridged += other.bridged
        coalesced += other.coalesced
        branched += other.branched
        adopted += other.adopted
        forked += other.forked
        sharedPrefixes += other.sharedPrefixes
        drawn += other.drawn
        jointBlocks += other.jointBlocks
        beamJobs += other.beamJobs
        beyondEnds += other.beyondEnds
        rowsFetched += other.rowsFetched
        redrawn += other.redrawn
        merging += other.merging
        united += other.united
        shards += other.shards
        shardsUsed += other.shardsUsed
        prepared += other.prepared
        sideBySide += other.sideBySide
    }
}
