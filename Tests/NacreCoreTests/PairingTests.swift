import NacreCore
import Testing

@Suite("What a drafter promises a verifier")
struct PairingTests {
    /// Passes of 100 ms whatever they hold, drafts of 10 ms, half of which stand.
    private func model(way: Double = 0, draft: Double = 10_000) -> ThroughputModel {
        ThroughputModel(
            alpha: 0.5, cost: StepCostModel(nodesMax: 32, priorFixed: 100_000, perNode: 0), draftMicroseconds: draft,
            delayMicroseconds: way / 2)
    }

    @Test("in turns: the best length of vanilla speculative decoding")
    func turns() {
        // 1 + ½ + ¼ tokens with two drafts in 120 ms; one draft and three bring less.
        let pairing = Pairing(model(), isInTurns: true, sharesMemory: true)
        #expect(abs(pairing.gain - 1.75 / 1.2) < 1e-9)
        let far = Pairing(model(way: 50_000), isInTurns: true, sharesMemory: false)
        #expect(abs(far.gain - 1.875 / 1.8) < 1e-9, "with so long a way three drafts are best")
    }

    @Test("overlapped: more than in turns, less on one host, nothing by a way of many passes")
    func overlapped() {
        let apart = Pairing(model(), isInTurns: false, sharesMemory: false)
        let near = Pairing(model(), isInTurns: false, sharesMemory: true)
        #expect(apart.gain > 1.75 / 1.2 && apart.gain < 2, "two tokens from one rejection to the next, a pass or more")
        #expect(abs(apart.gain / near.gain - PlacementQuestion.disturbance) < 1e-9)
        let far = Pairing(model(way: 2_000_000), isInTurns: false, sharesMemory: false)
        #expect(far.gain < 1.01)
        #expect(
            Pairing(model(way: 2_000), isInTurns: true, sharesMemory: false).description
                == "1.43 times plain decoding expected in turns: a pass 100.0 ms, a draft 10.0 ms, the way and back "
                + "2.0 ms, acceptance 0.5")
    }

    @Test("grades count from the best there is, by three percent, and what is no rate is the last")
    func grades() {
        let pairing = Pairing(model(), isInTurns: true, sharesMemory: true)
        for (share, grade) in [(1, 0), (1.02, 0), (1.04, 1), (1.07, 2), (0.9, 0)] as [(Double, Int)] {
            #expect(Pairing.grade(of: pairing.gain, below: share * pairing.gain) == grade, "\(share)")
        }
        let nothing = Pairing(model(way: 1e300), isInTurns: true, sharesMemory: false)
        #expect(Pairing.grade(of: nothing.gain, below: 2) == 1_000)
        #expect(Pairing.grade(of: nothing.gain, below: .infinity) <= 1_000)
    }
}
