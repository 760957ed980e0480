import NacreCore
import RealModule
import Testing

@Suite("The draft tree")
struct DraftTreeTests {
    @Test("Nodes know their place: depth, position, path, children in order of appending")
    func structure() {
        var tree = DraftTree(root: 12)
        let a = tree.append(7, under: nil, probability: 0.5)
        let b = tree.append(3, under: nil, probability: 0.25)
        let c = tree.append(7, under: a, probability: 0.5)
        let d = tree.append(1, under: a, probability: 0.125)
        #expect(Array(tree.children(of: nil)) == [a, b] && Array(tree.children(of: a)) == [c, d])
        #expect(Array(tree.children(of: b)) == [])
        #expect(tree.position(of: a) == 12 && tree.position(of: d) == 13 && tree[d].depth == 2)
        #expect(tree[d].pathProbability == 0.0625 && tree[d].probability == 0.125)
        #expect(tree.path(to: d) == [a, d] && tree.tokens(to: c) == [7, 7] && tree.path(to: nil) == [])
        #expect(tree.child(of: a, token: 1) == d && tree.child(of: a, token: 3) == nil)
        #expect(tree.follow([7, 1, 9]) == (d, 2) && tree.follow([9]) == (nil, 0) && tree.follow([]) == (nil, 0))
    }

    @Test("No path probability exceeds its parent's, also after rounding", arguments: 0..<10)
    func falling(seed: Int) {
        var random = SplitMix(seed: UInt64(seed))
        let tree = DraftTree.random(200, using: &random)
        for node in tree.nodes {
            #expect(node.pathProbability <= node.parent.map { tree[$0].pathProbability } ?? 1)
        }
    }

    @Test("A commit keeps exactly the paths that go through it, in their order", arguments: 0..<30)
    func surviving(seed: Int) throws {
        var random = SplitMix(seed: UInt64(seed))
        let tree = DraftTree.random(1 + seed, tokens: 3, using: &random)
        for accepted in [nil] + tree.indices.map(Optional.some) {
            let committed = tree.tokens(to: accepted)
            let part = try #require(tree.surviving(committed))
            #expect(part.tree.root == tree.root + committed.count)
            let expected = tree.allPaths.filter { $0.starts(with: committed) && $0.count > committed.count }
            #expect(part.tree.allPaths == Set(expected.map { Array($0.dropFirst(committed.count)) }))
            let moved = part.moved.compactMap(\.self)
            #expect(moved == part.tree.indices, "survivors keep their order and are numbered anew")
            for (old, new) in part.moved.enumerated() {
                guard let new else { continue }
                let before = NodeIndex(rawValue: old)
                #expect(tree.tokens(to: before) == committed + part.tree.tokens(to: new))
                #expect(tree[before].probability == part.tree[new].probability)
                let path = part.tree.path(to: new).reduce(1) { $0 * part.tree[$1].probability }
                #expect(path == part.tree[new].pathProbability)
            }
            // Token 3 is in no tree of this test.
            #expect(tree.surviving(committed + [3]) == nil)
        }
    }

    @Test("A union holds the paths of both, each once, and this tree's nodes first", arguments: 0..<20)
    func union(seed: Int) {
        var random = SplitMix(seed: UInt64(seed))
        let left = DraftTree.random(12, tokens: 3, using: &random)
        let right = DraftTree.random(12, tokens: 3, using: &random)
        var both = left
        both.unite(with: right)
        #expect(both.allPaths == left.allPaths.union(right.allPaths))
        #expect(both.count == both.allPaths.count)
        #expect(both.nodes.prefix(left.count).map(\.token) == left.nodes.map(\.token))
        let again = both
        both.unite(with: right)
        #expect(both == again)
    }
}

@Suite("A draft tree from a peer")
struct UntrustedTreeTests {
    private static let limits = DraftTree.Limits(nodesMax: 20, depthMax: 4, widthMax: 3, vocabularySize: 10)

    private func fault(
        _ parents: [UInt32], _ tokens: [TokenID], _ probabilities: [Double] = [], on tree: DraftTree = .init(root: 3)
    ) -> DraftTreeFault? {
        var tree = tree
        let before = tree
        do throws(DraftTreeFault) {
            try tree.receive(parents: parents, tokens: tokens, probabilities: probabilities, limits: Self.limits)
            return nil
        } catch {
            #expect(tree == before, "a refused message changes nothing")
            #expect(!error.description.isEmpty)
            return error
        }
    }

    @Test("Each thing that makes no tree is named")
    func faults() {
        #expect(fault([], []) == nil)
        #expect(fault([0, 1, 1, 0], [5, 5, 6, 6], [1, 0, 0.5, 0.25]) == nil)
        #expect(fault([0], []) == .uneven(parents: 1, tokens: 0, probabilities: 0))
        #expect(fault([0, 1], [1, 2], [0.5]) == .uneven(parents: 2, tokens: 2, probabilities: 1))
        #expect(fault([0, 2], [1, 2]) == .parentNotBefore(node: 1, parent: 1))
        #expect(fault([0, .max], [1, 2]) == .parentNotBefore(node: 1, parent: Int(UInt32.max) - 1))
        #expect(fault([1], [1]) == .parentNotBefore(node: 0, parent: 0))
        #expect(fault([0, 1, 2, 3], [1, 1, 1, 1]) == nil)
        #expect(fault([0, 1, 2, 3, 4], [1, 1, 1, 1, 1]) == .tooDeep(node: 4, max: 4))
        #expect(fault([0, 0, 0], [1, 2, 3]) == nil)
        #expect(fault([0, 0, 0, 0], [1, 2, 3, 4]) == .tooWide(node: 3, max: 3))
        #expect(fault([0, 1, 0], [1, 2, 1]) == .repeatedSibling(node: 2))
        #expect(fault([0], [10]) == .tokenOutsideVocabulary(node: 0, vocabularySize: 10))
        for nonsense in [-0.1, 1.1, .nan, .infinity] {
            #expect(fault([0, 0], [1, 2], [1, nonsense]) == .impossibleProbability(node: 1))
        }
        #expect(fault(Array(repeating: 0, count: 21), Array(repeating: 1, count: 21)) == .tooManyNodes(21, max: 20))
    }

    @Test("Later messages go on where earlier ones ended")
    func continues() throws {
        var tree = DraftTree(root: 3)
        try tree.receive(parents: [0, 1], tokens: [4, 5], limits: Self.limits)
        #expect(fault([0], [4], on: tree) == .repeatedSibling(node: 2))
        #expect(fault([4], [1], on: tree) == .parentNotBefore(node: 2, parent: 3))
        let many = fault(Array(repeating: 0, count: 19), Array(repeating: 1, count: 19), on: tree)
        #expect(many == .tooManyNodes(21, max: 20))
        try tree.receive(parents: [2, 3], tokens: [6, 7], limits: Self.limits)
        #expect(tree.tokens(to: 3) == [4, 5, 6, 7])
    }

    @Test("Whatever arrives is refused or is a tree within its limits", arguments: 0..<40)
    func fuzz(seed: Int) {
        var random = SplitMix(seed: UInt64(seed))
        var taken = 0
        for _ in 0..<200 {
            let count = Int(random.next() % 8)
            let parents = (0..<count).map { _ in UInt32(random.next() % 6) }
            let tokens = (0..<count).map { _ in TokenID(rawValue: UInt32(random.next() % 11)) }
            var tree = DraftTree(root: 0)
            guard (try? tree.receive(parents: parents, tokens: tokens, limits: Self.limits)) != nil else { continue }
            taken += 1
            #expect(tree.nodes.map(\.token) == tokens && tree.nodes.allSatisfy { $0.depth <= 4 && $0.token < 10 })
            #expect(tree.nodes.map { $0.parent.map { UInt32($0.rawValue + 1) } ?? 0 } == parents)
            #expect(tree.allPaths.count == count, "no two nodes with one path")
            #expect(([nil] + tree.indices.map(Optional.some)).allSatisfy { Array(tree.children(of: $0)).count <= 3 })
        }
        #expect(taken > 20)
    }
}

@Suite("The static shape")
struct TreeShapeTests {
    @Test("4,2,2,1 has 4 + 8 + 16 + 16 nodes, and a shape reads what it writes")
    func parses() throws {
        let shape = try TreeShape(parsing: "4,2,2,1")
        #expect(shape.widths == [4, 2, 2, 1] && shape.nodes == 44 && shape.depth == 4)
        #expect(try TreeShape(parsing: " 4, 2 ,2,1 ") == shape)
        #expect(shape.description == "4,2,2,1")
        #expect(try TreeShape.chain(5) == TreeShape([1, 1, 1, 1, 1]) && TreeShape.chain(5).nodes == 5)
        #expect(try TreeShape(parsing: "256").nodes == 256)
    }

    @Test(
        "What cannot be used is named, with what would do",
        arguments: [
            ("", "nothing stands where the width of level 1"), ("4,,2", "nothing stands where the width of level 2"),
            ("4,2,", "nothing stands where the width of level 3"), ("4;2", "'4;2' stands where the width of level 1"),
            ("4,x", "'x' stands where the width of level 2"), ("4,0,1", "width 0 on level 2"), ("-1", "width -1"),
            ("257", "more than 256 nodes by level 1"), ("16,16", "more than 256 nodes by level 2"),
            ("9223372036854775807,9223372036854775807", "more than 256 nodes by level 1"),
            ("99999999999999999999", "stands where the width of level 1"),
        ])
    func refuses(text: String, reason: String) throws {
        let error = #expect(throws: TreeShapeError.self) { try TreeShape(parsing: text) }
        #expect(try #require(error).description.contains(reason), "\(text): \(String(describing: error))")
    }

    @Test("Deep, empty and negative shapes are refused")
    func bounds() {
        #expect(throws: TreeShapeError.self) { try TreeShape([]) }
        #expect(throws: TreeShapeError.self) { try TreeShape.chain(0) }
        #expect(throws: TreeShapeError.self) { try TreeShape.chain(-3) }
        #expect(throws: TreeShapeError.self) { try TreeShape.chain(.max) }
        #expect(throws: TreeShapeError.self) { try TreeShape.chain(65) }
        #expect((try? TreeShape.chain(64))?.nodes == 64)
    }
}
