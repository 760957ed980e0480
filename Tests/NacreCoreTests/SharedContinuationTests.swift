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
}
