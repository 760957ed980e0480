/// A job's draft-length policy at work, within the bounds that were set for it.
///
/// In the verifier `draftLength` is asked before each round. In the drafter, for each token: `mayDraw` once q is known,
/// then `drew` with the token's probability. `observe` wherever a verdict is known.
package struct DraftLengthPolicy: Sendable {
    package let specification: PolicySpecification
    private var policy: any DraftPolicy
    private let least: Int
    /// Drafts at which every round ends.
    package let most: Int

    package init(_ specification: PolicySpecification, key: StreamKey) {
        self.specification = specification
        let parameters = specification.parameters
        policy = specification.name.policy.init(parameters, key: key)
        least = parameters.whole("min")
        most = parameters.whole("max")
    }

    /// Whether drafts that are drawn from q may be stopped by it.
    package var isNonAnticipating: Bool { policy.isNonAnticipating }

    /// Why it cannot be used where drafts are draws from q, which the rule divides by; `nil` if it can.
    package func complaint(draftsAreDrawn: Bool) -> String? {
        guard draftsAreDrawn, !isNonAnticipating else { return nil }
        return "policy \(specification) drops a draft because of its own probability, which biases what is drawn from "
            + "q: use \(specification.name.rawValue):keep=1, another policy, or rule coupled"
    }

    /// Most drafts of the next round, at most what the pass has room for; 0 drafts nothing.
    package mutating func draftLength(_ conditions: RoundConditions) -> Int {
        let wanted = policy.draftLength(conditions)
        return min(max(wanted, least), most, conditions.most)
    }

    /// Whether to draw a token at `place` from a q of these statistics.
    package mutating func mayDraw(_ next: TokenStatistics, at place: DraftPlace) -> Bool {
        guard place.depth < most else { return false }
        // Asked in any case: the policy keeps count of what it lets pass.
        let may = policy.mayDraw(next, at: place)
        return may || place.depth < least
    }

    /// What to do with the token that was drawn there, whose q(x) is `probability`.
    package mutating func drew(
        _ next: TokenStatistics, probability: Double, at place: DraftPlace
    ) -> DraftStep {
        let step = policy.drew(next, probability: probability, at: place)
        if place.depth < least, step == .dropThenStop || place.depth + 1 < least { return .goOn }
        return step == .goOn && place.depth + 1 >= most ? .keepThenStop : step
    }

    /// Takes in what a verdict said of a round's drafts.
    package mutating func observe(_ outcome: RoundOutcome) { policy.observe(outcome) }
}
