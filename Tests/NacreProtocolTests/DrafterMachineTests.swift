import NacreCore
import NacreProtocol
import Testing

/// A drafter of two sequences; its model's tokens are given by the test.
@Suite struct DrafterMachineTests {
    private struct Rig {
        var machine: DrafterMachine
        var cache = CacheModel()
        /// The cache if the pass in flight finds no room.
        var refused = CacheModel()
        var pass: EnginePass?
        var effects: [DrafterMachine.Effect] = []

        init(contextMax: Int = 32, nodesMax: Int = 64) {
            machine = DrafterMachine(
                DrafterMachine.Configuration(
                    node: "d", incarnation: 1, vocabularyDigest: 7, vocabularySize: 100, sequences: 2,
                    contextMax: contextMax, nodesMax: nodesMax, endTokens: [99]))
            step(.opened(1))
            step(.received(1, .greeting(Rig.greeting(vocabulary: 7))))
        }

        static func greeting(vocabulary: UInt64) -> Greeting {
            Greeting(wireMin: 1, wireMax: 1, node: "v", role: .verifier, incarnation: 1, vocabularyDigest: vocabulary)
        }

        @discardableResult
        mutating func step(_ input: DrafterMachine.Input) -> [String] {
            effects = []
            machine.step(input, at: 0, into: &effects)
            for case .evaluate(let next) in effects {
                refused = cache
                refused.edit(next)
                cache.run(next)
                pass = next
            }
            return lines
        }

        mutating func open(_ stream: StreamID, _ context: [TokenID] = [1, 2], limit: Position = 5) -> [String] {
            step(
                .received(
                    1,
                    .draftOpen(
                        DraftOpen(
                            stream: stream, job: JobID(high: 0, low: 0), attempt: 1, epoch: 0, key: 5,
                            sampling: .greedy, promptLength: 2, positionLimit: limit, contextTotal: context.count,
                            contextOffset: 0, context: context))))
        }

        mutating func verdict(
            _ tokens: [TokenID], committed: Position, next: Epoch, limit: Position
        ) -> [String] {
            step(
                .received(
                    1,
                    .verdict(
                        Verdict(
                            stream: 0, nextEpoch: next, tokens: tokens, committed: committed, positionLimit: limit))))
        }

        mutating func draw(_ tokens: [TokenID]) -> [String] {
            pass = nil
            return step(.passed(.done(tokens.map { .choice(Choice(token: $0, margin: 1)) }, started: 0, ended: 1_000)))
        }

        /// What the machine said and began, in words.
        var lines: [String] {
            effects.map {
                switch $0 {
                case .send(_, .draft(let draft)):
                    "\(draft.tokens.map(\.description).joined()) at \(draft.root)+\(draft.firstNode) "
                        + "epoch \(draft.epoch) \(draft.end)"
                case .send(_, .draftReady): "ready"
                case .send(_, .draftClose(let close)): "close \(close.reason)"
                case .send(_, .greeting): "greeting"
                case .send: "?"
                case .close(_, let goodbye): "goodbye \(goodbye.code)"
                case .evaluate(let pass): (pass.edits.map { "\($0)" } + [pass.line]).joined(separator: " ")
                }
            }
        }
    }

    @Test("reads the context, says it is ready, drafts to the limit and waits")
    func drafts() {
        var rig = Rig()
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
        var rig = Rig()
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
        var rig = Rig()
        _ = rig.open(0)
        _ = rig.draw([11])
        #expect(rig.verdict([50], committed: 3, next: 1, limit: 6) == [])
        #expect(rig.draw([12]) == ["rewind(0, length: 2) 50@2?"])
        #expect(rig.draw([60]).first == "60 at 3+0 epoch 1 open")
    }

    @Test("no room, too long, full: each is said, and the stream costs nothing more")
    func refusals() {
        var rig = Rig(contextMax: 4)
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
        var rig = Rig()
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
        var rig = Rig()
        _ = rig.open(0)
        #expect(rig.step(.passed(.failed("x"))) == ["close engineFailed"])
        #expect(rig.machine.streamCount == 0 && rig.machine.freeSequenceCount == 2)
        #expect(rig.open(1) == ["release(0) 1@0 2@1?"])
    }

    @Test("an end of generation stops the chain until a verdict contradicts it")
    func endOfGeneration() {
        var rig = Rig()
        _ = rig.open(0)
        #expect(rig.draw([99]) == ["ready", "99 at 2+0 epoch 0 endOfGeneration"])
        #expect(rig.verdict([50], committed: 3, next: 1, limit: 6) == ["50@2?"])
    }

    @Test("a verifier that breaks the protocol is told so and forgotten")
    func faults() {
        var rig = Rig()
        _ = rig.open(0)
        #expect(rig.verdict([50, 51], committed: 3, next: 1, limit: 6) == ["goodbye protocolError"])
        #expect(rig.machine.streamCount == 0)
        #expect(rig.open(1) == [], "the link is gone")
        rig.step(.opened(2))
        #expect(rig.step(.received(2, .greeting(Rig.greeting(vocabulary: 8)))) == ["goodbye vocabularyMismatch"])
        rig.step(.opened(3))
        #expect(
            rig.step(.received(3, .draftReady(DraftReady(stream: 0, microsecondsPerToken: 0)))) == [
                "goodbye protocolError"
            ])
    }
}
