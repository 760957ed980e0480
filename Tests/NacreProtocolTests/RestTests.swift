import NacreCore
import NacreProtocol
import Testing

/// Where drafts do not pay, a free-running job hardly talks with its drafter.
@Suite struct RestTests {
    /// Passes cost as much as their nodes: no acceptance rate makes a draft worth its place.
    private static let linear = (1...64).map { Double($0) * 1_000 }

    @Test("one verdict in eight rounds, with the tokens of all of them; the text is the target's own")
    func coalesced() {
        var rig = VerifierRig(costs: RestTests.linear)
        rig.begin(.stream, gamma: 0)
        var verdicts: [Verdict] = []
        for round in 0..<24 {
            #expect(rig.pass?.nodes.count == 1)
            let token = TokenID(rawValue: UInt32(20 + round))
            let answer = rig.choose([token])
            #expect(answer.commits == [[token]])
            verdicts += answer.verdicts
        }
        #expect(verdicts.map(\.tokens.count) == [8, 8, 8])
        #expect(verdicts.flatMap(\.tokens).map(\.rawValue) == Array(20..<44))
        #expect(verdicts.map(\.committed) == [10, 18, 26])
        #expect(verdicts.map(\.positionLimit) == [14, 22, 30])
    }

    @Test("what the drafter was not told of it does not owe; what it was told of it does")
    func patience() {
        var rig = VerifierRig(costs: RestTests.linear)
        rig.begin(.stream, gamma: 0)
        rig.draft([11, 12, 13, 14], end: .windowFull)
        // Passes of a slow target: the rest lasts longer than a drafter may be silent.
        for round in 0..<7 {
            rig.now = rig.now + Instant.milliseconds(900)
            #expect(rig.step(.tick).goodbyes.isEmpty)
            rig.choose([TokenID(rawValue: UInt32(60 + round))])
        }
        #expect(rig.choose([70]).verdicts.count == 1)
        rig.now = rig.now + Instant.milliseconds(900)
        #expect(rig.step(.tick).goodbyes.isEmpty, "it was told just now")
        rig.now = rig.now + Instant.milliseconds(200)
        #expect(rig.step(.tick).goodbyes == [.tooSlow])
    }

    @Test("a drafter that hangs while drafts rest is given up, however short the passes")
    func hung() {
        var rig = VerifierRig(costs: RestTests.linear)
        rig.begin(.stream, gamma: 0)
        var goodbyes: [GoodbyeCode] = []
        for round in 0..<40 where goodbyes.isEmpty {
            rig.now = rig.now + Instant.milliseconds(50)
            goodbyes += rig.choose([TokenID(rawValue: UInt32(20 + round % 60))]).goodbyes
            goodbyes += rig.step(.tick).goodbyes
        }
        #expect(goodbyes == [.tooSlow])
    }

    @Test("a probe that was answered is no debt, however long the next verdict takes")
    func answered() {
        var rig = VerifierRig(costs: RestTests.linear)
        rig.begin(.stream, gamma: 0)
        rig.draft([11, 12, 13, 14], end: .windowFull)
        for round in 0..<7 {
            rig.now = rig.now + Instant.milliseconds(500)
            #expect(rig.choose([TokenID(rawValue: UInt32(50 + round))]).goodbyes.isEmpty)
            #expect(rig.step(.tick).goodbyes.isEmpty)
        }
        // Told now; its answer is a new epoch behind everything that was committed.
        #expect(rig.choose([60]).verdicts.map(\.committed) == [10])
        rig.enter(1, root: 10)
        rig.now = rig.now + Instant.milliseconds(800)
        rig.draft([31, 32, 33, 34], end: .windowFull)
        rig.now = rig.now + Instant.milliseconds(5_000)
        #expect(rig.step(.tick).goodbyes.isEmpty)
    }

    @Test("a probe that is accepted raises the estimate, and a draft that pays ends the rest")
    func wakes() {
        // Two nodes cost 1.7 times one: worth it from an acceptance rate of 0.7 on, which is above what is expected.
        var rig = VerifierRig(costs: [1_000, 1_700, 3_000, 4_000, 5_000, 6_000, 7_000, 8_000])
        rig.begin(.stream, gamma: 0)
        rig.draft([11, 12, 13, 14], end: .windowFull)
        var widths: [Int] = []
        var (untold, length) = (0, 2)
        for token in [11, 12, 13, 14] as [TokenID] {
            guard let width = rig.pass?.nodes.count else { break }
            widths.append(width)
            let answer = rig.choose(width == 1 ? [token] : [token, token.next])
            untold += answer.commits.joined().count
            length += answer.commits.joined().count
            if let verdict = answer.verdicts.first {
                #expect(verdict.tokens.count == untold && verdict.committed == Position(rawValue: length))
                untold = 0
            }
            if width > 1 { break }
        }
        #expect(widths.first == 1 && widths.last == 2 && untold == 0, "\(widths)")
    }
}
