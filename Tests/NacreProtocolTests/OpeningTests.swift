import NacreCore
import NacreProtocol
import Testing

/// Which texts a drafter on the verifier's cores reads, since every pass waits for that.
@Suite struct OpeningTests {
    private static let speculation = Speculation(.speculative)
    /// A pass takes half a millisecond, and another half for each node.
    private static let costs = (1...64).map { 500 + Double($0) * 500 }

    /// A verifier whose passes of any size take a millisecond.
    private struct Scene {
        var rig = VerifierRig(sequences: 8, contextMax: 32_768)
        /// So long the drafter takes to read a text, in microseconds.
        var reading = 0
        /// Whether its drafts are what the target says.
        var isRight = true
        /// Streams that were opened, by job.
        var opened: [UInt64] = []
        /// Verdicts that the drafter was sent, by stream.
        var told: [StreamID: Int] = [:]

        private static func text(_ job: UInt64, _ position: Int) -> TokenID {
            TokenID(rawValue: UInt32(10 + (position + 7 * Int(job)) % 40))
        }

        mutating func add(_ job: UInt64, tokensMax: Int, _ speculation: Speculation = OpeningTests.speculation) {
            var assignment = VerifierRig.assignment(speculation, tokensMax: tokensMax, job: job)
            for index in assignment.offers.indices { assignment.offers[index].sharesCores = true }
            take(rig.step(.control(.assignJob(assignment))))
            if job == 1 {
                rig.greet()
                take([])
            }
        }

        /// The drafter does what it was told.
        private mutating func take(_ effects: [VerifierMachine.Effect]) {
            for case .toDrafter(_, .draftOpen(let open)) in effects {
                rig.pens.append(
                    VerifierRig.Pen(
                        address: VerifierRig.drafter, stream: open.stream, epoch: open.epoch,
                        root: Position(rawValue: open.contextTotal), heard: open.epoch))
                opened.append(open.job.low)
                let pen = rig.pens.count - 1
                rig.now = rig.now + reading
                let ready = DraftReady(stream: open.stream, microsecondsPerToken: 100)
                take(rig.step(.data(address: VerifierRig.drafter, .draftReady(ready))))
                draft(by: pen, room: open.positionLimit - Position(rawValue: open.contextTotal))
            }
            for verdict in effects.verdicts {
                told[verdict.stream, default: 0] += 1
                guard let pen = rig.pens.firstIndex(where: { $0.stream == verdict.stream }) else { continue }
                rig.enter(verdict.nextEpoch, root: verdict.committed, by: pen)
                draft(by: pen, room: verdict.positionLimit - verdict.committed)
            }
        }

        private mutating func draft(by pen: Int, room: Int) {
            guard room > 0 else { return }
            let (job, root) = (opened[pen], rig.pens[pen].root.rawValue)
            let tokens = (0..<room).map { isRight ? Self.text(job, root + $0) : 90 }
            take(rig.draft(tokens, end: .windowFull, by: pen))
        }

        /// So many passes.
        mutating func decode(_ rounds: Int) {
            for _ in 0..<rounds {
                guard let pass = rig.pass else { return }
                let chosen = pass.nodes.compactMap { node in
                    node.score.map { Self.text($0.key.rawValue, node.position.rawValue + 1) }
                }
                take(rig.choose(chosen))
            }
        }
    }

    @Test("of a pair that nobody knows one text is read, and the others' once drafts are seen to pay")
    func one() {
        var scene = Scene()
        scene.reading = 5_000
        for job in 1...4 as ClosedRange<UInt64> { scene.add(job, tokensMax: 2_000) }
        scene.decode(1)
        #expect(scene.opened.count == 1, "\(scene.opened)")
        scene.decode(60)
        #expect(scene.opened.count == 4, "\(scene.opened)")
    }

    @Test("where drafts pay, a text is read for a job with much to say, not for one with little", arguments: [4, 400])
    func little(tokensMax: Int) {
        var scene = Scene()
        scene.reading = 20_000
        scene.add(1, tokensMax: 2_000)
        scene.decode(60)
        scene.add(2, tokensMax: tokensMax)
        scene.decode(3)
        #expect(scene.opened == (tokensMax > 100 ? [1, 2] : [1]))
    }

    @Test(
        "at rest texts are read so rarely that it costs no more than a hundredth of the pair's tokens",
        arguments: [0, 3] as [UInt64])
    func rest(plainBetween: UInt64) {
        var scene = Scene()
        scene.rig = VerifierRig(sequences: 8, contextMax: 4_096, costs: Self.costs)
        (scene.reading, scene.isRight) = (5_000, false)
        for job in 0..<60 as Range<UInt64> {
            scene.add(job * 4 + 1, tokensMax: 40)
            scene.decode(80)
            // Who has no use for drafts pays for none.
            for plain in 0..<plainBetween {
                scene.add(job * 4 + 2 + plain, tokensMax: 40, Speculation(.autoregressive))
                scene.decode(80)
            }
        }
        // Some 2,400 tokens of a millisecond each, of which reading may take 8 in a thousand, and the first came free.
        #expect(scene.opened.count >= 3 && scene.opened.count <= 5, "\(scene.opened)")
    }

    @Test("where a job could win nothing even if all drafts stood, no text is read to learn from but the first")
    func hopeless() {
        for (tokensMax, costs) in [(40, (1...64).map { Double($0) * 1_000 }), (8, Self.costs)] {
            var scene = Scene()
            scene.rig = VerifierRig(sequences: 8, contextMax: 4_096, costs: costs)
            scene.reading = 5_000
            for job in 1...60 as ClosedRange<UInt64> {
                scene.add(job, tokensMax: tokensMax)
                scene.decode(80)
            }
            #expect(scene.opened == [1], "\(tokensMax) tokens: \(scene.opened)")
        }
    }

    @Test("at rest only the job that peeks has its drafter told")
    func quiet() throws {
        var scene = Scene()
        scene.add(1, tokensMax: 12_000)
        scene.decode(20)
        scene.add(2, tokensMax: 12_000)
        scene.decode(40)
        #expect(scene.opened == [1, 2])
        // Nodes become dear, which the cost model does not see.
        func isResting() -> Bool { scene.rig.machine.reports(at: scene.rig.now).contains { $0.state == .resting } }
        for _ in 0..<200 where !isResting() {
            scene.rig.now = scene.rig.now + 8_000 * max(0, (scene.rig.pass?.nodes.count ?? 2) - 2)
            scene.decode(1)
        }
        #expect(isResting())
        scene.told = [:]
        scene.isRight = false
        scene.decode(100)
        let told = scene.rig.pens.map { scene.told[$0.stream, default: 0] }
        #expect(told.contains { $0 >= 2 } && told.contains { $0 <= 1 }, "\(told)")
    }
}
