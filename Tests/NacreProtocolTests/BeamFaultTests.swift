import NacreCore
import NacreProtocol
import Testing

/// What becomes of beams where something goes wrong: a full cache, a drafter that lies, what cannot fit.
@Suite struct BeamFaultTests {
    private static func beam(_ width: Int) -> Speculation { Speculation(.beam, beams: BeamSettings(width: width)) }

    private static func dsbd(_ width: Int) -> Speculation {
        Speculation(.dsbd, gamma: 2, shape: .forest(draws: 2), beams: BeamSettings(width: width))
    }

    private static func assignment(
        _ speculation: Speculation, tokensMax: Int = 100, job: UInt64 = 1
    ) -> VerifierMachine.Input {
        let sampling: SamplingPolicy = speculation.method.usesBeams ? SamplingPolicy(temperature: 1) : .greedy
        return .control(
            .assignJob(VerifierRig.assignment(speculation, sampling: sampling, tokensMax: tokensMax, job: job)))
    }

    /// Ends the pass in flight: rows under which all of 64 tokens are as likely, and 50 where a choice is asked for.
    @discardableResult
    private func answer(_ rig: inout VerifierRig) throws -> [VerifierMachine.Effect] {
        let law = try #require(Distribution(weights: (0..<100).map { $0 < 64 ? 1 : 0 }))
        let requests = (rig.pass?.nodes ?? []).compactMap(\.score)
        return rig.answer(
            requests.map { request in
                if case .law = request.kind { .law(law) } else { .choice(Choice(token: 50, margin: 1)) }
            })
    }

    @Test("Passes that a full cache refused leave no branch taken")
    func refusedTwice() throws {
        var rig = VerifierRig(branches: 4)
        rig.step(Self.assignment(Self.beam(3)))
        for job in [2, 3] as [UInt64] { rig.step(Self.assignment(Speculation(.autoregressive), job: job)) }
        // Three beams that were one a step ago begin with two forks.
        try answer(&rig)
        try answer(&rig)
        #expect(rig.pass?.nodes.count { $0.position == 2 } == 5, "three beams and two texts")
        for left in [2, 1] {
            rig.end(.cacheFull)
            #expect(rig.machine.jobCount == left && rig.pass != nil)
            #expect(rig.cache.texts.keys.filter { $0.rawValue >= 4 }.count == 3)
        }
        for _ in 0..<4 { try answer(&rig) }
        #expect(rig.cache.texts.keys.filter { $0.rawValue >= 4 }.count <= 3)
    }

    /// The jobs that a full cache ends now.
    private func ended(_ rig: inout VerifierRig) -> [UInt64] {
        rig.end(.cacheFull).compactMap {
            guard case .toCoordinator(.jobEnded(let ended)) = $0, ended.reason == .cacheFull else { return nil }
            return ended.job.low
        }
    }

    @Test("The youngest job gives way, beams or not, unless beams hold more than one text may")
    func victims() throws {
        for (order, victim) in [([1, 2], 2), ([2, 1], 1)] as [([UInt64], UInt64)] {
            var rig = VerifierRig(branches: 8)
            for job in order {
                rig.step(Self.assignment(job == 1 ? Self.beam(4) : Speculation(.autoregressive), job: job))
            }
            for _ in 0..<3 { try answer(&rig) }
            #expect(ended(&rig) == [victim], "\(order)")
        }
        // Four beams take some seventeen cells for seven tokens and the prompt; a text has twelve.
        var rig = VerifierRig(branches: 8, contextMax: 12)
        rig.step(Self.assignment(Self.beam(4), tokensMax: 10))
        rig.step(Self.assignment(Speculation(.autoregressive), tokensMax: 10, job: 2))
        for _ in 0..<8 { try answer(&rig) }
        #expect(ended(&rig) == [1] && rig.machine.jobCount == 1)
    }

    @Test("A beam's token outside the vocabulary is the fault of the verifier that names it")
    func foreignToken() {
        for (token, isFault) in [(99, false), (100, true)] as [(TokenID, Bool)] {
            var rig = DrafterRig(branches: 4)
            rig.open(0, shape: .forest(draws: 2))
            var verdict = Verdict(stream: 0, nextEpoch: 1, tokens: [], committed: 3, positionLimit: 5)
            verdict.beams = [BeamStep(parent: 0, tokens: [token])]
            #expect(rig.step(.received(1, .verdict(verdict))).contains("goodbye protocolError") == isFault)
        }
    }
}
