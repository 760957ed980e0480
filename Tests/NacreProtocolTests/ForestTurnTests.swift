import NacreCore
import NacreProtocol
import Testing

/// Draft trees, unions and common prefixes in a verifier's passes.
@Suite struct ForestTurnTests {
    private func tree(_ widths: Int..., method: DecodingMethod = .speculative) throws -> Speculation {
        Speculation(method, shape: .fixed(try TreeShape(widths)))
    }

    /// A job whose tree 2,1 is whole and in its pass: 11 21 and 12 22.
    private func begun(_ rig: inout VerifierRig) throws {
        rig.begin(try tree(2, 1))
        rig.say([11, 12], parents: [0, 0])
        #expect(rig.pass == nil, "half a tree")
        rig.say([21, 22], parents: [1, 2], end: .windowFull)
        #expect(rig.pass?.treeLine == "2@1?/0,4 11@2?/0 21@3?/0 12@2?/4 22@3?/4")
    }

    @Test("a static tree under speculative waits for the whole tree; a side branch that wins is adopted at once")
    func adoption() throws {
        var rig = VerifierRig(branches: 4)
        try begun(&rig)
        let answer = rig.choose([12, 90, 90, 22, 50])
        #expect(answer.commits == [[12, 22, 50]])
        #expect(answer.verdicts.map(\.committed) == [5])
        rig.enter(1, root: 5)
        rig.say([31], end: .windowFull)
        #expect(rig.pass?.adoptions == [BranchAdoption(branch: 4, owner: 0, positions: 2..<4)])
        #expect(rig.pass?.edits == [.release(4)])
        #expect(rig.pass?.line == "50@4? 31@5?")
        #expect(rig.cache.texts == [0: [1, 2, 12, 22, 50, 31]])
    }

    @Test("when the spine wins, its rejected end is rewound and the branch released")
    func spineWins() throws {
        var rig = VerifierRig(branches: 4)
        try begun(&rig)
        #expect(rig.choose([11, 60, 90, 90, 90]).commits == [[11, 60]])
        rig.enter(1, root: 4)
        rig.say([], end: .windowFull)
        #expect(rig.pass?.adoptions == [] && rig.pass?.edits == [.release(4), .rewind(0, length: 3)])
        #expect(rig.cache.texts == [0: [1, 2, 11, 60]])
    }

    @Test("what another job's pass needs of branches is free again though the job itself waits")
    func settledForOthers() throws {
        var rig = VerifierRig(branches: 4)
        try begun(&rig)
        rig.choose([12, 90, 90, 22, 50])
        #expect(rig.pass == nil, "the job waits for its drafter")
        rig.step(.control(.assignJob(VerifierRig.assignment(.autoregressive, gamma: 0, job: 2))))
        #expect(rig.pass?.adoptions.count == 1 && rig.pass?.edits == [.release(4)])
        #expect(rig.cache.texts[0] == [1, 2, 12, 22] && rig.cache.texts[4] == nil)
    }

    @Test("a job that is cancelled during its pass leaves no branch behind")
    func cancelled() throws {
        var rig = VerifierRig(branches: 4)
        try begun(&rig)
        rig.step(.control(.cancelJob(CancelJob(job: JobID(high: 0, low: 1), attempt: 0))))
        rig.choose([12, 90, 90, 22, 50])
        rig.step(.control(.assignJob(VerifierRig.assignment(.autoregressive, gamma: 0, job: 2))))
        #expect(rig.pass.map { Set($0.edits) } == [.release(0), .release(4)])
        #expect(rig.machine.jobCount == 1 && rig.machine.freeSequenceCount == 3)
    }

    @Test("a drafter lost during a pass: what the pass holds is judged all the same")
    func lostMidPass() throws {
        var rig = VerifierRig(branches: 4)
        try begun(&rig)
        rig.step(.drafterLost(address: VerifierRig.drafter))
        #expect(rig.choose([12, 90, 90, 22, 50]).commits == [[12, 22, 50]])
        #expect(rig.pass?.line == "50@4?")
    }

    @Test("without sequences for branches a tree is judged along its first path")
    func noBranches() throws {
        var rig = VerifierRig(branches: 0)
        rig.begin(try tree(2, 1))
        rig.say([11, 12, 21, 22], parents: [0, 0, 1, 2], end: .windowFull)
        #expect(rig.pass?.treeLine == "2@1?/0 11@2?/0 21@3?/0")
        #expect(rig.choose([12, 90, 90]).commits == [[12]])
    }

    @Test("the drafts of two drafters are united, and both hear what came of it")
    func union() {
        var rig = VerifierRig(branches: 4)
        rig.begin(Speculation(.stream, drafters: 2))
        #expect(rig.pass?.line == "2@1?")
        rig.draft([11, 21], by: 0)
        rig.draft([11, 22], by: 1)
        #expect(rig.choose([11]).verdicts.map(\.tokens) == [[11], [11]])
        #expect(rig.pass?.treeLine == "11@2?/0,4 21@3?/0 22@3?/4")
        #expect(rig.choose([22, 90, 50]).verdicts.map(\.stream) == [0, 1])
        // One of them had 22: it may go on where it was, the other may not.
        rig.hear(2, by: 1)
        rig.enter(2, root: 5, by: 0)
        #expect(rig.draft([31], by: 0).goodbyes.isEmpty && rig.draft([50, 41], by: 1).goodbyes.isEmpty)
    }

    @Test("texts that begin alike are read once")
    func sharedPrefix() {
        var rig = VerifierRig(nodesMax: 20)
        let common = (0..<40).map { TokenID(rawValue: $0) }
        let plain = Speculation(.autoregressive)
        rig.step(.control(.assignJob(VerifierRig.assignment(plain, job: 1, context: common + [50, 51]))))
        rig.step(.control(.assignJob(VerifierRig.assignment(plain, job: 2, context: common + [60, 61, 62]))))
        var read = rig.pass?.nodes.count ?? 0
        // The second waits while the first reads what both have.
        for _ in 0..<2 {
            rig.choose([])
            #expect(rig.pass?.nodes.allSatisfy { $0.sequence == 0 || $0.position >= 40 } == true)
            read += rig.pass?.nodes.count ?? 0
        }
        while let pass = rig.pass, pass.nodes.contains(where: { $0.score == nil }), read < 200 {
            rig.choose(Array(repeating: 70, count: pass.nodes.count { $0.score != nil }))
            read += rig.pass?.nodes.count { $0.score == nil } ?? 0
        }
        #expect(read <= 46, "\(read) nodes read for texts of 42 and 43")
        #expect(rig.cache.texts[1]?.starts(with: common + [60, 61, 62]) == true)
    }

    @Test("with room for fewer nodes than jobs these take turns, and each comes to read its text")
    func turns() {
        var rig = VerifierRig(nodesMax: 2)
        for job in 1...3 as ClosedRange<UInt64> {
            rig.step(.control(.assignJob(VerifierRig.assignment(.autoregressive, gamma: 0, job: job))))
        }
        var served: [SequenceID] = []
        for _ in 0..<30 {
            let scored = rig.pass?.nodes.filter { $0.score != nil } ?? []
            served += scored.map(\.sequence)
            rig.choose(scored.map { _ in 50 })
        }
        for sequence in [0, 1, 2] as [SequenceID] {
            #expect(served.suffix(18).count { $0 == sequence } >= 4, "\(served)")
        }
    }

    @Test("a job whose drafts fill every pass keeps no other from reading its text")
    func reading() {
        var rig = VerifierRig(nodesMax: 4)
        rig.begin(.stream, gamma: 8)
        let drafts = (11...17).map { TokenID(rawValue: $0) }
        rig.draft(drafts)
        rig.step(.control(.assignJob(VerifierRig.assignment(.autoregressive, gamma: 0, job: 2))))
        rig.choose([11])
        #expect(rig.pass?.line == "11@2? 12@3? 13@4? 1@0")
    }
}
