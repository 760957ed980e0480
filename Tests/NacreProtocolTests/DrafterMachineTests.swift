import NacreCore
import NacreProtocol
import Testing

@Suite struct DrafterMachineTests {
    @Test("reads the context, says it is ready, drafts to the limit and waits")
    func drafts() {
        var rig = DrafterRig()
        #expect(rig.open(0) == ["1@0 2@1?"])
        #expect(rig.draw([11]) == ["ready", "11 at 2+0 epoch 0 open", "11@2?"])
        #expect(rig.draw([12]) == ["12 at 2+1 epoch 0 open", "12@3?"])
        #expect(rig.draw([13]) == ["13 at 2+2 epoch 0 windowFull"])
        // All committed: the same epoch goes on where it stopped.
        #expect(rig.verdict([11, 12, 13], committed: 5, next: 1, limit: 6) == ["13@4?"])
        #expect(rig.draw([14]) == ["14 at 2+3 epoch 0 windowFull"])
    }

    @Test("a verdict that differs at any place cuts the cache there", arguments: 0...3)
    func rollsBack(place: Int) {
        var rig = DrafterRig()
        _ = rig.open(0)
        for token in [11, 12, 13] as [TokenID] { _ = rig.draw([token]) }
        let chain: [TokenID] = [11, 12, 13]
        let tokens = Array(chain.prefix(place)) + [50]
        let committed = Position(rawValue: 2 + tokens.count)
        _ = rig.verdict(tokens, committed: committed, next: 1, limit: 9)
        #expect(rig.cache.texts[0] == [1, 2] + tokens, "the cache holds the committed text, fast-forwarded (I2)")
        #expect(rig.draw([60]).first == "60 at \(committed)+0 epoch 1 open")
    }

    @Test("a token drawn before a rollback is not sent after it")
    func crossing() {
        var rig = DrafterRig()
        _ = rig.open(0)
        _ = rig.draw([11])
        #expect(rig.verdict([50], committed: 3, next: 1, limit: 6) == [])
        #expect(rig.draw([12]) == ["rewind(0, length: 2) 50@2?"])
        #expect(rig.draw([60]).first == "60 at 3+0 epoch 1 open")
    }

    @Test("verdicts that come together are drafted on in one pass; one by one, the first has a pass of its own")
    func verdictsTogether() {
        let verdicts = [
            DrafterRig.verdict(0, [11, 50], committed: 4, next: 1, limit: 5),
            DrafterRig.verdict(1, [21, 60], committed: 4, next: 1, limit: 5),
        ]
        var (together, oneByOne) = (DrafterRig.withTwoIdle(), DrafterRig.withTwoIdle())
        #expect(together.step(verdicts[0], verdicts[1]) == ["11@2 50@3? 21@2 60@3?"])
        #expect(verdicts.map { oneByOne.step($0) } == [["11@2 50@3?"], []])
        #expect(oneByOne.draw([51]).last == "21@2 60@3?")
    }

    @Test("two verdicts of a stream at once are as one after the other")
    func verdictsOfOne() {
        var rig = DrafterRig()
        _ = rig.open(0)
        for token in [11, 12, 13] as [TokenID] { _ = rig.draw([token]) }
        _ = rig.step(
            DrafterRig.verdict(0, [11, 50], committed: 4, next: 1, limit: 6),
            DrafterRig.verdict(0, [70], committed: 5, next: 2, limit: 7))
        #expect(rig.cache.texts[0] == [1, 2, 11, 50, 70])
        #expect(rig.draw([71]).first == "71 at 5+0 epoch 2 open")
    }

    @Test("no room, too long, full: each is said, and the stream costs nothing more")
    func refusals() {
        var rig = DrafterRig(contextMax: 4)
        #expect(rig.open(0, [1, 2, 3, 4]) == ["close contextTooLong"])
        _ = rig.open(0)
        _ = rig.open(1)
        #expect(rig.open(2) == ["close noRoom"])
        #expect(rig.machine.streamCount == 2)
        _ = rig.draw([11])
        #expect(rig.draw([12, 21]).contains("12 at 2+1 epoch 0 contextFull"))
        // Its context has no room for what the target committed.
        #expect(rig.verdict([11, 12], committed: 4, next: 1, limit: 9).contains("close contextTooLong"))
        #expect(rig.machine.streamCount == 1)
    }

    @Test("a full cache closes the youngest stream and keeps the others, which read their text again")
    func cacheFull() {
        var rig = DrafterRig()
        _ = rig.open(0)
        _ = rig.open(1, [3, 4])
        _ = rig.draw([11])
        rig.cache = rig.refused
        let answer = rig.step(.passed(.cacheFull))
        #expect(answer == ["close noRoom", "release(1) release(0) 1@0 2@1 11@2?"])
        #expect(rig.machine.streamCount == 1)
    }

    @Test("a failed pass closes its streams; their sequences are released before they are used again")
    func engineFailed() {
        var rig = DrafterRig()
        _ = rig.open(0)
        #expect(rig.step(.passed(.failed("x"))) == ["close engineFailed"])
        #expect(rig.machine.streamCount == 0 && rig.machine.freeSequenceCount == 2)
        #expect(rig.open(1) == ["release(0) 1@0 2@1?"])
    }

    @Test("an end of generation stops the chain until a verdict contradicts it")
    func endOfGeneration() {
        var rig = DrafterRig()
        _ = rig.open(0)
        #expect(rig.draw([99]) == ["ready", "99 at 2+0 epoch 0 endOfGeneration"])
        #expect(rig.verdict([50], committed: 3, next: 1, limit: 6) == ["50@2?"])
    }

    @Test("behind an end of generation that the job ignores the chain goes on")
    func ignoredEnd() {
        var rig = DrafterRig()
        _ = rig.open(0, ignoresEnds: true)
        #expect(rig.draw([99]) == ["ready", "99 at 2+0 epoch 0 open", "99@2?"])
    }

    @Test("a verifier that breaks the protocol is told so and forgotten")
    func faults() {
        var rig = DrafterRig()
        _ = rig.open(0)
        #expect(rig.verdict([50, 51], committed: 3, next: 1, limit: 6) == ["goodbye protocolError"])
        #expect(rig.machine.streamCount == 0)
        #expect(rig.open(1) == [], "the link is gone")
        rig.step(.opened(2))
        #expect(rig.step(.received(2, .greeting(DrafterRig.greeting(vocabulary: 8)))) == ["goodbye vocabularyMismatch"])
        rig.step(.opened(3))
        #expect(
            rig.step(.received(3, .draftReady(DraftReady(stream: 0, microsecondsPerToken: 0)))) == [
                "goodbye protocolError"
            ])
    }
}
