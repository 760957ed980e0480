/// A few draft lengths, and a running mean of accepted drafts that moves up and down among them, one at a time.
///
/// At length s above s′ it moves up when the mean exceeds s − ½ + `up`: nearly all were accepted. It moves down when
/// the mean is below s′ − ½ + `down`: even s′ would not be filled. Looked at every 5 rounds, after 10.
///
/// - Source: SGLang's adaptive speculative steps: tiers 1, 3, 7, weight 0.2, hysteresis 0 up and −0.25 down.
package struct EMATiers: DraftPolicy {
    package static let manual = PolicyManual(
        .ema, "one of three draft lengths, by a running mean of accepted drafts",
        [
            PolicyParameter("low", 1, 1...Double(PolicyManual.draftsMax), isWhole: true, "shortest draft length"),
            PolicyParameter("middle", 3, 1...Double(PolicyManual.draftsMax), isWhole: true, "the first one"),
            PolicyParameter("high", 7, 1...Double(PolicyManual.draftsMax), isWhole: true, "longest draft length"),
            PolicyParameter("weight", 0.2, 0.001...1, "share of a new round in the mean"),
            PolicyParameter("up", 0, -8...8, "added to the bar for a longer one"),
            PolicyParameter("down", -0.25, -8...8, "added to the bar for a shorter one"),
        ])

    private static let warmUp = 10
    private static let every = 5

    private let tiers: [Int]
    private let weight, up, down: Double
    private var tier = 1
    private var mean: Double
    private var rounds = 0

    package init(_ parameters: PolicyParameters, key: StreamKey) {
        tiers = [parameters.whole("low"), parameters.whole("middle"), parameters.whole("high")].sorted()
        weight = parameters["weight"]
        up = parameters["up"]
        down = parameters["down"]
        mean = Double(tiers[1])
    }

    package func draftLength(_ conditions: RoundConditions) -> Int { tiers[tier] }

    package mutating func observe(_ outcome: RoundOutcome) {
        guard outcome.drafted > 0 else { return }
        mean += weight * (Double(outcome.accepted) - mean)
        rounds += 1
        guard rounds > Self.warmUp, rounds.isMultiple(of: Self.every) else { return }
        if tier + 1 < tiers.count, mean > Double(tiers[tier]) - 0.5 + up {
            tier += 1
        } else if tier > 0, mean < Double(tiers[tier - 1]) - 0.5 + down {
            tier -= 1
        }
    }
}
