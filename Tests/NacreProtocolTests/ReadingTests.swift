import NacreCore
import NacreProtocol
import Testing

/// How passes take contexts in.
@Suite struct ReadingTests {
    private func assignment(
        _ job: UInt64, length: Int, drafter: Offer? = nil, method: DecodingMethod = .speculative
    ) -> VerifierMachine.Input {
        // Texts that begin alike would share cells.
        let context = (0..<length).map { TokenID(rawValue: UInt32($0 == 0 ? Int(job) : 1)) }
        var assignment = VerifierRig.assignment(Speculation(method, gamma: 2), job: job, context: context)
        assignment.offers = drafter.map { [$0] } ?? []
        return .control(.assignJob(assignment))
    }

    private func rows(_ rig: VerifierRig) -> Int { rig.pass?.nodes.count { $0.score != nil } ?? 0 }

    @Test("without a drafter the pass that ends a context decides the first token")
    func firstToken() {
        var rig = VerifierRig()
        rig.step(assignment(1, length: 3))
        #expect(rig.pass?.line == "1@0 1@1 1@2?")
        #expect(rig.choose([50]).commits == [[50]])
        #expect(rig.pass?.line == "50@3?")
    }

    @Test("a drafter on the verifier's cores does not change that, for it begins behind the first token")
    func onTheSameCores() {
        var rig = VerifierRig()
        rig.step(assignment(1, length: 3, drafter: Offer(address: "drafter:1", incarnation: 2, sharesCores: true)))
        rig.greet()
        #expect(rig.pass?.line == "1@0 1@1 1@2?" && rig.pens.isEmpty)
        #expect(rig.choose([50]).commits == [[50]])
        #expect(rig.effects.opens.map(\.contextTotal) == [4])
    }

    @Test("with a drafter on cores of its own, drafts may be here for the first token's pass")
    func onOtherCores() {
        var rig = VerifierRig()
        rig.step(assignment(1, length: 3, drafter: Offer(address: "drafter:1", incarnation: 2)))
        #expect(rig.pass?.line == "1@0 1@1")
    }

    @Test("a context that does not fit is read on, and its last part decides")
    func inParts() {
        var rig = VerifierRig(nodesMax: 8)
        rig.step(assignment(1, length: 13))
        #expect(rig.pass?.nodes.count == 8 && rows(rig) == 0)
        rig.choose([])
        #expect(rig.pass?.nodes.count == 5 && rows(rig) == 1)
        #expect(rig.choose([50]).commits == [[50]])
    }

    @Test("one that fits up to its last token takes one pass more for that")
    func allButOne() {
        var rig = VerifierRig(nodesMax: 8)
        rig.step(assignment(1, length: 9))
        #expect(rig.pass?.nodes.count == 8 && rows(rig) == 0)
        rig.choose([])
        #expect(rig.pass?.nodes.count == 1 && rows(rig) == 1)
    }

    @Test("all contexts that wait are read in the pass of one job that decodes, one of many beside many in parts")
    func manyReaders() {
        var rig = VerifierRig(sequences: 8, nodesMax: 512, contextMax: 400)
        rig.step(assignment(1, length: 3))
        for job in 2...4 { rig.step(assignment(UInt64(job), length: 60)) }
        rig.choose([50])
        #expect(rig.pass?.nodes.count == 1 + 3 * 60 && rows(rig) == 4, "three read, one decodes")
        rig.choose([51, 52, 53, 54])
        rig.step(assignment(5, length: 200))
        rig.choose([61, 62, 63, 64])
        #expect(rig.pass?.nodes.count == 4 + 64 && rows(rig) == 4, "one reads, four decode")
    }

    @Test("a round's time is that of its pass, not of reading")
    func clock() {
        var clocked = VerifierRig(costs: [1_000])
        clocked.step(assignment(1, length: 3, method: .autoregressive))
        clocked.now = 500_000
        clocked.finish([50], started: 0)
        for _ in 0..<99 { clocked.choose([50]) }
        let statistics = clocked.effects.ended?.statistics
        #expect(statistics?.rounds == 100)
        #expect((statistics?.elapsedMicroseconds).map { $0 < 200_000 } == true, "the half second is no decoding")
    }
}
