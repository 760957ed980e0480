import NacreCore

/// A policy that decides in the drafter, token by token, and where it stands.
struct TokenPace: Sendable {
    var policy: DraftLengthPolicy
    /// What the drafts of the chain were like when they were drawn, the first behind the committed text first.
    private(set) var drafts: [DraftedToken] = []
    /// A row below which the policy did not want to draft: asked about again after the next verdict.
    var heldBack: (score: Score, expansion: TreeGrowth.Expansion)?
    /// The last draft was kept as the last before the next verdict.
    var isOver = false

    init(_ policy: PolicySpecification, key: StreamKey) { self.policy = DraftLengthPolicy(policy, key: key) }

    var isPaused: Bool { isOver || heldBack != nil }

    mutating func note(_ draft: DraftedToken, at depth: Int) {
        // Drafts from before the policy was chosen are not known.
        while drafts.count < depth { drafts.append(DraftedToken(TokenStatistics())) }
        drafts.removeSubrange(depth...)
        drafts.append(draft)
    }

    /// Takes in a verdict: so many of the drafts stand, and the next one does not if it was `rejected`.
    mutating func observe(accepted: Int, rejected: Bool, committed: Int, hitLimit: Bool) {
        let judged = accepted + (rejected ? 1 : 0)
        if judged > 0 {
            policy.observe(
                RoundOutcome(
                    drafted: judged, accepted: accepted, hitLimit: hitLimit && !isPaused || drafts.count >= policy.most,
                    tokens: Array(drafts.prefix(judged))))
        }
        drafts.removeFirst(min(committed, drafts.count))
    }

    /// The chain is given up.
    mutating func forget() {
        drafts = []
        heldBack = nil
    }
}

extension DraftStream {
    /// Whether no draft is wanted before the next verdict.
    package var isPaused: Bool { pace?.isPaused ?? false || lookup?.isHeld ?? false }

    /// Whether to draft from a row of these statistics; if not it waits for the next verdict.
    mutating func mayDraft(_ statistics: TokenStatistics, _ score: Score, for expansion: TreeGrowth.Expansion) -> Bool {
        guard pace != nil, let node = growth.node(of: expansion) else { return true }
        let place = DraftPlace(depth: growth.proposed.depth(of: node))
        guard pace?.policy.mayDraw(statistics, at: place) == false else { return true }
        pace?.heldBack = (score, expansion)
        return false
    }

    /// Whether a draft that was drawn from there stays one.
    mutating func mayKeep(
        _ statistics: TokenStatistics, probability: Double, _ score: Score, for expansion: TreeGrowth.Expansion
    ) -> Bool {
        guard pace != nil, let node = growth.node(of: expansion) else { return true }
        let depth = growth.proposed.depth(of: node)
        switch pace?.policy.drew(statistics, probability: probability, at: DraftPlace(depth: depth)) {
        case nil, .goOn: break
        case .keepThenStop: pace?.isOver = true
        case .dropThenStop:
            pace?.heldBack = (score, expansion)
            return false
        }
        pace?.note(DraftedToken(statistics, probability: probability), at: depth)
        return true
    }

    /// A verdict has come: the policy is asked anew.
    mutating func resume() {
        let heldBack = pace?.heldBack
        pace?.heldBack = nil
        pace?.isOver = false
        if let heldBack { take(heldBack.score, for: heldBack.expansion) }
    }

    /// Drafts are as many as this policy says from now on.
    mutating func adopt(_ policy: PolicySpecification) {
        let heldBack = pace?.heldBack
        // Without a model there is no row of q for a policy to look at.
        let isPaced = policy.manual.decidesPerToken && !draftsWithoutModel
        pace = isPaced ? TokenPace(policy, key: key) : nil
        if let heldBack { take(heldBack.score, for: heldBack.expansion) }
    }
}
