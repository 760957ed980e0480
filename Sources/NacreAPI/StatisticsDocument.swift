/// What a job cost and gained, over all its attempts. Times are in microseconds unless their names say otherwise.
package struct StatisticsDocument: Codable, Sendable, Equatable {
    /// Verify passes.
    package var rounds = 0
    /// Draft tokens that reached the verifier.
    package var drafted = 0
    /// Draft tokens that had a place in a pass.
    package var verified = 0
    /// Draft tokens compared with the target's own.
    package var judged = 0
    package var accepted = 0
    /// Draft tokens that arrived for an epoch that was over, or below a node that was not taken.
    package var stale = 0
    /// drafted − accepted.
    package var wasted = 0
    /// accepted / judged; absent when nothing was judged.
    package var acceptanceRate: Double?
    /// The same for the first, second ... draft behind what was last decided; null where none was judged.
    package var acceptanceByPosition: [Double?] = []
    /// What that is the ratio of.
    package var judgedAt: [Int] = []
    package var acceptedAt: [Int] = []
    /// Output tokens per verify pass, less the one that every pass gives anyway.
    package var meanAcceptedTokens = 0.0
    /// Draft tokens that stood at the start of a pass, on average.
    package var meanDraftsInFlight = 0.0
    /// Share of the verdicts whose outcome was drafted for, so that the drafter need not start anew; absent without
    /// verdicts.
    package var outcomesPredicted: Double?
    /// Decoding only, from the first verify pass on; absent before the end.
    package var tokensPerSecond: Double?
    /// Share of the decoding time that the verifier's engine computed passes with this job.
    package var verifierBusy: Double?
    /// The same of its drafters, as they report it, all of them together.
    package var drafterBusy: Double?
    /// Median time from the end of a pass to the start of the next.
    package var gapMicroseconds = 0
    /// Ready for a pass while one without this job ran.
    package var queueMicroseconds = 0
    /// Computed by drafters for this job.
    package var draftMicroseconds = 0
    /// From verdicts to the first drafts on them, less what the drafter computed.
    package var wireMicroseconds = 0
    /// Drafts given to other verifiers to score, and those whose scores came in time.
    package var shardsSent = 0
    package var shardsUsed = 0
    package var draftersLost = 0
    /// Mean ln p of the output tokens under the target, temperature applied and nothing else, in nats; absent unless it
    /// was measured. The perplexity is exp(−it).
    package var meanLogLikelihood: Double?
    package var perplexity: Double?
    /// From submission to the first token, in milliseconds.
    package var firstTokenMilliseconds: Double?
    /// From submission to the end, in milliseconds.
    package var totalMilliseconds: Double?
    /// Placements of the job on a verifier.
    package var attempts = 0

    /// All zero; the fields are set one by one.
    package init() {}
}
