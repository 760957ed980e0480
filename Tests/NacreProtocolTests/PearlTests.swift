import NacreCore
import NacreProtocol
import Testing

/// PEARL's state machine as in ALGORITHMS 2.1: each step's nodes, rewinds, verdicts and caches.
/// The prompt is [1, 2], so n = 2; drafts are 11, 12, ...; 90 is a correction.
@Suite struct PearlTests {
    /// Tokens d_1 ... for a window that begins with `first`.
    private func window(_ first: UInt32, _ gamma: Int) -> [TokenID] {
        (0..<UInt32(gamma)).map { TokenID(rawValue: first + $0) }
    }

    /// "token@position?" for a run of scored nodes.
    private func rows(_ tokens: [TokenID], from position: Int) -> String {
        tokens.enumerated().map { "\($1)@\(position + $0)?" }.joined(separator: " ")
    }

    @Test("the pre-verify pass holds the last committed token alone and waits for the whole window", arguments: 1...4)
    func preVerify(gamma: Int) {
        var rig = VerifierRig()
        rig.begin(.pearl, gamma: gamma)
        #expect(rig.pass?.line == "2@1?")
        #expect(rig.choose([11]).commits.isEmpty, "judged before the window was there")
        let drafts = window(11, gamma)
        #expect(rig.draft(drafts.dropLast()).commits.isEmpty)
        let answer = rig.say(drafts.suffix(1), end: .windowFull)
        #expect(answer.commits == [[11]])
        #expect(answer.verdicts.map(\.committed) == [3])
        // POST: the limit covers w_2 ... w_γ and e_1 ... e_γ.
        #expect(answer.verdicts.map(\.positionLimit) == [Position(rawValue: 3 + 2 * gamma - 1)])
        #expect(rig.pass?.edits == [])
        #expect(rig.pass?.line == rows(drafts, from: 2))
    }

    @Test("a rejection before verification commits the correction and stays in pre-verify", arguments: 1...4)
    func preVerifyRejects(gamma: Int) {
        var rig = VerifierRig()
        rig.begin(.pearl, gamma: gamma)
        rig.draft(window(11, gamma), end: .windowFull)
        let answer = rig.choose([90])
        #expect(answer.commits == [[90]])
        #expect(answer.verdicts.map(\.nextEpoch) == [1])
        #expect(answer.verdicts.map(\.positionLimit) == [Position(rawValue: 3 + gamma)])
        // The verifier's cache is unchanged: nothing of the window was in it.
        #expect(rig.pass?.edits == [])
        #expect(rig.pass?.line == "90@2?")
        #expect(rig.cache.texts[0] == [1, 2, 90])
    }

    /// Brings the job to POST with the window 11 ... and the next one 21 ... here, its pass in flight.
    private func postVerify(gamma: Int) -> VerifierRig {
        var rig = VerifierRig()
        rig.begin(.pearl, gamma: gamma)
        rig.draft(window(11, gamma))
        rig.choose([11])
        rig.draft(window(21, gamma), end: .windowFull)
        return rig
    }

    @Test("all γ checks pass: the window and e_1 are committed, no bonus token, post-verify again", arguments: 1...4)
    func postVerifyPasses(gamma: Int) {
        var rig = postVerify(gamma: gamma)
        let passed = Array(window(11, gamma).dropFirst()) + [21]
        let answer = rig.choose(passed)
        #expect(answer.commits == [passed])
        #expect(answer.verdicts.map(\.committed) == [Position(rawValue: 3 + gamma)])
        #expect(answer.verdicts.map(\.positionLimit) == [Position(rawValue: 3 + gamma + 2 * gamma - 1)])
        #expect(rig.pass?.edits == [])
        #expect(rig.pass?.line == rows(window(21, gamma), from: 2 + gamma))
        #expect(rig.cache.texts[0] == [1, 2] + window(11, gamma) + window(21, gamma))
    }

    @Test(
        "the j-th check fails: j−1 tokens and the correction are committed, both roll back to n+j−1",
        arguments: (1...5).flatMap { gamma in (1...gamma).map { (gamma, $0) } })
    func postVerifyRejects(gamma: Int, j: Int) {
        var rig = postVerify(gamma: gamma)
        let checked = Array(window(11, gamma).dropFirst()) + [21]
        // Behind the failed check the rows are of a chain that was never true: whatever they say.
        let chosen = checked.prefix(j - 1) + [90] + Array(repeating: 91, count: gamma - j)
        let answer = rig.choose(Array(chosen))
        let committed = 3 + j
        #expect(answer.commits == [Array(checked.prefix(j - 1)) + [90]])
        #expect(answer.verdicts.map(\.tokens) == answer.commits)
        #expect(answer.verdicts.map(\.committed) == [Position(rawValue: committed)])
        #expect(answer.verdicts.map(\.nextEpoch) == [2])
        #expect(answer.verdicts.map(\.positionLimit) == [Position(rawValue: committed + gamma)])
        // PRE: I1 holds again before x[n−1] is evaluated. For j = γ only e_1 was wrong, which was never cached.
        let rewind = CacheEdit.rewind(0, length: Position(rawValue: committed - 1))
        #expect(rig.pass?.edits == (j < gamma ? [rewind] : []))
        #expect(rig.pass?.line == "90@\(committed - 1)?")
        #expect(rig.cache.texts[0] == [1, 2, 11] + checked.prefix(j - 1) + [90])
    }

    @Test("what the drafter still sends of a window that failed is dropped")
    func staleWindow() {
        var rig = postVerify(gamma: 3)
        rig.choose([90, 91, 91])
        #expect(rig.choose([50]).commits.isEmpty, "the new window is not here")
        rig.enter(2, root: 4)
        let answer = rig.draft([50, 51, 52], end: .windowFull)
        #expect(answer.commits == [[50]])
        #expect(rig.pass?.line == "50@4? 51@5? 52@6?")
    }

    @Test("the last window ends where the job ends", arguments: 1...8)
    func budget(tokensMax: Int) {
        var rig = VerifierRig()
        rig.begin(.pearl, gamma: 4, tokensMax: tokensMax)
        var committed = 0
        var next = 0
        for _ in 0..<20 where rig.machine.jobCount > 0 {
            // An honest drafter whose model is the target: it drafts what the limit allows.
            let limit = min(committed + (committed == 0 ? 4 : 7), tokensMax)
            while next < limit {
                let before = rig.draft([TokenID(rawValue: UInt32(10 + next))])
                next += 1
                committed += before.commits.reduce(0) { $0 + $1.count }
            }
            guard let pass = rig.pass else { continue }
            let rows = pass.nodes.map { TokenID(rawValue: UInt32($0.position.rawValue - 1 + 10)) }
            committed += rig.choose(rows).commits.reduce(0) { $0 + $1.count }
        }
        #expect(committed == tokensMax)
        #expect(rig.effects.ended?.reason == .length || rig.machine.jobCount == 0)
    }
}
