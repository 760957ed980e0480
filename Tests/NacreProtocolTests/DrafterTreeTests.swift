import NacreCore
import NacreProtocol
import Testing

/// Trees as a drafter grows them. The context is [1, 2].
@Suite struct DrafterTreeTests {
    private func shape(_ widths: Int...) throws -> DraftShape { .fixed(try TreeShape(widths)) }

    @Test("a static shape grows level by level, a branch for each further path")
    func fixed() throws {
        var rig = DrafterRig(branches: 4)
        rig.open(0, limit: 9, shape: try shape(2, 2))
        #expect(rig.pass?.treeLine == "1@0/0 2@1?/0")
        let first = rig.propose([[11, 12]])
        #expect(first.map(\.tokens) == [[11, 12]] && first.map(\.parents) == [[0, 0]] && first[0].end == .open)
        #expect(rig.pass?.edits == [.fork(0, to: 1, length: 2)] && rig.pass?.treeLine == "11@2?/0 12@2?/1")
        let second = rig.propose([[21, 22], [31, 32]])
        #expect(second.map(\.tokens) == [[21, 22, 31, 32]] && second.map(\.parents) == [[1, 1, 2, 2]])
        #expect(second[0].firstNode == 2 && second[0].end == .windowFull && rig.pass == nil)
    }

    @Test("without a free branch the tree stays smaller, and the drafter says that this is all", arguments: [0, 1])
    func noBranch(branches: Int) throws {
        // The second stream takes the sequence that is left.
        var rig = DrafterRig(branches: branches)
        rig.open(0, limit: 4, shape: try shape(3, 1))
        rig.open(1, [3, 4], limit: 2)
        rig.propose([[11, 12, 13]])
        let rows = rig.pass?.nodes.count ?? 0
        #expect(rows == 1 + branches)
        let last = rig.propose((0..<rows).map { [TokenID(rawValue: UInt32(20 + $0))] })
        #expect(last.last?.tokens.count == rows && last.last?.end == .windowFull)
    }

    @Test("where no wanted node has a place the next ones are tried: the stream does not stall")
    func fullEverywhere() throws {
        var rig = DrafterRig()
        rig.open(0, limit: 4, shape: .best(nodesMax: 40, width: 10))
        rig.open(1, [3, 4], limit: 2)
        let row = (11...20).map { TokenID(rawValue: $0) }
        var said = rig.propose([row])
        for _ in 0..<20 {
            guard let pass = rig.pass else { break }
            said += rig.propose(pass.nodes.filter { $0.score != nil }.map { _ in row })
        }
        #expect(rig.pass == nil && said.last?.end == .windowFull, "neither a pass nor a word")
        #expect(said.flatMap(\.tokens).count == 20, "ten, and ten below the one that has a sequence")
    }

    /// Opens a tree 2,2 and drafts it whole: 11 (21, 22) and 12 (31, 32).
    private func grown() throws -> DrafterRig {
        var rig = DrafterRig(branches: 4)
        rig.open(0, limit: 9, shape: try shape(2, 2))
        rig.propose([[11, 12]])
        rig.propose([[21, 22], [31, 32]])
        return rig
    }

    @Test("text along a side branch makes the branch the trunk; nothing is computed again, every verdict is answered")
    func sideBranch() throws {
        var rig = try grown()
        let lines = rig.verdict([12], committed: 3, next: 1, limit: 9)
        #expect(lines.count == 1 && rig.pass?.edits == [.release(0), .fork(1, to: 0, length: 3)])
        // What was cached stays; 31 and 32 are the next level's parents.
        #expect(rig.pass?.treeLine == "31@3?/1 32@3?/0")
        let more = rig.propose([[41, 42], [51, 52]])
        #expect(more.map(\.epoch) == [0] && more.map(\.heard) == [1] && more.map(\.firstNode) == [6])
        #expect(more.map(\.parents) == [[5, 5, 6, 6]], "by the numbers of their epoch")
    }

    @Test("a verdict that leaves the tree frees every branch")
    func rollback() throws {
        var rig = try grown()
        #expect(rig.machine.freeSequenceCount == 4)
        _ = rig.verdict([12, 50], committed: 4, next: 1, limit: 9)
        #expect(rig.pass?.treeLine == "50@3?/1" && rig.machine.freeSequenceCount == 5)
        #expect(rig.propose([[61, 62]]).map(\.epoch) == [1])
    }

    @Test("scores under way when a verdict comes count if their nodes are still there")
    func inFlight() throws {
        var rig = DrafterRig(branches: 4)
        rig.open(0, limit: 9, shape: try shape(2, 2))
        rig.propose([[11, 12]])
        #expect(rig.verdict([12], committed: 3, next: 1, limit: 9).isEmpty)
        let drafts = rig.propose([[21, 22], [31, 32]])
        #expect(drafts.map(\.tokens) == [[31, 32]] && drafts.map(\.parents) == [[2, 2]])
    }

    @Test("a verdict that leaves nothing to draft is answered by an empty draft, once")
    func emptyAnswer() {
        var rig = DrafterRig()
        rig.open(0, limit: 4)
        _ = rig.draw([11])
        _ = rig.draw([12])
        _ = rig.verdict([11], committed: 3, next: 1, limit: 4)
        #expect(rig.drafts.map(\.tokens) == [[]] && rig.drafts.map(\.heard) == [1] && rig.drafts[0].end == .windowFull)
        rig.step(.received(1, .rowRequest(RowRequest(stream: 0, epoch: 0, node: 0))))
        #expect(rig.effects.isEmpty)
    }

    @Test("a chain with branches: the spine first, then what follows where the target leaves it")
    func outcomes() {
        var rig = DrafterRig(branches: 8)
        rig.open(0, limit: 6, branches: 8, nodesMax: 2)
        #expect(rig.propose([[11, 12, 13]]).flatMap(\.tokens) == [11])
        let second = rig.propose([[21, 22, 23]])
        #expect(second.flatMap(\.tokens).first == 21, "the spine goes on before any branch")
        #expect(Set(second.flatMap(\.tokens)) == [21, 12, 13, 22, 23], "then where the target may leave it")
        var below = 0
        for _ in 0..<8 {
            guard let pass = rig.pass else { break }
            below += rig.propose(pass.nodes.filter { $0.score != nil }.map { _ in [31, 32] }).flatMap(\.tokens).count
        }
        #expect(below == 4 && rig.pass == nil, "ten drafts, of which two are the spine")
        // The outcome 12 was prepared: the epoch goes on below it.
        _ = rig.verdict([12], committed: 3, next: 1, limit: 7)
        let next = rig.drafts + rig.propose(rig.pass?.nodes.filter { $0.score != nil }.map { _ in [41, 42] } ?? [])
        #expect(next.first?.epoch == 0 && next.first?.heard == 1)
    }

    @Test("beams that meet again are each continued, whatever a verifier says of merging", arguments: [0, 1, 2])
    func meetingBeams(merge: Int) throws {
        var rig = DrafterRig(branches: 4)
        let open = DraftOpen(
            stream: 0, job: JobID(high: 0, low: 0), attempt: 1, epoch: 0, key: 5, sampling: .greedy, promptLength: 2,
            positionLimit: 6, shape: .beams(width: 2, onePath: false), merge: merge, contextTotal: 2, contextOffset: 0,
            context: [1, 2])
        rig.step(.received(1, .draftOpen(open)))
        let following: [TokenID: (TokenID, TokenID)] = [2: (10, 11), 10: (12, 13), 11: (12, 13), 12: (14, 15)]
        var drafts: [Draft] = []
        for _ in 0..<8 {
            guard let pass = rig.pass else { break }
            rig.pass = nil
            let laws = try pass.nodes.filter { $0.score != nil }.map { node in
                var weights = Array(repeating: 0.0, count: 100)
                let (likely, other) = following[node.token] ?? (16, 17)
                (weights[Int(likely.rawValue)], weights[Int(other.rawValue)]) = node.token == 2 ? (6, 4) : (9, 1)
                return Score.law(try #require(Distribution(weights: weights)))
            }
            rig.step(.passed(.done(laws, started: 0, ended: 1_000)))
            drafts += rig.drafts
        }
        #expect(drafts.flatMap(\.tokens) == [10, 11, 12, 12, 14, 14, 16, 16])
        #expect(drafts.last?.end == .windowFull)
    }

    @Test("after a full cache the tree is read again, over several passes if it must")
    func cacheFull() throws {
        // A bushy tree, and a path longer than a pass.
        for (nodesMax, row, passes) in [(64, [21, 22], 3), (4, [21], 6)] as [(Int, [TokenID], Int)] {
            var rig = DrafterRig(nodesMax: nodesMax, branches: 4)
            rig.open(0, limit: 12, shape: .best(nodesMax: 20, width: 2))
            func scored() -> [[TokenID]] { rig.pass?.nodes.filter { $0.score != nil }.map { _ in row } ?? [] }
            for _ in 0..<passes { rig.propose(scored()) }
            rig.open(1, [3, 4], limit: 4)
            rig.propose(scored())
            #expect(rig.pass?.nodes.contains { $0.token == 3 } == true, "the youngest is in the pass")
            rig.cache = rig.refused
            rig.pass = nil
            rig.step(.passed(.cacheFull))
            var nodes = 0
            for _ in 0..<60 {
                guard let pass = rig.pass else { break }
                nodes += pass.nodes.count
                rig.propose(scored())
            }
            #expect(rig.pass == nil && rig.machine.streamCount == 1 && nodes > 4, "\(nodes) nodes")
        }
    }
}
