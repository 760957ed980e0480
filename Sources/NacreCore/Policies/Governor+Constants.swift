// What the governor goes by; docs/policies.md, Never slower, says why.
extension Governor {
    /// By how much drafting must be faster before it begins again.
    package static let gain = 1.01
    /// Share of tokens that may be lost to probing.
    package static let budget = 0.008

    static let probeRounds = 8
    static let plainProbeRounds = 4
    /// A probe that leaves the question open is repeated at once so often at most.
    static let extensionsMax = 3
    /// Rounds from one probe to the next.
    static let pause = 64...4_096
    /// The first pause under another load, of which nothing was measured, and after few rounds of drafting.
    static let firstPause = 16
    /// Rounds of drafting from which on more than luck was seen.
    static let roundsKnown = 64
    /// Rounds of a probe that may tell nothing before it is given up.
    static let unusableMax = 4
    /// Rounds before a measurement may stop drafting.
    static let roundsMin = 8
    /// The same where they are expected to be so much slower.
    static let (roundsHopeless, hopeless) = (2, 0.9)
    /// Errors that a ratio must lie below 1. More would let a loss of that size stand.
    static let errors = 0.5
    /// Of what was known before a probe so much counts beside it.
    static let agedTo = 0.25
    /// Probes that may be saved up.
    static let creditProbes = 2.0
    /// What a new pair may spend before it has earned anything, in tokens: about a probe of one job. A short job must
    /// not end in the rest that its first, unlucky rounds sent it to.
    static let endowment = 4.0
    /// Relative spread of a plain round's time: its tokens are no matter of luck.
    static let plainSpread = 0.2
    /// Looks at plain decoding before the first rest, where one could tell nothing.
    static let checksMax = 2
}
