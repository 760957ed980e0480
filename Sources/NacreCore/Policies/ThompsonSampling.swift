import RealModule

/// Drafting on as a bandit: for each level of the drafter's doubt s a Beta(a_s, b_s) posterior of acceptance. Before
/// every draw θ ~ Beta(a_s, b_s); drafting goes on while the product of the round's θ is at least λ*·B, the worth of
/// a place in the pass. That is a parameter: what is measured of it (ALGORITHMS 10.5) is known to verifiers, and this
/// rule runs in drafters; the governor, which does know, bounds the length beside it.
///
/// s is the octile of H(q) among the last `recentMax` drafts. Priors are (κ, κ). A verdict adds 1 to a_s of each
/// accepted draft and to b_s of the first rejected one; what lies behind that was not judged and counts as nothing.
/// Every 64 updates both go a tenth of the way back to κ. Its chance is keyed: the same key and the same drafts, the
/// same decisions.
///
/// - Source: Liu et al. 2024 (EESD, 2406.03853) for Thompson sampling as the control of drafting; its prior and merge
///   could not be read, and this definition is Nacre's own (ALGORITHMS 7).
package struct ThompsonSampling: DraftPolicy {
    package static let manual = PolicyManual(
        .thompson, "learn how far to draft at each level of doubt, by Thompson sampling",
        [
            PolicyParameter("kappa", 2, 1...64, "prior successes and failures of each level"),
            PolicyParameter("worth", 0.3, 0...1, "least chance that all drafts of a round still stand"),
        ], decidesPerToken: true, draftsMax: 32)

    package static let levels = 8
    private static let recentMax = 128
    private static let forgetEvery = 64
    private static let forgotten = 0.1

    private let kappa: Double
    private let worth: Double
    private var chance: PolicyChance
    package private(set) var a: [Double]
    package private(set) var b: [Double]
    private var updates = 0
    /// Entropies of the last drafts, a ring.
    private var recent: [Double] = []
    private var next = 0
    /// Of each draft behind the committed text its level and its θ.
    private var round: [(level: Int, theta: Double)] = []

    package init(_ parameters: PolicyParameters, key: StreamKey) {
        kappa = parameters["kappa"]
        worth = parameters["worth"]
        chance = PolicyChance(key: key)
        a = Array(repeating: kappa, count: Self.levels)
        b = a
    }

    package mutating func mayDraw(_ next: TokenStatistics, at place: DraftPlace) -> Bool {
        // A round that ended otherwise, or lost its end, is shorter here too.
        if round.count > place.depth { round.removeLast(round.count - place.depth) }
        let level = level(of: next.entropy)
        let theta = chance.beta(a[level], b[level])
        round.append((level, theta))
        return round.reduce(1) { $0 * $1.theta } >= worth
    }

    package mutating func observe(_ outcome: RoundOutcome) {
        for judged in round.prefix(outcome.accepted) { update(judged.level, 1, 0) }
        if outcome.isRejected {
            if round.count > outcome.accepted { update(round[outcome.accepted].level, 0, 1) }
            round = []
        } else {
            round.removeFirst(min(outcome.accepted, round.count))
        }
    }

    private mutating func update(_ level: Int, _ success: Double, _ failure: Double) {
        a[level] += success
        b[level] += failure
        updates += 1
        guard updates.isMultiple(of: Self.forgetEvery) else { return }
        for level in a.indices {
            a[level] -= Self.forgotten * (a[level] - kappa)
            b[level] -= Self.forgotten * (b[level] - kappa)
        }
    }

    /// The octile of `entropy` among the recent ones; it is then one of them. Unknown entropy is a level in the middle.
    private mutating func level(of entropy: Double) -> Int {
        guard entropy.isFinite else { return Self.levels / 2 }
        let below = recent.count { $0 < entropy }
        let level = recent.isEmpty ? Self.levels / 2 : min(below * Self.levels / recent.count, Self.levels - 1)
        if recent.count < Self.recentMax { recent.append(entropy) } else { recent[next] = entropy }
        next = (next + 1) % Self.recentMax
        return level
    }
}

/// A policy's own chance: a stream of numbers, each a function of the key and of how many came before.
struct PolicyChance: Sendable, Hashable {
    private let random: PositionalRandom
    private var count = 0

    init(key: StreamKey) { random = PositionalRandom(key: key) }

    mutating func uniform() -> Double {
        defer { count += 1 }
        return random.uniform(at: count, lane: .policy)
    }

    /// Standard normal, by Box and Muller.
    mutating func normal() -> Double {
        (-2 * Double.log(uniform())).squareRoot() * Double.cos(2 * .pi * uniform())
    }

    /// Beta(a, b) for a, b ≥ 1, as the share of one of two Gamma variates.
    mutating func beta(_ a: Double, _ b: Double) -> Double {
        let x = gamma(a)
        return x / (x + gamma(b))
    }

    /// Gamma(shape, 1) for shape ≥ 1.
    ///
    /// - Source: Marsaglia, Tsang, "A simple method for generating gamma variables", TOMS 2000.
    private mutating func gamma(_ shape: Double) -> Double {
        let d = shape - 1.0 / 3
        // At least 95 of 100 tries succeed; the bound is there because every loop has one.
        for _ in 0..<64 {
            let x = normal()
            let root = 1 + x / (9 * d).squareRoot()
            guard root > 0 else { continue }
            let v = root * root * root
            if Double.log(uniform()) < 0.5 * x * x + d - d * v + d * Double.log(v) { return d * v }
        }
        return d
    }
}
