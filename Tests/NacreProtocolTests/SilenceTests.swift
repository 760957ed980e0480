import NacreCore
import NacreProtocol
import Testing

/// Nothing waits long for a drafter: the job goes on alone.
@Suite struct SilenceTests {
    /// Ticks for so many milliseconds; what the machine did meanwhile.
    private func wait(_ rig: inout VerifierRig, _ milliseconds: Int) -> [VerifierMachine.Effect] {
        var all: [VerifierMachine.Effect] = []
        for _ in 0..<milliseconds / 100 {
            rig.now = rig.now + Instant.milliseconds(100)
            all += rig.step(.tick)
        }
        return all
    }

    @Test("a drafter that hangs is given up after a second", arguments: [DecodingMethod.speculative, .pearl, .stream])
    func hung(method: DecodingMethod) {
        var rig = VerifierRig()
        rig.begin(method, gamma: 4)
        if rig.pass != nil { rig.choose([50]) }
        #expect(wait(&rig, 900).goodbyes.isEmpty)
        let answer = wait(&rig, 300)
        #expect(answer.goodbyes == [.tooSlow])
        // The job goes on by itself, token for token, and asks for another drafter.
        for token in [60, 61, 62] as [TokenID] { #expect(rig.choose([token]).commits == [[token]]) }
        #expect((answer + wait(&rig, 200)).hires == 1)
    }

    @Test("one whose search is sent when it is over has more time, but not so much as it has layers")
    func hungSearch() {
        for (gamma, seconds) in [(2, 2), (32, 4)] {
            var rig = VerifierRig(branches: 4)
            rig.begin(Speculation(.mtad, gamma: gamma, shape: .beams(width: 2, onePath: true)))
            #expect(wait(&rig, seconds * 1_000 - 100).goodbyes.isEmpty)
            let details = wait(&rig, 300).compactMap {
                if case .closeDrafter(_, let goodbye) = $0 { goodbye.detail } else { nil }
            }
            #expect(details == ["silent for more than \(seconds)000 ms"])
            #expect(rig.choose([60]).commits == [[60]])
        }
    }

    @Test("a drafter that talks of what is over is as good as silent")
    func talkative() {
        var rig = VerifierRig()
        rig.begin(.speculative, gamma: 2)
        rig.draft([11, 12], end: .windowFull)
        rig.choose([90, 91, 92])
        var answer: [VerifierMachine.Effect] = []
        for _ in 0..<12 {
            // Drafts of the epoch that the verdict ended, as if it had not been heard.
            answer += rig.say([13])
            answer += wait(&rig, 100)
        }
        #expect(answer.goodbyes == [.tooSlow])
        #expect(rig.choose([60]).commits == [[60]])
    }

    @Test("the verdict that PEARL held for a hung drafter is not lost")
    func heldVerdict() {
        var rig = VerifierRig()
        rig.begin(.pearl, gamma: 4)
        rig.draft([11, 12])
        #expect(rig.choose([50]).commits.isEmpty)
        #expect(wait(&rig, 1_200).commits == [[50]])
    }

    @Test("a drafter with nothing to say is not silent")
    func nothingOwed() {
        var rig = VerifierRig()
        rig.begin(.speculative, gamma: 2)
        rig.draft([11, 12], end: .windowFull)
        // The pass takes its time; the drafter waits for the verdict as it must.
        #expect(wait(&rig, 5_000).goodbyes.isEmpty)
        #expect(rig.choose([11, 12, 13]).goodbyes.isEmpty)
        #expect(wait(&rig, 900).goodbyes.isEmpty)
        #expect(wait(&rig, 300).goodbyes == [.tooSlow])
    }

    @Test("a drafter that never answers the greeting costs the job nothing")
    func noGreeting() {
        var rig = VerifierRig()
        rig.step(.control(.assignJob(VerifierRig.assignment(.speculative, gamma: 4))))
        rig.step(.dialed(address: VerifierRig.drafter))
        rig.choose([])
        #expect(rig.choose([50]).commits == [[50]])
        #expect(wait(&rig, 1_200).goodbyes == [.tooSlow])
    }

    @Test("a drafter whose context is too short is not asked for again; one without room is, after a second")
    func refusals() {
        for (reason, hires) in [(CloseReason.contextTooLong, 0), (.noRoom, 1), (.engineFailed, 1)] {
            var rig = VerifierRig()
            rig.begin(.stream, gamma: 4)
            rig.step(rig.data(.draftClose(DraftClose(stream: 0, reason: reason))))
            #expect(wait(&rig, 900).hires == 0)
            #expect(wait(&rig, 3_000).hires == hires)
            #expect(rig.choose([50]).commits == [[50]])
        }
    }

    @Test("a drafter unsuited to the job is at no fault; another is asked for soon")
    func unsuited() {
        var rig = VerifierRig(branches: 4)
        rig.begin(Speculation(.mtad, gamma: 2, shape: .beams(width: 2, onePath: false)))
        rig.step(rig.data(.draftClose(DraftClose(stream: 0, reason: .unsuited))))
        let answer = wait(&rig, 200)
        #expect(answer.hires == 1 && answer.goodbyes.isEmpty)
        for token in [60, 61] as [TokenID] { #expect(rig.choose([token]).commits == [[token]]) }
    }

    @Test("pauses between hires grow until a draft is accepted")
    func hirePauses() {
        var rig = VerifierRig()
        rig.begin(.stream, gamma: 4)
        var pauses: [Int] = []
        for stream in 1...5 as ClosedRange<UInt32> {
            rig.step(.drafterLost(address: VerifierRig.drafter))
            let lost = rig.now
            while rig.effects.hires == 0 {
                rig.now = rig.now + Instant.milliseconds(10)
                rig.step(.tick)
            }
            pauses.append((rig.now - lost) / 1_000)
            let offer = Offer(address: VerifierRig.drafter, incarnation: 2)
            let offers = Offers(job: JobID(high: 0, low: 1), attempt: 0, offers: [offer])
            rig.step(.control(.offers(offers)))
            rig.greet()
            rig.step(rig.data(.draftReady(DraftReady(stream: StreamID(rawValue: stream), microsecondsPerToken: 1))))
        }
        #expect(pauses == [50, 100, 200, 400, 800])
    }
}
