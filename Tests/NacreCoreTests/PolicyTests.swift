import NacreCore
import RealModule
import Testing

/// Statistics of which only the entropy is known.
private func nats(_ entropy: Double) -> TokenStatistics { TokenStatistics(entropy: entropy) }

private func policy(_ text: String, key: UInt64 = 1) throws -> DraftLengthPolicy {
    DraftLengthPolicy(try PolicySpecification(parsing: text), key: StreamKey(rawValue: key))
}

private func conditions(
    _ pacing: RoundConditions.Pacing = .turns, alpha: Double = 0.8, fixed: Double = 90_000, perNode: Double = 10_000,
    draft: Double = 20_000, roundTrip: Double = 0, others: Int = 0, most: Int = 64
) -> RoundConditions {
    RoundConditions(
        pacing, cost: StepCostModel(nodesMax: 128, priorFixed: fixed, perNode: perNode), draftMicroseconds: draft,
        roundTripMicroseconds: roundTrip, acceptance: PositionalAcceptance(priorAlpha: alpha), others: others,
        most: most)
}

@Suite("Draft-length policies follow their papers")
struct PolicyTests {
    @Test("fixed drafts γ in every round, within its bounds and the room there is")
    func fixed() throws {
        var four = try policy("fixed")
        #expect(four.draftLength(conditions()) == 4)
        four.observe(RoundOutcome(drafted: 4, accepted: 0))
        #expect(four.draftLength(conditions()) == 4 && four.draftLength(conditions(most: 2)) == 2)
        var bounded = try policy("fixed:gamma=20,max=7")
        #expect(bounded.draftLength(conditions()) == 7)
        #expect(bounded.mayDraw(nats(9), at: DraftPlace(depth: 6)) == true)
        #expect(bounded.mayDraw(nats(0), at: DraftPlace(depth: 7)) == false)
    }

    @Test("ratio takes the smallest γ that takes as long to draft as to verify")
    func ratio() throws {
        var ratio = try policy("ratio")
        #expect(ratio.draftLength(conditions(fixed: 100_000, perNode: 0)) == 5)
        // 20γ ≥ 90 + 10γ, and with a node of another job 20γ ≥ 100 + 10γ.
        #expect(ratio.draftLength(conditions()) == 9 && ratio.draftLength(conditions(others: 1)) == 10)
        #expect(ratio.draftLength(conditions(draft: 5_000, most: 12)) == 12)
        #expect(ratio.draftLength(conditions(draft: 0)) == 4)
    }

    @Test("heuristic goes two up after full acceptance, else one down, and not below one")
    func heuristic() throws {
        var heuristic = try policy("heuristic")
        var lengths: [Int] = []
        for (drafted, accepted) in [(5, 5), (7, 7), (9, 8), (8, 0), (7, 7), (0, 0)] {
            lengths.append(heuristic.draftLength(conditions()))
            heuristic.observe(RoundOutcome(drafted: drafted, accepted: accepted))
        }
        #expect(lengths == [5, 7, 9, 8, 7, 9])
        for _ in 0..<30 { heuristic.observe(RoundOutcome(drafted: 2, accepted: 0)) }
        #expect(heuristic.draftLength(conditions()) == 1)
        // Where there is room for three, full rounds do not count up what one rejection could not take back.
        for _ in 0..<30 {
            #expect(heuristic.draftLength(conditions(most: 3)) <= 3)
            heuristic.observe(RoundOutcome(drafted: 3, accepted: 3))
        }
        #expect(heuristic.draftLength(conditions()) <= 5)
    }

    @Test("threshold keeps an improbable draft and stops, or drops it; a probable one goes on")
    func threshold() throws {
        let place = DraftPlace(depth: 0)
        var keeping = try policy("threshold")
        var dropping = try policy("threshold:theta=0.75,keep=0")
        #expect(keeping.drew(nats(0), probability: 0.29, at: place) == .keepThenStop)
        #expect(keeping.drew(nats(0), probability: 0.3, at: place) == .goOn)
        #expect(dropping.drew(nats(0), probability: 0.7, at: place) == .dropThenStop)
        #expect(dropping.drew(nats(0), probability: 0.75, at: place) == .goOn)
        #expect(keeping.isNonAnticipating && !dropping.isNonAnticipating)
        // Unknown is no reason to stop.
        #expect(keeping.drew(nats(.nan), probability: .nan, at: place) == .goOn)
        var adaptive = try policy("threshold:adapt=1,epsilon=0.5")
        for _ in 0..<20 { adaptive.observe(RoundOutcome(drafted: 4, accepted: 0)) }
        #expect(adaptive.drew(nats(0), probability: 0.9, at: place) == .keepThenStop)
    }

    @Test("adaedl stops above (1 − λ)² / g nats, before the draw")
    func adaedl() throws {
        for (lambda, entropy) in [("0.3", 2.45), ("0.7", 0.45)] {
            var policy = try policy("adaedl:lambda=\(lambda)")
            #expect(policy.mayDraw(nats(entropy - 1e-9), at: DraftPlace(depth: 0)) == true)
            #expect(policy.mayDraw(nats(entropy + 1e-9), at: DraftPlace(depth: 0)) == false)
            #expect(policy.mayDraw(nats(.nan), at: DraftPlace(depth: 0)) == true)
        }
    }

    @Test("adaedl moves λ as the update says")
    func adaedlUpdate() throws {
        var policy = AdaEDL(
            try PolicySpecification(parsing: "adaedl:lambda=0.4").parameters, key: StreamKey(rawValue: 0))
        // ρ: .9 → .7, .85, .925, .9625 against a target of .9.
        let rounds = [(4, 2, false, 0.401), (4, 4, true, 0.402), (4, 4, true, 0.402), (4, 4, false, 0.401)]
        for (drafted, accepted, hitLimit, lambda) in rounds {
            policy.observe(RoundOutcome(drafted: drafted, accepted: accepted, hitLimit: hitLimit))
            #expect(abs(policy.lambda - lambda) < 1e-12)
        }
        let before = policy.lambda
        policy.observe(RoundOutcome(drafted: 0, accepted: 0))
        #expect(policy.lambda == before)
    }

    @Test("svip keeps the token and stops above h² / c nats, and no round is longer than 32")
    func svip() throws {
        var svip = try policy("svip:h=0.3")
        var initial = try policy("svip")
        #expect(initial.drew(nats(2.4 - 1e-9), probability: 1, at: DraftPlace(depth: 0)) == .goOn)
        #expect(initial.drew(nats(2.4 + 1e-9), probability: 1, at: DraftPlace(depth: 0)) == .keepThenStop)
        #expect(svip.drew(nats(0.6 - 1e-9), probability: 1, at: DraftPlace(depth: 0)) == .goOn)
        #expect(svip.drew(nats(0.6 + 1e-9), probability: 1, at: DraftPlace(depth: 0)) == .keepThenStop)
        #expect(svip.drew(nats(0), probability: 1, at: DraftPlace(depth: 39)) == .keepThenStop)
        #expect(svip.mayDraw(nats(0), at: DraftPlace(depth: 40)) == false)
    }

    @Test("min keeps a stop rule from being heard, max ends every round")
    func bounds() throws {
        var svip = try policy("svip:min=3,max=4")
        let steps = (0..<4).map { svip.drew(nats(5), probability: 0, at: DraftPlace(depth: $0)) }
        #expect(steps == [.goOn, .goOn, .keepThenStop, .keepThenStop])
        var dropping = try policy("threshold:keep=0,min=2")
        let drops = (0..<3).map { dropping.drew(nats(5), probability: 0, at: DraftPlace(depth: $0)) }
        #expect(drops == [.goOn, .goOn, .dropThenStop])
        var adaedl = try policy("adaedl:min=2")
        #expect((0..<3).map { adaedl.mayDraw(nats(9), at: DraftPlace(depth: $0)) } == [true, true, false])
        var goodput = try policy("goodput:min=2")
        #expect(goodput.draftLength(conditions(fixed: 0, draft: 1e6)) == 2)
    }

    @Test("ema moves one tier at a time, after ten rounds, every five")
    func ema() throws {
        var ema = try policy("ema")
        func after(_ rounds: Int, drafted: Int, accepted: Int) -> Int {
            for _ in 0..<rounds { ema.observe(RoundOutcome(drafted: drafted, accepted: accepted)) }
            return ema.draftLength(conditions())
        }
        #expect(after(14, drafted: 3, accepted: 3) == 3)
        #expect(after(1, drafted: 3, accepted: 3) == 7)
        #expect(after(4, drafted: 7, accepted: 0) == 7)
        // The mean was 3 and is now 3 · 0.8⁵ < 3 − ½ − ¼.
        #expect(after(1, drafted: 7, accepted: 0) == 3)
        #expect(after(20, drafted: 3, accepted: 0) == 1)
        #expect(after(5, drafted: 1, accepted: 1) == 3)
    }

    @Test(
        "goodput finds the optimum of speculative decoding",
        arguments: [(0.7, 0.1, 1.0), (0.8, 0.2, 1), (0.9, 0.05, 1.3)])
    func goodputInTurns(alpha: Double, perDraft: Double, perRound: Double) throws {
        var goodput = try policy("goodput")
        // u = t_q + B and w = A + B + 2d.
        let conditions = conditions(
            alpha: alpha, fixed: (perRound - 0.3) * 1e6 - perDraft * 0.25e6, perNode: perDraft * 0.25e6,
            draft: perDraft * 0.75e6, roundTrip: 0.3e6)
        let best = ThroughputModel.optimalGamma(alpha: alpha, perDraft: perDraft, perRound: perRound)
        #expect(abs(Double(goodput.draftLength(conditions)) - best) < 1)
    }

    @Test("goodput equals the batch cap in the stream, PEARL's best window in lock step, and 0 where nothing pays")
    func goodputOverlapped() throws {
        var goodput = try policy("goodput")
        for (alpha, nodes) in [(0.8, 7), (0.9, 11), (0.6, 4)] {
            #expect(goodput.draftLength(conditions(.stream, alpha: alpha)) == nodes - 1)
        }
        // Where passes cost the same whatever they hold, PEARL's best of 10.4.
        let flat = conditions(.lockStep, perNode: 0, roundTrip: 10_000)
        let model = ThroughputModel(
            alpha: 0.8, cost: flat.cost, draftMicroseconds: 20_000, delayMicroseconds: 5_000)
        let gamma = goodput.draftLength(flat)
        #expect(gamma >= 2 && (2...64).allSatisfy { model.pearl(gamma: $0) <= model.pearl(gamma: gamma) })
        for gamma in 2...8 {
            let rate = 1e6 * flat.tokensPerMicrosecond(drafts: gamma)
            #expect(abs(rate / model.pearl(gamma: gamma) - 1) < 1e-9)
        }
        // Where nodes cost, a pre-verify costs less: 2 tokens in a pass of one and two thirds of a pass of two.
        let steps = conditions(.lockStep, alpha: 0.5, draft: 1)
        #expect(abs(steps.tokensPerMicrosecond(drafts: 2) * (100_000 + 110_000 * 2 / 3) / 2 - 1) < 1e-9)
        // A pass that costs as much as its nodes, a drafter as slow as the target, and a way that takes too long.
        #expect(goodput.draftLength(conditions(.stream, fixed: 0)) == 0)
        for pacing in RoundConditions.Pacing.allCases where pacing != .stream {
            #expect(goodput.draftLength(conditions(pacing, draft: 200_000)) == 0)
            #expect(goodput.draftLength(conditions(pacing, roundTrip: 5e6)) == 0)
        }
        // Load: the more jobs share the pass, the less a draft is worth.
        let lengths = [0, 1, 4, 16].map { goodput.draftLength(conditions(.stream, others: $0)) }
        #expect(zip(lengths, lengths.dropFirst()).allSatisfy { $0 >= $1 } && lengths[0] > lengths[3])
        let knee = StepCostModel(nodesMax: 8, priorFixed: 0, perNode: 10_000)
        let loaded = RoundConditions(
            .stream, cost: knee, draftMicroseconds: 0, roundTripMicroseconds: 0, acceptance: PositionalAcceptance(),
            others: 8, most: 8)
        #expect(goodput.draftLength(loaded) == 0)
    }

    @Test("goodput stops at the position behind which acceptance breaks down")
    func goodputByPosition() throws {
        var acceptance = PositionalAcceptance()
        for _ in 0..<400 { acceptance.record(accepted: 2, rejected: true) }
        #expect(acceptance[0] > 0.9 && acceptance[1] > 0.9 && acceptance[2] < 0.15)
        // Never seen: the rate of all.
        #expect(acceptance[20] == acceptance.alpha)
        var goodput = try policy("goodput")
        var conditions = conditions(.stream)
        conditions.acceptance = acceptance
        #expect(goodput.draftLength(conditions) == 2)
    }

    @Test("the best length that was searched for holds until something changes")
    func bestIsKept() {
        var sure = PositionalAcceptance()
        for _ in 0..<400 { sure.record(accepted: 4, rejected: false) }
        let changes: [(inout RoundConditions) -> Void] = [
            { $0.pacing = .lockStep }, { $0.cost = StepCostModel(nodesMax: 64, priorFixed: 1, perNode: 1_000) },
            { $0.draftMicroseconds = 1e6 }, { $0.roundTripMicroseconds = 1e6 }, { $0.acceptance = sure },
            { $0.others = 40 }, { ($0.others, $0.peers) = (40, 40) }, { $0.most = 1 },
        ]
        for (number, change) in changes.enumerated() {
            var kept = conditions(.turns)
            kept.findBest()
            let before = kept.best.tokensPerMicrosecond
            #expect(before == conditions(.turns).best.tokensPerMicrosecond)
            change(&kept)
            var fresh = conditions(.turns)
            change(&fresh)
            let after = kept.best.tokensPerMicrosecond
            #expect(after == fresh.best.tokensPerMicrosecond && after != before, "change \(number)")
        }
    }

    @Test("The statistics of a row are those of its law")
    func statistics() throws {
        let half = TokenStatistics(try WeightRow([.init(3, 1), .init(5, 4), .init(9, 3)]))
        #expect(half.topProbability == 0.5 && abs(half.margin - Double.log(4.0 / 3)) < 1e-15)
        let entropy = -(0.125 * Double.log(0.125) + 0.5 * Double.log(0.5) + 0.375 * Double.log(0.375))
        #expect(abs(half.entropy - entropy) < 1e-15)
        let sure = TokenStatistics(try WeightRow([.init(3, 7)]))
        #expect(sure == TokenStatistics(entropy: 0, topProbability: 1, margin: .infinity))
    }

    // MARK: - Thompson sampling

    @Test("thompson learns which doubt stands, and drafts on there only")
    func thompsonLearns() throws {
        var random = SplitMix(seed: 4)
        var thompson = try policy("thompson:worth=0.5")
        var drafts = (sure: 0, unsure: 0)
        for round in 0..<3_000 {
            let isSure = round.isMultiple(of: 2)
            var depth = 0
            while depth < 8 {
                let entropy = isSure ? random.uniform() * 0.1 : 2 + random.uniform()
                guard thompson.mayDraw(nats(entropy), at: DraftPlace(depth: depth)) else { break }
                depth += 1
            }
            if round >= 1_000 {
                if isSure { drafts.sure += depth } else { drafts.unsure += depth }
            }
            var accepted = 0
            while accepted < depth, random.uniform() < (isSure ? 0.97 : 0.1) { accepted += 1 }
            thompson.observe(RoundOutcome(drafted: depth, accepted: accepted))
        }
        #expect(drafts.sure > 5 * 1_000 && drafts.unsure < 500)
    }

    @Test("thompson counts accepted and first rejected drafts, nothing behind them, and forgets")
    func thompsonCounts() throws {
        let parameters = try PolicySpecification(parsing: "thompson:worth=0.000001").parameters
        var thompson = ThompsonSampling(parameters, key: StreamKey(rawValue: 9))
        for depth in 0..<5 { _ = thompson.mayDraw(nats(.nan), at: DraftPlace(depth: depth)) }
        // Two stand and say so, without an end of the round; then one more stands and one falls.
        thompson.observe(RoundOutcome(drafted: 2, accepted: 2))
        thompson.observe(RoundOutcome(drafted: 3, accepted: 1))
        let level = ThompsonSampling.levels / 2
        #expect(thompson.a[level] == 2 + 3 && thompson.b[level] == 2 + 1)
        #expect(thompson.a.reduce(0, +) == 16 + 3 && thompson.b.reduce(0, +) == 16 + 1)
        for _ in 0..<30 {
            for depth in 0..<2 { _ = thompson.mayDraw(nats(.nan), at: DraftPlace(depth: depth)) }
            thompson.observe(RoundOutcome(drafted: 2, accepted: 2))
        }
        // 64 updates: 63 successes and a failure, a tenth of each forgotten.
        #expect(abs(thompson.a[level] - (2 + 0.9 * 63)) < 1e-9 && abs(thompson.b[level] - 2.9) < 1e-9)
    }

    @Test("thompson decides by its key alone, and another key decides otherwise")
    func thompsonReplays() throws {
        func decisions(_ key: UInt64) throws -> [Bool] {
            var thompson = try policy("thompson:worth=0.5", key: key)
            return (0..<200).map { thompson.mayDraw(nats(Double($0 % 7)), at: DraftPlace(depth: 0)) }
        }
        #expect(try decisions(1) == decisions(1))
        #expect(try decisions(1) != decisions(2))
    }

    /// Prior (κ, κ), one draft a round: θ ≥ w has the probability of the Beta tail, for κ = 1 just 1 − w and for κ = 2
    /// 1 − 3w² + 2w³.
    @Test(
        "thompson draws θ from the Beta law",
        arguments: [(1.0, 0.3, 0.7), (1, 0.8, 0.2), (2, 0.3, 0.784), (2, 0.75, 0.15625)])
    func thompsonBeta(kappa: Double, worth: Double, probability: Double) throws {
        var thompson = try policy("thompson:kappa=\(kappa),worth=\(worth)")
        let samples = 40_000
        let passed = (0..<samples).count { _ in thompson.mayDraw(nats(.nan), at: DraftPlace(depth: 0)) }
        let deviation = (probability * (1 - probability) / Double(samples)).squareRoot()
        #expect(abs(Double(passed) / Double(samples) - probability) < 5 * deviation)
    }
}
