import NacreCore
import Testing

@Suite("The cache plan of a forest")
struct PathCoverTests {
    private static func request(_ position: Position) -> ScoreRequest {
        ScoreRequest(key: 1, index: position.rawValue, policy: .greedy)
    }

    /// Root 4; a: 1 (.5) with children b: 2 (.1), c: 3 (.9); d: 4 (.8) with child e: 5 (.9).
    private static var sample: DraftTree {
        var tree = DraftTree(root: 4)
        let a = tree.append(1, under: nil, probability: 0.5)
        tree.append(2, under: a, probability: 0.1)
        tree.append(3, under: a, probability: 0.9)
        let d = tree.append(4, under: nil, probability: 0.8)
        tree.append(5, under: d, probability: 0.9)
        return tree
    }

    private static func cover(_ chosen: [NodeIndex] = [0, 1, 2, 3, 4], lead: [TokenID] = [9]) -> PathCover {
        PathCover(
            sample, chosen: chosen, lead: lead, at: Position(rawValue: 4 - lead.count), owner: 0,
            branches: [10, 11, 12])
    }

    @Test("Depth first, the likeliest branch first and in the job's own sequence, every other leaf in a branch")
    func layout() {
        let cover = Self.cover()
        #expect(cover.drafts.map(\.token) == [4, 5, 1, 3, 2] && cover.parents == [nil, 0, nil, 2, 2])
        #expect(cover.drafts.map(\.position) == [4, 5, 4, 5, 5])
        #expect(cover.drafts.map(\.sequences) == [[0], [0], [10, 11], [10], [11]])
        #expect(cover.branches == [10, 11] && cover.rows == 6 && cover.spine == 2)
        #expect(cover.places == [3: 0, 4: 1, 0: 2, 2: 3, 1: 4])
        let nodes = cover.nodes(score: Self.request)
        #expect(nodes.map(\.sequence) == [0, 0, 0, 10, 10, 11])
        #expect(nodes.map(\.branches) == [[10, 11], [], [], [11], [], []])
        #expect(nodes.map(\.token) == [9, 4, 5, 1, 3, 2] && nodes.map { $0.score?.index } == [3, 4, 5, 4, 5, 5])
        // A part of the tree; tokens that were not cached yet go ahead without rows, in all sequences.
        let part = Self.cover([0, 3], lead: [7, 8, 9]).nodes(score: Self.request)
        #expect(part.map(\.token) == [7, 8, 9, 4, 1] && part.map(\.branches) == [[10], [10], [10], [], []])
        #expect(part.map { $0.score == nil } == [true, true, false, false, false])
    }

    @Test("A chain is the pass that it always was")
    func chain() {
        let chain = Self.cover([0, 2])
        let expected = [(9, 3), (1, 4), (3, 5)].map { token, position in
            ForestNode(
                token: TokenID(rawValue: UInt32(token)), position: Position(rawValue: position), sequence: 0,
                score: Self.request(Position(rawValue: position)))
        }
        #expect(chain.nodes(score: Self.request) == expected)
        #expect(chain.settle(accepting: 0) == .init(adoptions: [], releases: [], valid: 5))
        #expect(Self.cover([]).nodes(score: Self.request) == [expected[0]])
    }

    @Test("The spine's win needs no copy, a side branch is adopted from where it leaves the spine")
    func settlement() {
        let cover = Self.cover()
        let releases: [CacheEdit] = [.release(10), .release(11)]
        #expect(cover.settle(accepting: nil) == .init(adoptions: [], releases: releases, valid: 4))
        #expect(cover.settle(accepting: 4) == .init(adoptions: [], releases: releases, valid: 6))
        #expect(
            cover.settle(accepting: 1)
                == .init(
                    adoptions: [.init(branch: 11, owner: 0, positions: 4..<6)], releases: releases, valid: 6))
        #expect(
            cover.settle(accepting: 0)
                == .init(adoptions: [.init(branch: 10, owner: 0, positions: 4..<5)], releases: releases, valid: 5))
    }

    /// A job whose text is made up as it goes.
    private struct Job {
        var text: [TokenID]
        var cursor: CacheCursor
        var settlement: PathCover.Settlement?
    }

    private func settle(_ job: inout Job, in pass: inout EnginePass) {
        pass.adoptions += job.settlement?.adoptions ?? []
        pass.edits += job.settlement?.releases ?? []
        job.settlement = nil
    }

    @Test("Every node sees exactly its prefix, and after every verdict the cache holds the text", arguments: 0..<30)
    func visibility(seed: Int) {
        var random = SplitMix(seed: UInt64(seed))
        func below(_ bound: Int) -> Int { Int(random.next() % UInt64(bound)) }
        func token() -> TokenID { TokenID(rawValue: UInt32(below(4))) }
        let ids = (0..<4).map { SequenceID(rawValue: Int32($0)) }
        var jobs = ids.map { id in
            Job(text: (0..<1 + below(6)).map { _ in token() }, cursor: CacheCursor(sequence: id))
        }
        var cells = CellModel()
        var adoptions = 0
        for _ in 0..<60 {
            var free = (4..<40).map { SequenceID(rawValue: Int32($0)) }
            var pass = EnginePass()
            // Also of jobs that sit this pass out.
            for index in jobs.indices { settle(&jobs[index], in: &pass) }
            /// For each node the text that it must see.
            var prefixes: [[TokenID]] = []
            for index in jobs.indices where below(4) > 0 {
                if let edit = jobs[index].cursor.rewindIfNeeded() { pass.edits.append(edit) }
                let text = jobs[index].text
                let tree = DraftTree.random(below(10), root: Position(rawValue: text.count), tokens: 4, using: &random)
                let all = tree.indices
                let chosen = all.filter { node in
                    tree.path(to: node).allSatisfy { ($0.rawValue * 7 + seed) % 5 != 0 }
                }
                let start = jobs[index].cursor.valid
                let cover = PathCover(
                    tree, chosen: chosen, lead: Array(text[start.rawValue...]), at: start,
                    owner: jobs[index].cursor.sequence, branches: free)
                free.removeFirst(cover.branches.count)
                jobs[index].cursor.advance(by: cover.lead.count + cover.spine)
                pass.nodes += cover.nodes(score: Self.request)
                prefixes += (start.rawValue..<text.count).map { Array(text[...$0]) }
                prefixes += cover.drafts.map { text + tree.tokens(to: $0.node) }
                // The verdict: some draft or none, and a token that is no child of it or the next by chance.
                let accepted = ([nil] + chosen.map(Optional.some)).randomElement(using: &random) ?? nil
                let verdict = cover.settle(accepting: accepted)
                jobs[index].settlement = verdict
                jobs[index].cursor.settle(verdict)
                jobs[index].text += tree.tokens(to: accepted) + [token()]
                #expect(verdict.valid.rawValue == jobs[index].text.count - 1)
                adoptions += verdict.adoptions.count
            }
            let expected = prefixes
            cells.run(pass, compacting: below(3) == 0) { node, tokens in #expect(tokens == expected[node]) }
            // A pass without nodes does for the caches what the next one would.
            if below(3) == 0 {
                var settled = EnginePass()
                for index in jobs.indices {
                    settle(&jobs[index], in: &settled)
                    if let edit = jobs[index].cursor.rewindIfNeeded() { settled.edits.append(edit) }
                }
                cells.run(settled, compacting: below(2) == 0) { _, _ in }
                for job in jobs {
                    #expect(cells.text(job.cursor.sequence) == Array(job.text[..<job.cursor.valid.rawValue]))
                }
                #expect(cells.live == jobs.reduce(0) { $0 + $1.cursor.valid.rawValue })
            }
        }
        #expect(adoptions > 5)
        var end = EnginePass()
        for index in jobs.indices { settle(&jobs[index], in: &end) }
        end.edits += jobs.map { .release($0.cursor.sequence) }
        cells.run(end, compacting: false) { _, _ in }
        #expect(cells.live == 0)
    }
}
