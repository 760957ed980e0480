import NacreCore
import NacreProtocol
import Testing

private typealias Rig = CoordinatorRig

/// Jobs with beams as the coordinator places them and takes what they end with.
@Suite struct BeamPlacementTests {
    private static let beams = Speculation(.beam, beams: BeamSettings(width: 4))
    private static let other = JobID(high: 0, low: 9)

    private func refuse(_ rig: inout Rig, _ link: LinkID, _ attempt: Attempt) {
        rig.step(.received(link, .jobRefused(JobRefused(job: Rig.job, attempt: attempt, reason: .noRoom))))
    }

    @Test("a verifier that the job does not suit is not asked again; only when no other is left the job fails")
    func unsuited() {
        var rig = Rig()
        rig.join(1, .verifier)
        rig.join(2, .verifier)
        rig.submit(Self.beams)
        #expect(rig.placed?.link == 1)
        rig.end(1, 1, .unsuited, detail: "too many beams")
        #expect(rig.placed?.link == 2 && rig.record?.attemptsLost == 0)
        rig.end(2, 2, .unsuited, detail: "no branches")
        #expect(rig.record?.outcome == .failed("no branches"))
    }

    @Test("the job waits for a verifier that suits it and is full")
    func unsuitedAndFull() {
        var rig = Rig()
        rig.join(1, .verifier)
        rig.join(2, .verifier)
        rig.submit(job: Self.other)
        rig.submit(Self.beams)
        rig.end(2, 1, .unsuited)
        #expect(rig.placed == nil && rig.record?.state == .queued)
        rig.end(1, 1, .length, job: Self.other)
        #expect(rig.placed?.link == 1)
    }

    @Test("a verifier without room for the beams is not asked again before something has changed there")
    func noRoom() {
        var rig = Rig()
        rig.join(1, .verifier, sequences: 2)
        rig.submit(job: Self.other)
        rig.submit(Self.beams)
        refuse(&rig, 1, 1)
        rig.wait(200)
        rig.wait(1_000)
        #expect(rig.placed == nil && rig.record?.state == .queued)
        rig.end(1, 1, .length, job: Self.other)
        #expect(rig.placed?.link == 1 && rig.placed?.assignment.attempt == 2)
    }

    @Test("beam sampling without drafts holds no drafter; with them it does", arguments: [DecodingMethod.beam, .dsbd])
    func drafters(_ method: DecodingMethod) {
        var rig = Rig()
        rig.join(1, .verifier)
        rig.join(2, .drafter)
        let shape: DraftShape = method == .dsbd ? .forest(draws: 4) : .chain
        rig.submit(Speculation(method, shape: shape, beams: BeamSettings(width: 4)))
        #expect(rig.placed?.assignment.offers.count == (method == .dsbd ? 1 : 0))
    }

    @Test("another verifier is asked first")
    func otherFirst() {
        var rig = Rig()
        rig.join(1, .verifier, sequences: 2)
        rig.submit(job: Self.other)
        rig.join(2, .verifier, sequences: 2)
        rig.submit(Self.beams)
        #expect(rig.placed?.link == 2)
        refuse(&rig, 2, 1)
        rig.wait(200)
        #expect(rig.placed?.link == 1)
    }

    @Test("more answers than were asked for, or ends that are none, are a fault of the verifier")
    func answers() {
        func answer(_ tokens: [TokenID], hasEnded: Bool) -> BeamAnswer {
            BeamAnswer(tokens: tokens, logLikelihood: -1, hasEnded: hasEnded)
        }
        // 2 ends the text.
        let ways: [(answers: [BeamAnswer], isFault: Bool)] = [
            ([answer([0, 1], hasEnded: false)], false), ([answer([0, 2], hasEnded: true)], false),
            ([answer([0, 1], hasEnded: false), answer([1, 1], hasEnded: false)], true),
            ([answer([0, 1], hasEnded: true)], true), ([answer([0, 2], hasEnded: false)], true),
            ([answer([2, 0], hasEnded: false)], true),
        ]
        for (answers, isFault) in ways {
            var rig = Rig()
            rig.join(1, .verifier)
            rig.submit(Self.beams)
            rig.end(1, 1, answers[0].hasEnded ? .endOfGeneration : .length, answers: answers)
            #expect((rig.record?.isOver == true) == !isFault, "\(answers)")
            #expect(rig.machine.nodes.isEmpty == isFault, "\(answers)")
        }
    }
}
