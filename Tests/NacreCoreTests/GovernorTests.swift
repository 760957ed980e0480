import NacreCore
import Testing

/// A pair of models in turns, as it is and as the cost model takes it to be.
private struct World {
    /// True acceptance, and other jobs in the pass, by round.
    var alpha: (Int) -> Double
    var others: (Int) -> Int = { _ in 0 }
    /// By what factor passes are slower than the cost table says while the drafter is at work.
    var disturbance = 1.0
    var cost = StepCostModel(nodesMax: 64, priorFixed: 90_000, perNode: 10_000)
    var draft = 20_000.0

    /// Tokens and time of a round on the mean.
    func expected(_ drafts: Int, round: Int) -> (tokens: Double, microseconds: Double) {
        let others = others(round)
        let pass = cost.microseconds(nodes: others + 1 + drafts) * (drafts > 0 ? disturbance : 1)
        let own = ThroughputModel.tokensPerRound(alpha: alpha(round), gamma: drafts)
        return (Double(others) + own, pass + Double(drafts) * draft)
    }

    func rate(_ drafts: Int, round: Int) -> Double {
        let (tokens, microseconds) = expected(drafts, round: round)
        return tokens / microseconds
    }
}

/// What came of a run.
private struct Course {
    /// Tokens per time over what a clairvoyant switch would have made of the same policy.
    var share = 0.0
    var draftingRounds = 0
    var changes = 0
    var reason = Governor.Reason.notMeasured
}

/// Decodes in `world` with a policy and a governor; `counts` says which rounds are steady.
private func decode(
    _ world: World, policy text: String, rounds: Int, seed: UInt64 = 1, counts: (Int) -> Bool
) throws -> Course {
    var random = SplitMix(seed: seed)
    let specification = try PolicySpecification(parsing: text)
    var policy = DraftLengthPolicy(specification, key: StreamKey(rawValue: seed))
    var governor = Governor(specification.lengths)
    var acceptance = PositionalAcceptance()
    var (tokens, best) = (0.0, 0.0)
    var course = Course()
    var wasDrafting = true
    for round in 0..<rounds {
        let conditions = RoundConditions(
            .turns, cost: world.cost, draftMicroseconds: world.draft, roundTripMicroseconds: 0,
            acceptance: acceptance, others: world.others(round), most: 16)
        let wanted = policy.draftLength(conditions)
        let forecast = Governor.Forecast(conditions, drafts: wanted)
        let order = governor.next(forecast)
        // Where the governor asks for drafts to learn from, a policy that wants none gives one.
        let drafts = order.mayDraft ? max(1, order.drafts(wanted: wanted, conditions)) : 0
        var accepted = 0
        while accepted < drafts, random.uniform() < world.alpha(round) { accepted += 1 }
        if drafts > 0 {
            policy.observe(RoundOutcome(drafted: drafts, accepted: accepted))
            acceptance.record(accepted: accepted, rejected: accepted < drafts)
        }
        let time = world.expected(drafts, round: round).microseconds
        let committed = Double(world.others(round) + accepted + 1)
        governor.record(GovernedRound(forecast: forecast, tokens: committed, microseconds: time))
        if order.mayDraft != wasDrafting, counts(round) { course.changes += 1 }
        wasDrafting = order.mayDraft
        guard counts(round) else { continue }
        // On the mean: what is judged are the decisions, not the luck of the draws.
        tokens += world.expected(drafts, round: round).tokens
        let choices = ["goodput", "ratio"].contains(text) ? Array(0...16) : [0, max(1, wanted)]
        best += time * (choices.map { world.rate($0, round: round) }.max() ?? 0)
        if drafts > 0 { course.draftingRounds += 1 }
    }
    course.share = tokens / best
    course.reason = governor.reason
    return course
}

@Suite("The governor is never slower")
struct GovernorTests {
    @Test(
        "A useful drafter goes on, at a cost under 2 % and without flapping",
        arguments: [("goodput", 0.8), ("fixed:gamma=4", 0.8), ("fixed:gamma=8", 0.9), ("heuristic", 0.85)])
    func useful(policy: String, alpha: Double) throws {
        let course = try decode(World(alpha: { _ in alpha }), policy: policy, rounds: 20_000) { $0 >= 2_000 }
        #expect(course.share > 0.98)
        #expect(course.draftingRounds > 17_500 && course.changes < 20)
    }

    @Test(
        "A useless drafter rests, with its probes at a cost under 2 %",
        arguments: ["goodput", "fixed:gamma=4", "fixed:gamma=16", "heuristic"], [0, 0.05, 0.15])
    func useless(policy: String, alpha: Double) throws {
        let course = try decode(World(alpha: { _ in alpha }), policy: policy, rounds: 20_000) { $0 >= 2_000 }
        #expect(course.share > 0.98)
        #expect(course.draftingRounds < 1_800 && course.draftingRounds > 0)
        guard case .slower(let ratio) = course.reason else {
            Issue.record("\(course.reason)")
            return
        }
        #expect(ratio < 1)
    }

    @Test("Where the two are close either will do", arguments: [0.30, 0.34, 0.38, 0.42, 0.46], 1...3)
    func close(alpha: Double, seed: Int) throws {
        let course = try decode(
            World(alpha: { _ in alpha }), policy: "fixed:gamma=1", rounds: 20_000, seed: UInt64(seed)
        ) { $0 >= 2_000 }
        #expect(course.share > 0.98)
    }

    @Test("What the cost model does not know counts as measured: a drafter that takes the verifier's cores rests")
    func disturbed() throws {
        var world = World(alpha: { _ in 0.8 })
        let undisturbed = try decode(world, policy: "fixed:gamma=4", rounds: 20_000) { $0 >= 2_000 }
        #expect(undisturbed.draftingRounds > 17_500)
        world.disturbance = 2.5
        let disturbed = try decode(world, policy: "fixed:gamma=4", rounds: 20_000) { $0 >= 2_000 }
        #expect(disturbed.share > 0.98 && disturbed.draftingRounds < 1_800)
    }

    @Test("A change of load is followed at once", arguments: ["goodput", "fixed:gamma=4"])
    func load(policy: String) throws {
        // To 16 nodes a pass costs next to nothing more; beyond, as much as its nodes.
        var cost = StepCostModel(nodesMax: 64, priorFixed: 90_000, perNode: 10_000)
        for (nodes, time) in [(1, 100_000.0), (16, 120_000), (64, 480_000)] {
            cost.record(nodes: nodes, microseconds: time)
        }
        let world = World(alpha: { _ in 0.6 }, others: { $0 / 1_000 % 2 == 0 ? 0 : 30 }, cost: cost, draft: 15_000)
        let course = try decode(world, policy: policy, rounds: 20_000) { $0 >= 4_000 }
        #expect(course.share > 0.98)
        #expect(course.draftingRounds > 7_000 && course.draftingRounds < 9_000)
    }

    @Test("Acceptance that breaks down and comes back is followed", arguments: ["goodput", "fixed:gamma=4"])
    func drift(policy: String) throws {
        let world = World(alpha: { $0 / 8_000 % 2 == 0 ? 0.85 : 0.05 })
        // Steady: the second half of each phase.
        let course = try decode(world, policy: policy, rounds: 48_000) { $0 % 8_000 >= 4_000 }
        #expect(course.share > 0.98)
        #expect(course.draftingRounds > 11_000 && course.draftingRounds < 13_000)
    }

    @Test("A length that is too long is shortened before drafts rest")
    func shortened() throws {
        // One draft pays, sixteen do not.
        let world = World(alpha: { _ in 0.6 })
        #expect(world.rate(16, round: 0) < world.rate(0, round: 0) && world.rate(1, round: 0) > world.rate(0, round: 0))
        let course = try decode(world, policy: "fixed:gamma=16", rounds: 10_000) { $0 >= 1_000 }
        #expect(course.draftingRounds > 8_500 && course.share > 1)
    }

    @Test("A rule that follows rounds is shortened where shorter ones are faster; a length that was asked for is kept")
    func adapted() throws {
        let world = World(alpha: { _ in 0.8 })
        // Ten drafts take as long as their pass: they are faster than none, and far from what is best.
        #expect(world.rate(10, round: 0) > 1.1 * world.rate(0, round: 0))
        #expect(world.rate(10, round: 0) < 0.8 * world.rate(3, round: 0))
        let ratio = try decode(world, policy: "ratio", rounds: 10_000) { $0 >= 200 }
        #expect(ratio.share > 0.96)
        let fixed = try decode(world, policy: "fixed:gamma=10", rounds: 10_000) { $0 >= 200 }
        #expect(fixed.share > 0.98 && fixed.share < 1.02)
    }

    @Test("Rounds that drafters end by themselves are shortened by what is measured, and tried again")
    func lengthened() {
        // How long they are is not known: the same is expected of both.
        var forecast = Governor.Forecast(plain: 1, speculative: 1.5)
        forecast.endsByItself = true
        var governor = Governor(.adapted)
        /// Rounds until the phase is another one, at most so many, with so many tokens of rounds of their own length.
        func rounds(of tokens: Double, while phase: Governor.Phase, atMost most: Int) -> Int {
            for round in 0..<most {
                let order = governor.next(forecast)
                guard governor.phase == phase else { return round }
                let count = !order.mayDraft ? 10 : order.isShortened ? 15 : tokens
                governor.record(GovernedRound(forecast: forecast, tokens: count, microseconds: 10))
            }
            return most
        }
        #expect(rounds(of: 15, while: .drafting, atMost: 14) == 14, "as fast as expected")
        #expect((2...60).contains(rounds(of: 11, while: .drafting, atMost: 200)))
        #expect(governor.phase == .shortened)
        #expect(governor.reason.description.contains("times as fast as shorter ones: shortened"))
        // For long it stays the slower one and is tried ever more rarely; then it is the faster one, and is seen to be.
        var (tries, late) = (0, 0)
        for round in 0..<14_000 {
            let before = governor.phase
            let order = governor.next(forecast)
            if before == .shortened, governor.phase == .drafting {
                tries += 1
                late += round >= 4_000 ? 1 : 0
            }
            let own = round < 4_000 ? 11 : 18.0
            let count = !order.mayDraft ? 10 : order.isShortened ? 15 : own
            governor.record(GovernedRound(forecast: forecast, tokens: count, microseconds: 10))
        }
        #expect((2...10).contains(tries) && late == 1 && governor.phase == .drafting, "\(tries), \(late)")
    }

    @Test("An order holds the policy, and the reason is a sentence")
    func orders() {
        let (full, short) = (
            Governor.Order(mayDraft: true, isShortened: false), Governor.Order(mayDraft: true, isShortened: true)
        )
        let rest = Governor.Order(mayDraft: false, isShortened: false)
        let conditions = RoundConditions(
            .stream, cost: StepCostModel(nodesMax: 32, priorFixed: 90, perNode: 10), draftMicroseconds: 20,
            roundTripMicroseconds: 0, acceptance: PositionalAcceptance(priorAlpha: 0.8), most: 16)
        #expect(full.drafts(wanted: 12, conditions) == 12 && short.drafts(wanted: 12, conditions) == 6)
        #expect(rest.drafts(wanted: 12, conditions) == 0 && short.drafts(wanted: 0, conditions) == 1)
        #expect(
            Governor.Reason.slower(0.914).description
                == "drafts would decode 0.91 times as fast as plain decoding: resting")
    }

    @Test("Elsewhere it goes on from what is known, and is soon told otherwise")
    func elsewhere() {
        var governor = Governor(.best)
        #expect(governor.phase == .drafting)
        let fair = Governor.Forecast(plain: 1, speculative: 1.2)
        // Half as fast as was forecast.
        for _ in 0..<200 {
            let order = governor.next(fair)
            governor.record(GovernedRound(forecast: fair, tokens: order.mayDraft ? 6 : 10, microseconds: 10))
        }
        #expect(governor.phase == .resting && governor.expectedRatio(fair) < 0.7)
        var other = governor.elsewhere
        #expect(other.phase == .resting && abs(other.expectedRatio(fair) - governor.expectedRatio(fair)) < 0.05)
        var rounds = 0
        while other.phase != .drafting, rounds < 2_000 {
            let order = other.next(fair)
            other.record(GovernedRound(forecast: fair, tokens: order.mayDraft ? 12 : 10, microseconds: 10))
            rounds += 1
        }
        #expect(rounds < 700, "there drafts are as fast as forecast")
    }

    @Test("Who pays before he drafts is told less: the error off, and the forecast at most until eight rounds here")
    func cautious() {
        let fair = Governor.Forecast(plain: 1, speculative: 1.2)
        var governor = Governor(.best)
        // Half again as fast as was forecast.
        func draft(_ governor: inout Governor, rounds: Int) {
            for _ in 0..<rounds {
                _ = governor.next(fair)
                governor.record(GovernedRound(forecast: fair, tokens: 18, microseconds: 10))
            }
        }
        draft(&governor, rounds: 30)
        let (cautious, ratio) = (governor.cautiousRatio(fair), governor.expectedRatio(fair))
        #expect(cautious > 1.2 && cautious < 0.97 * ratio)
        var other = governor.elsewhere
        #expect(other.expectedRatio(fair) > 1.3 && other.cautiousRatio(fair) < 1.2)
        // The first round after a change holds something of what was before.
        draft(&other, rounds: 8)
        #expect(other.cautiousRatio(fair) < 1.2)
        draft(&other, rounds: 8)
        #expect(other.cautiousRatio(fair) > 1.2)
        // Of what is doubted over and over nothing is left, and not less than nothing.
        for _ in 0..<12 { other = other.elsewhere }
        #expect((0..<1).contains(other.cautiousRatio(fair)))
    }

    /// One that has seen drafts take twice as long as forecast, and has saved up for probes.
    private func resting(_ fair: Governor.Forecast) -> Governor {
        var governor = Governor(.best)
        for _ in 0..<6_000 {
            let order = governor.next(fair)
            governor.record(GovernedRound(forecast: fair, tokens: order.mayDraft ? 6 : 10, microseconds: 10))
        }
        while governor.phase != .resting {
            _ = governor.next(fair)
            governor.record(GovernedRound(forecast: fair, tokens: 6, microseconds: 10))
        }
        return governor
    }

    /// Plain rounds until it probes, at most 64.
    private func rounds(untilProbing governor: inout Governor, _ fair: Governor.Forecast) -> Int {
        for round in 0..<64 {
            _ = governor.next(fair)
            if governor.phase == .probing { return round }
            governor.record(GovernedRound(forecast: fair, tokens: 10, microseconds: 10))
        }
        return 64
    }

    @Test("Under another load it soon looks for itself, from the one credit that there is")
    func soonElsewhere() {
        let fair = Governor.Forecast(plain: 1, speculative: 1.2)
        let governor = resting(fair)
        var rich = governor.elsewhere
        rich.resume(after: governor)
        #expect(rounds(untilProbing: &rich, fair) < 24)
        var spent = Governor(.best)
        for _ in 0..<100 {
            let order = spent.next(fair)
            spent.record(GovernedRound(forecast: fair, tokens: order.mayDraft ? 6 : 10, microseconds: 10))
        }
        var poor = governor.elsewhere
        poor.resume(after: spent)
        #expect(rounds(untilProbing: &poor, fair) == 64)
    }

    @Test("A probe in which nothing can be measured is given up, and teaches nothing")
    func disturbedProbe() {
        let fair = Governor.Forecast(plain: 1, speculative: 1.2)
        let last = resting(fair)
        var governor = last.elsewhere
        governor.resume(after: last)
        _ = rounds(untilProbing: &governor, fair)
        #expect(governor.phase == .probing)
        let known = governor.expectedRatio(fair)
        var probed = 0
        while governor.phase == .probing, probed < 20 {
            governor.record(GovernedRound(forecast: fair, tokens: 40, microseconds: 10, isTypical: false))
            probed += 1
        }
        #expect(governor.phase == .resting && probed < 8)
        #expect(abs(governor.expectedRatio(fair) - known) < 1e-9)
    }

    @Test("A forecast counts the drafts of the jobs that draft alike")
    func peers() {
        let cost = StepCostModel(nodesMax: 64, priorFixed: 90, perNode: 10)
        func rates(others: Int, peers: Int) -> Governor.Forecast {
            Governor.Forecast(
                RoundConditions(
                    .stream, cost: cost, draftMicroseconds: 0, roundTripMicroseconds: 0,
                    acceptance: PositionalAcceptance(priorAlpha: 0.5), others: others, peers: peers, most: 16),
                drafts: 3)
        }
        // 1 + ½ + ¼ + ⅛ tokens of each job that drafts, in passes of 4 nodes for each.
        // Seven of eight such passes hold a rejection, and one of plain tokens follows.
        let bare = 0.875
        #expect(abs(rates(others: 3, peers: 3).speculative - 4 * (1.875 + bare) / (250 + bare * 130)) < 1e-9)
        let two = 2 * (1 + bare) + 2 * (1.875 + bare)
        #expect(abs(rates(others: 3, peers: 1).speculative - two / (190 + bare * 130)) < 1e-9)
        #expect(rates(others: 3, peers: 3).plain == 4.0 / 130)
    }

    @Test("Rounds without time or forecast change nothing")
    func nonsense() {
        var governor = Governor()
        let fair = Governor.Forecast(plain: 1, speculative: 2)
        for round in [
            GovernedRound(forecast: fair, tokens: 3, microseconds: 0),
            GovernedRound(forecast: fair, tokens: 3, microseconds: .nan),
            GovernedRound(forecast: Governor.Forecast(plain: 0, speculative: 2), tokens: 3, microseconds: 1),
        ] { for _ in 0..<100 { governor.record(round) } }
        #expect(governor.next(fair).mayDraft && governor.reason == .notMeasured)
        #expect(governor.next(Governor.Forecast(plain: .nan, speculative: 0)).mayDraft)
    }
}
