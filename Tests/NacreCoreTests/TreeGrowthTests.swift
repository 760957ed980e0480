import NacreCore
import Testing

/// An unbounded tree of candidates: the probabilities of each node's children are a function of its path.
private struct Candidates {
    let seed: UInt64
    let width: Int

    func proposals(below path: [TokenID]) -> [TreeGrowth.Proposal] {
        var hash = SplitMix(seed: seed)
        for token in path { hash = SplitMix(seed: hash.next() ^ UInt64(token.rawValue)) }
        let weights = (0..<width).map { _ in hash.uniform() }.sorted(by: >)
        let total = weights.reduce(0.2, +)
        return NacreCoreTests.proposals(weights.map { $0 / total })
    }

    /// All candidates down to `depth`.
    func all(depth: Int) -> DraftTree {
        var tree = DraftTree(root: 0)
        func fill(_ node: NodeIndex?, _ path: [TokenID]) {
            guard path.count < depth else { return }
            for proposal in proposals(below: path) {
                let child = tree.append(proposal.token, under: node, probability: proposal.probability)
                fill(child, path + [proposal.token])
            }
        }
        fill(nil, [])
        return tree
    }

    /// Drives a growth to its end with `batch` expansions per pass; returns it with the passes and rows it took.
    func grow(
        _ plan: TreePlan, batch: Int = 1, endTokens: Set<TokenID> = [], sharingRecent: Int? = nil
    ) -> (growth: TreeGrowth, passes: Int, rows: Int) {
        var growth = TreeGrowth(root: 0, plan: plan, endTokens: endTokens, sharingRecent: sharingRecent)
        let (passes, rows) = drive(&growth, batch: batch)
        return (growth, passes, rows)
    }

    @discardableResult
    func drive(_ growth: inout TreeGrowth, batch: Int = 1, behind prefix: [TokenID] = []) -> (passes: Int, rows: Int) {
        var work = (passes: 0, rows: 0)
        while case let wanted = growth.next(batch), !wanted.isEmpty {
            #expect(wanted.count <= batch)
            work.passes += 1
            work.rows += wanted.count
            for expansion in wanted {
                let path = prefix + growth.proposed.tokens(to: expansion.node)
                growth.supply(proposals(below: path), for: expansion)
            }
        }
        return work
    }
}

@Suite("The growth of draft trees")
struct TreeGrowthTests {
    private func bestFirst(_ nodes: Int, width: Int = 4, depth: Int = 64, pathMin: Double = 0) -> TreePlan {
        .bestFirst(.init(nodesMax: nodes, width: width, depthMax: depth, pathMin: pathMin))
    }

    @Test(
        "Sequoia's values: a = (.6, .2, .1, .05) gives 1.6, 2.176, 2.7456, 3.30936, 3.86849 tokens",
        arguments: [(2, 1.6), (4, 2.176), (8, 2.7456), (16, 3.30936), (32, 3.86849)])
    func sequoia(nodes: Int, value: Double) {
        var growth = TreeGrowth(root: 0, plan: bestFirst(nodes - 1))
        while let expansion = growth.next().first { growth.supply(proposals([0.6, 0.2, 0.1, 0.05]), for: expansion) }
        let tokens = growth.tree.nodes.reduce(1) { $0 + $1.pathProbability }
        #expect(growth.tree.count == nodes - 1 && abs(tokens - value) < 5e-6, "\(tokens)")
    }

    @Test("No other subtree with as many nodes is worth more", arguments: 0..<40)
    func optimal(seed: Int) {
        let candidates = Candidates(seed: UInt64(seed), width: 1 + seed % 3)
        let all = candidates.all(depth: seed % 3 == 2 ? 2 : 3)
        let sets = all.count < 16 ? all.closedSets : []
        for nodes in 0...8 {
            let grown = candidates.grow(bestFirst(nodes, width: 3, depth: seed % 3 == 2 ? 2 : 3)).growth.tree
            let value = grown.nodes.reduce(0) { $0 + $1.pathProbability }
            #expect(grown.count == min(nodes, all.count) && grown.allPaths.isSubset(of: all.allPaths))
            // The bound of all sets, closed or not, is that of the most probable nodes; where there are few, all sets.
            let top = all.nodes.map(\.pathProbability).sorted(by: >).prefix(nodes).reduce(0, +)
            #expect(abs(value - top) < 1e-12)
            let best = sets.filter { $0.count <= nodes }.map { $0.reduce(0) { $0 + all[$1].pathProbability } }.max()
            if let best { #expect(value >= best - 1e-12) }
        }
    }

    @Test("Expanding several nodes at a time changes the work and not the tree", arguments: 0..<20)
    func batches(seed: Int) {
        let candidates = Candidates(seed: UInt64(seed), width: 4)
        let alone = candidates.grow(bestFirst(24))
        #expect(alone.passes == alone.rows && alone.rows <= 24)
        for batch in [2, 4, 16] {
            let grown = candidates.grow(bestFirst(24), batch: batch)
            #expect(grown.growth.tree == alone.growth.tree)
            #expect(grown.passes < alone.passes && grown.rows >= alone.rows)
        }
    }

    @Test("The tree is at any moment the best of its size, and grows on when its budget is raised", arguments: 0..<20)
    func anytime(seed: Int) {
        let candidates = Candidates(seed: UInt64(seed), width: 3)
        let whole = candidates.grow(bestFirst(30)).growth.tree
        var growth = TreeGrowth(root: 0, plan: bestFirst(0))
        #expect(growth.next().isEmpty)
        for nodes in [1, 2, 5, 11, 30] {
            growth.replan(bestFirst(nodes))
            candidates.drive(&growth, batch: 1 + nodes % 3)
            #expect(growth.tree.nodes.map(\.token) == whole.nodes.prefix(nodes).map(\.token))
            #expect(growth.tree.nodes.map(\.parent) == whole.nodes.prefix(nodes).map(\.parent))
        }
        growth.replan(bestFirst(3))
        #expect(growth.tree.count == 30, "what has entered stays")
    }

    @Test("Drafts below the least useful probability are left out, and nothing is drafted below them or below an end")
    func bounds() {
        let candidates = Candidates(seed: 3, width: 4)
        let grown = candidates.grow(bestFirst(200, pathMin: 0.02)).growth.tree
        let all = candidates.all(depth: 5)
        #expect(grown.count == all.nodes.count { $0.pathProbability >= 0.02 } && grown.count > 10)
        #expect(grown.nodes.allSatisfy { $0.pathProbability >= 0.02 && $0.depth < 5 })
        let ended = candidates.grow(bestFirst(60, depth: 3), endTokens: [0, 2]).growth.tree
        #expect(ended.nodes.allSatisfy { $0.parent.map { ![0, 2].contains(ended[$0].token) } ?? true })
        #expect(ended.nodes.contains { $0.token == 0 } && ended.count == 4 + 8 + 16)
        #expect(candidates.grow(bestFirst(9, depth: 0)).growth.tree.isEmpty)
    }

    @Test("A fixed shape takes what it says, level by level, siblings in the order of drawing")
    func fixed() throws {
        let shape = try TreeShape(parsing: "3,2,1")
        for batch in [1, 3, 100] {
            var growth = TreeGrowth(root: 7, plan: .fixed(shape))
            var sizes: [Int] = []
            while case let wanted = growth.next(batch), !wanted.isEmpty {
                sizes.append(wanted.count)
                // Rising probabilities: a draw is kept in its place whatever its probability.
                for expansion in wanted { growth.supply(proposals([0, 0.1, 0.2, 0.3]), for: expansion) }
            }
            #expect(growth.tree.nodes.map(\.token) == [0, 1, 2, 0, 1, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0])
            #expect(growth.tree.count == shape.nodes)
            #expect(sizes.reduce(0, +) == 10 && (batch < 100 || sizes == [1, 3, 6]))
        }
        let poor = Candidates(seed: 1, width: 1).grow(.fixed(shape)).growth.tree
        #expect(poor.count == 3, "a drafter with one candidate gives a chain")
    }

    @Test("A commit keeps what was proposed below it, in the tree or not, and the growth goes on", arguments: 0..<30)
    func commit(seed: Int) throws {
        let candidates = Candidates(seed: UInt64(seed), width: 3)
        var growth = TreeGrowth(root: 0, plan: bestFirst(12))
        while growth.tree.count < 8 {
            for expansion in growth.next(1 + seed % 4) {
                growth.supply(candidates.proposals(below: growth.proposed.tokens(to: expansion.node)), for: expansion)
            }
        }
        let late = growth.next(2)
        #expect(late.isEmpty == (growth.tree.count == 12))
        let before = growth
        for node in [nil] + before.proposed.indices.map(Optional.some) {
            var growth = growth
            let committed = before.proposed.tokens(to: node)
            let result = growth.commit(committed)
            let moves = try #require(result)
            #expect(moves.root == node && moves.rootInTree == node.flatMap { before.placeInTree($0) })
            for (old, new) in moves.proposed.enumerated() {
                let path = before.proposed.tokens(to: NodeIndex(rawValue: old))
                #expect((new != nil) == (path.starts(with: committed) && path.count > committed.count))
                if let new { #expect(committed + growth.proposed.tokens(to: new) == path) }
            }
            #expect(growth.proposed.root == Position(rawValue: committed.count))
            #expect(growth.tree.root == growth.proposed.root)
            for (old, new) in moves.tree.enumerated() {
                let path = before.tree.tokens(to: NodeIndex(rawValue: old))
                #expect((new != nil) == (path.starts(with: committed) && path.count > committed.count))
                if let new { #expect(committed + growth.tree.tokens(to: new) == path) }
            }
            // Answers to questions from before the commit are of use where their node is still there. The others
            // would put impossible drafts into the tree.
            for expansion in late {
                let path = before.proposed.tokens(to: expansion.node)
                let isAlive = path.starts(with: committed)
                #expect((growth.node(of: expansion) != nil) == isAlive)
                growth.supply(isAlive ? candidates.proposals(below: path) : proposals([1, 1, 1]), for: expansion)
            }
            candidates.drive(&growth, behind: committed)
            // The survivors first, then the best of what is left: in all the same as grown from nothing.
            var reference = TreeGrowth(root: growth.tree.root, plan: bestFirst(12))
            candidates.drive(&reference, behind: committed)
            #expect(growth.tree.allPaths == reference.tree.allPaths, "seed \(seed) after \(committed)")
        }
        let moved = growth.commit([99])
        #expect(moved == nil && growth.tree == before.tree && growth.proposed == before.proposed)
    }
}
