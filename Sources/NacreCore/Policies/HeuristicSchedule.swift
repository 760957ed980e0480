/// Two more after a round in which every draft was accepted, one fewer after any other.
///
/// - Source: Hugging Face's num_assistant_tokens_schedule "heuristic": +2, −1, at least 1, from 5.
package struct HeuristicSchedule: DraftPolicy {
    package static let manual = PolicyManual(
        .heuristic, "longer after full acceptance, shorter after a rejection",
        [
            PolicyParameter("start", 5, 1...Double(PolicyManual.draftsMax), isWhole: true, "drafts of the first round"),
            PolicyParameter("up", 2, 0...16, isWhole: true, "added after full acceptance"),
            PolicyParameter("down", 1, 0...16, isWhole: true, "taken away otherwise"),
        ])

    private var gamma: Int
    private let up, down: Int

    package init(_ parameters: PolicyParameters, key: StreamKey) {
        gamma = parameters.whole("start")
        up = parameters.whole("up")
        down = parameters.whole("down")
    }

    package mutating func draftLength(_ conditions: RoundConditions) -> Int {
        // Where there is no room for more, more full rounds must not count it up out of reach.
        gamma = min(gamma, max(1, conditions.most))
        return gamma
    }

    package mutating func observe(_ outcome: RoundOutcome) {
        guard outcome.drafted > 0 else { return }
        gamma = outcome.isRejected ? max(1, gamma - down) : min(gamma + up, PolicyManual.draftsMax)
    }
}
