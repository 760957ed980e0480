import NacreCore
import NacreProtocol
import Testing

@Suite struct CoordinatorMachineTests {
    private typealias Rig = CoordinatorRig

    @Test("a verifier's loss moves the job on with its text; old commits are refused")
    func fencing() {
        var rig = Rig()
        rig.join(1, .verifier)
        rig.submit(Speculation(.autoregressive))
        rig.commit(1, 1, 1, [0, 1])
        rig.join(2, .verifier)
        rig.step(.closed(1))
        #expect(rig.placed?.link == 2 && rig.placed?.assignment.attempt == 2)
        #expect(rig.placed?.assignment.context == [0, 0, 1])
        rig.commit(1, 1, 3, [1])
        #expect(rig.output == [0, 1], "the link is gone")
        rig.commit(2, 1, 3, [1])
        #expect(rig.output == [0, 1] && rig.machine.staleMessages == 1, "the attempt is over")
        rig.end(2, 1, .length)
        #expect(rig.record?.isOver == false && rig.machine.staleMessages == 2)
        rig.commit(2, 2, 3, [1])
        #expect(rig.output == [0, 1, 1])
    }

    @Test(
        "a drafter that no target can use is sent away with the overlap, whoever came first", arguments: [true, false])
    func strangers(drafterFirst: Bool) {
        var rig = Rig()
        if drafterFirst { rig.join(10, .drafter, vocabulary: 8) }
        #expect(
            rig.machine.nodes.count == (drafterFirst ? 1 : 0), "without a target there is nothing to hold it against")
        rig.join(1, .verifier)
        if !drafterFirst { rig.join(10, .drafter, vocabulary: 8) }
        let goodbyes = rig.effects.compactMap { if case .close(10, let goodbye) = $0 { goodbye } else { nil } }
        #expect(goodbyes.map(\.code) == [.vocabularyMismatch])
        #expect(goodbyes.first?.detail.contains("2 of the target's 3 tokens") == true)
        #expect(rig.machine.nodes.keys.sorted() == [1])
    }

    @Test("a text that looks like a command is not shared with the command")
    func roles() {
        var rig = Rig()
        rig.join(1, .verifier)
        rig.join(10, .drafter, vocabulary: 9)
        let goodbyes = rig.effects.compactMap { if case .close(10, let goodbye) = $0 { goodbye } else { nil } }
        #expect(goodbyes.first?.detail.contains("2 of the target's 3 tokens") == true, "\(goodbyes)")
    }

    @Test("a drafter stays while its own target is away")
    func targetAway() {
        var rig = Rig()
        rig.join(1, .verifier)
        rig.join(2, .verifier, vocabulary: 8)
        rig.join(10, .drafter, vocabulary: 8)
        rig.step(.closed(2))
        rig.wait(100)
        #expect(rig.machine.nodes.keys.sorted() == [1, 10])
    }

    @Test("a commit that leaves a gap or repeats text is a protocol error", arguments: [2, 0] as [Position])
    func gap(start: Position) {
        var rig = Rig()
        rig.join(1, .verifier)
        rig.submit()
        rig.commit(1, 1, start, [0])
        #expect(
            rig.effects.contains {
                if case .close(1, let goodbye) = $0 { goodbye.code == .protocolError } else { false }
            })
        #expect(rig.output == [])
    }

    @Test("a job whose verifiers die three times is not tried again")
    func retries() {
        var rig = Rig()
        for attempt in 1...3 as ClosedRange<UInt32> {
            rig.join(LinkID(rawValue: Int(attempt)), .verifier)
            if attempt == 1 { rig.submit() }
            #expect(rig.record?.attempts == Attempt(rawValue: attempt))
            rig.step(.closed(LinkID(rawValue: Int(attempt))))
        }
        guard case .over(.failed(let reason)) = rig.record?.state else {
            Issue.record("\(String(describing: rig.record?.state))")
            return
        }
        #expect(reason.contains("3 times"))
        #expect(rig.machine.isIdle)
    }

    @Test("a cache that other jobs fill is no lost attempt")
    func crowdedCache() {
        var rig = Rig()
        rig.join(1, .verifier, sequences: 2)
        rig.submit()
        rig.submit(job: JobID(high: 0, low: 2))
        for attempt in 1...5 as ClosedRange<UInt32> {
            #expect(rig.record?.attempts == Attempt(rawValue: attempt))
            rig.end(1, Attempt(rawValue: attempt), .cacheFull)
            #expect(rig.placed == nil, "there is no room now")
            rig.wait(200)
        }
        #expect(rig.record?.isOver == false && rig.record?.attemptsLost == 0)
    }

    @Test("a refusal is no lost attempt: the job waits and is placed again")
    func refused() {
        var rig = Rig()
        rig.join(1, .verifier)
        rig.submit()
        rig.step(.received(1, .jobRefused(JobRefused(job: Rig.job, attempt: 1, reason: .noRoom))))
        #expect(rig.placed == nil)
        rig.wait(199)
        #expect(rig.placed == nil)
        rig.wait(1)
        #expect(rig.placed?.assignment.attempt == 2 && rig.record?.attemptsLost == 0)
    }

    @Test("a full cache is tried again after a pause, and fails for good at last")
    func cacheFull() {
        var rig = Rig()
        rig.join(1, .verifier)
        rig.submit()
        for attempt in 1...3 as ClosedRange<UInt32> {
            #expect(rig.record?.attempts == Attempt(rawValue: attempt))
            rig.end(1, Attempt(rawValue: attempt), .cacheFull)
            #expect(rig.placed == nil)
            rig.wait(200)
        }
        #expect(rig.record?.outcome?.name == "failed")
    }

    @Test("a refusal that crosses a cancel does not revive the job")
    func refusedWhileEnding() {
        var rig = Rig()
        rig.join(1, .verifier)
        rig.submit()
        rig.step(.cancel(Rig.job))
        rig.step(.received(1, .jobRefused(JobRefused(job: Rig.job, attempt: 1, reason: .noRoom))))
        #expect(rig.record?.outcome == .cancelled && rig.record?.isOver == true)
    }

    @Test("the text ends with its end of generation, also if the verifier dies before it says so")
    func endOfGeneration() {
        var rig = Rig()
        rig.join(1, .verifier)
        rig.submit()
        rig.commit(1, 1, 1, [0, 2])
        rig.step(.closed(1))
        #expect(rig.record?.state == .over(.endOfGeneration))
        #expect(rig.output == [0, 2])
    }

    @Test("an end of generation that the job ignores shows as nothing, and the next attempt goes on behind it")
    func ignoredEnd() {
        var rig = Rig()
        rig.join(1, .verifier)
        rig.join(2, .verifier)
        rig.submit(tokensMax: 4, ignoresEnds: true)
        rig.commit(1, 1, 1, [0, 2])
        #expect(rig.record?.outcome == nil)
        rig.step(.closed(1))
        for case .send(2, .assignJob(let assignment)) in rig.effects {
            #expect(assignment.ignoresEnds && assignment.context == [0, 0, 2])
        }
        rig.commit(2, 2, 3, [1, 2])
        #expect(rig.record?.outcome == .length)
        #expect(rig.output == [0, 2, 1, 2])
        #expect(rig.record?.output.flatMap(\.text) == Array("ab".utf8))
    }

    @Test("the text ends at its length, also if the verifier dies before it says so")
    func length() {
        var rig = Rig()
        rig.join(1, .verifier)
        rig.submit(tokensMax: 2)
        rig.commit(1, 1, 1, [0, 1])
        rig.step(.closed(1))
        #expect(rig.record?.state == .over(.length))
    }

    @Test("a stop string ends the job; what the verifier still commits is not text")
    func stopString() {
        var rig = Rig()
        rig.join(1, .verifier)
        rig.submit(stops: ["bb"])
        rig.commit(1, 1, 1, [0, 1])
        #expect(rig.record?.output.map(\.text) == [[97], []])
        rig.commit(1, 1, 3, [1, 0])
        #expect(rig.effects.contains { if case .send(1, .cancelJob) = $0 { true } else { false } })
        #expect(rig.output == [0, 1, 1])
        rig.commit(1, 1, 5, [0])
        rig.wait(2_001)
        #expect(rig.record?.state == .over(.stopString))
        #expect(rig.record?.output.flatMap(\.text) == [97])
    }

    @Test("a cancelled job shows nothing that might have become a stop string")
    func cancelled() {
        var rig = Rig()
        rig.join(1, .verifier)
        rig.submit(stops: ["bb"])
        rig.commit(1, 1, 1, [0, 1])
        rig.step(.cancel(Rig.job))
        rig.end(1, 1, .cancelled)
        #expect(rig.record?.state == .over(.cancelled))
        #expect(rig.record?.tail == [])
    }

    @Test("two nodes may report one vocabulary at once, and either may die meanwhile")
    func vocabularies() {
        var rig = Rig()
        rig.join(1, .verifier, reportsVocabulary: false)
        rig.join(2, .verifier, reportsVocabulary: false)
        for (link, part) in [(1, 0), (2, 0), (1, 1), (2, 1)] as [(LinkID, Int)] { rig.report(link, part) }
        rig.step(.closed(1))
        #expect(rig.machine.vocabularies[7] == nil)
        rig.report(2, 2)
        #expect(rig.machine.vocabularies[7]?.isComplete == true)
        #expect(rig.machine.nodes[2] != nil)
    }

    @Test("a node that registers again takes its former self's place")
    func replaced() {
        var rig = Rig()
        rig.join(1, .verifier, name: "v")
        rig.submit()
        rig.join(2, .verifier, name: "v", reportsVocabulary: false)
        #expect(rig.machine.nodes[1] == nil)
        #expect(rig.record?.attempts == 2)
    }

    @Test("a node that is silent for longer than its lease is lost")
    func lease() {
        var rig = Rig()
        rig.join(1, .verifier)
        rig.wait(3_000)
        #expect(rig.machine.nodes[1] != nil)
        rig.wait(1)
        #expect(rig.machine.nodes[1] == nil)
    }

    @Test("a prompt longer than any context is refused in words")
    func longPrompt() {
        var rig = Rig()
        rig.join(1, .verifier)
        let specification = JobSpecification(
            prompt: [97], speculation: Speculation(.stream), sampling: .greedy, seed: 1, tokensMax: 8, stops: [])
        rig.step(.submit(Rig.job, specification))
        let tokens = Array(repeating: TokenID(rawValue: 0), count: 64)
        rig.step(.received(1, .tokenized(Tokenized(request: 1, tokens: tokens, error: ""))))
        #expect(rig.record?.outcome?.name == "failed")
    }
}
