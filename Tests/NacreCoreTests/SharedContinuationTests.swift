import NacreCore
import Testing

@Suite("Hypotheses that meet again")
struct SharedContinuationTests {
    private let plan = TreePlan.bestFirst(.init(nodesMax: 40, width: 3, depthMax: 6))

    @Test("With a drafter that looks back m tokens, sharing after m tokens saves rows and changes nothing")
    func exact() {
        for recent in 1...3 {
            // Proposals are a function of the position and of the last `recent` tokens.
            func proposals(_ path: [TokenID]) -> [TreeGrowth.Proposal] {
                var hash = SplitMix(seed: UInt64(path.count))
                for token in path.suffix(recent) { hash = SplitMix(seed: hash.next() ^ UInt64(token.rawValue)) }
                let weights = (0..<3).map { _ in hash.uniform() }.sorted(by: >)
                return NacreCoreTests.proposals(weights.map { $0 / (weights.reduce(0.1, +)) })
            }
            func grow(_ sharing: Int?, batch: Int) -> (tree: DraftTree, rows: Int, shared: Int) {
                var growth = TreeGrowth(root: 0, plan: plan, sharingRecent: sharing)
                var rows = 0
                while case let wanted = growth.next(batch), !wanted.isEmpty {
                    rows += wanted.count
                    for expansion in wanted {
                        growth.supply(proposals(growth.proposed.tokens(to: expansion.node)), for: expansion)
                    }
                }
                return (growth.tree, rows, growth.sharedExpansions)
            }
            for batch in [1, 4] {
                let own = grow(nil, batch: batch)
                let shared = grow(recent, batch: batch)
                #expect(shared.tree == own.tree && own.shared == 0)
                #expect(shared.rows < own.rows && shared.shared > 0, "recent \(recent), batch \(batch)")
            }
        }
    }

    @Test("Two nodes share if and only if position and recent tokens agree")
    func keys() throws {
        var growth = TreeGrowth(root: 0, plan: .fixed(try TreeShape(parsing: "2,2,1,1")), sharingRecent: 2)
        var asked: [[TokenID]] = []
        while let expansion = growth.next().first {
            let path = growth.proposed.tokens(to: expansion.node)
            asked.append(path)
            // Below [0, …] the tokens 5 and 6, below [1, …] 6 and 7: only [0, 6] and [1, 6] end in one token.
            let second: [TokenID] = path.first == 0 ? [5, 6] : [6, 7]
            let tokens: [TokenID] = path.isEmpty ? [0, 1] : path.count == 1 ? second : path.count == 2 ? [8] : [9]
            growth.supply(tokens.map { .init(token: $0, probability: 0.5) }, for: expansion)
        }
        // Depth 2: [0, 6] and [1, 6] differ in their last two tokens; depth 3: [·, 6, 8] agree in theirs.
        #expect(asked.filter { $0.count == 2 }.count == 4 && asked.filter { $0.count == 3 }.count == 3)
        #expect(growth.sharedExpansions == 1 && growth.tree.count == 2 + 4 + 4 + 4)
    }

    /// Grown so far that [0, 8] and [1, 8], which share, are to be expanded next.
    private func twins() throws -> TreeGrowth {
        var growth = TreeGrowth(root: 0, plan: .fixed(try TreeShape(parsing: "2,1,1")), sharingRecent: 1)
        for row in [[0, 1], [8], [8]] as [[TokenID]] {
            let expansion = try #require(growth.next().first)
            growth.supply(row.map { .init(token: $0, probability: 0.5) }, for: expansion)
        }
        return growth
    }

    @Test("Proposals that are awaited and do not come are asked for again, or those of the twin")
    func givenUp() throws {
        let (first, twin) = ([0, 8] as [TokenID], [1, 8] as [TokenID])
        var growth = try twins()
        func paths(_ wanted: [TreeGrowth.Expansion]) -> [[TokenID]] {
            wanted.map { growth.proposed.tokens(to: $0.node) }
        }
        var wanted = growth.next(4)
        let further = growth.next(4)
        #expect(paths(wanted) == [first] && further.isEmpty, "the twin waits")
        growth.abandon(try #require(wanted.first))
        wanted = growth.next(4)
        #expect(paths(wanted) == [first], "nobody would have been asked again")
        growth.supply([], for: try #require(wanted.first))
        wanted = growth.next(4)
        #expect(paths(wanted) == [twin] && growth.sharedExpansions == 0, "an empty answer is nobody else's")
        growth.supply([TreeGrowth.Proposal(token: 9, probability: 0.5)], for: try #require(wanted.first))
        #expect(growth.isComplete && growth.tree.count == 5)
    }

    @Test("A node that takes over proposals takes as many as it would have been given")
    func width() throws {
        // Three below each node of the spine, one below a node of a branch.
        let plan = TreePlan.outcomes(.init(spineMax: 2, fanOut: 2, branchesMax: 20, depthMax: 3))
        var growth = TreeGrowth(root: 0, plan: plan, sharingRecent: 1)
        var asked: [[TokenID]] = []
        while let expansion = growth.next().first {
            let path = growth.proposed.tokens(to: expansion.node)
            asked.append(path)
            let rows: [[TokenID]] = [[0, 1, 2], [5, 6, 7], [8, 9, 10]]
            growth.supply(
                zip(rows[path.count], [0.5, 0.3, 0.1]).map { .init(token: $0, probability: $1) }, for: expansion)
        }
        let (spine, branch) = ([0, 5] as [TokenID], [1, 5] as [TokenID])
        #expect(asked.contains(spine) && !asked.contains(branch), "the branch takes over: \(asked)")
        let node = growth.proposed.follow(branch)
        #expect(node.matched == 2 && growth.proposed.children(of: node.node).map { growth.proposed[$0].token } == [8])
        #expect(Array(growth.proposed.children(of: growth.proposed.follow(spine).node)).count == 3)
    }
}
