import NacreCore
import Testing

/// A drafter's cache against a model that only knows texts.
@Suite("The cache of a growing tree")
struct TreeCacheTests {
    /// Sequences as an engine would hold them.
    private struct Engine {
        var texts: [SequenceID: [TokenID]] = [:]

        mutating func perform(_ edits: [CacheEdit]) {
            for edit in edits {
                switch edit {
                case .rewind(let sequence, let length):
                    texts[sequence] = Array(texts[sequence, default: []].prefix(length.rawValue))
                case .release(let sequence): texts[sequence] = nil
                case .fork(let source, let target, let length):
                    let text = texts[source, default: []]
                    #expect(texts[target, default: []].isEmpty && text.count >= length.rawValue, "\(edit)")
                    texts[target] = Array(text.prefix(length.rawValue))
                }
            }
        }
    }

    /// A cache, the tree and text that it holds, and an engine that does what its edits say.
    private struct Life {
        static let sequences = 3
        var random: SplitMix
        var cache = TreeCache(trunk: 0)
        var engine = Engine()
        var free = (1..<Int32(sequences)).map { SequenceID(rawValue: $0) }
        var releases: [CacheEdit] = []
        var text: [TokenID] = [1, 2, 3]
        var tree = DraftTree(root: 3)
        var forks = 0
        var refusals = 0

        init(seed: Int) { random = SplitMix(seed: UInt64(seed)) }

        private mutating func pick(_ count: Int) -> Int { Int(random.next() % UInt64(count)) }

        /// Adds drafts, then caches some whose parents are cached, as one pass.
        mutating func pass() {
            for _ in 0..<(1 + pick(4)) where tree.count < 40 {
                let parent = tree.isEmpty || pick(4) == 0 ? nil : NodeIndex(rawValue: pick(tree.count))
                let token = TokenID(rawValue: UInt32(10 + pick(6)))
                if tree.child(of: parent, token: token) == nil { tree.append(token, under: parent, probability: 1) }
            }
            var edits = releases
            releases = []
            var nodes: [(SequenceID, Position, TokenID)] = []
            cache.beginPass()
            let (start, length) = (cache.cached(upTo: Position(rawValue: text.count)), Position(rawValue: text.count))
            if start < length {
                cache.extend(by: length - start, edits: &edits)
                for position in start.rawValue..<text.count {
                    nodes.append((cache.trunk, Position(rawValue: position), text[position]))
                }
            }
            for node in tree.indices where !cache.isCached(node) && pick(2) == 0 {
                guard tree[node].parent.map({ cache.isCached($0) }) ?? true else { continue }
                switch cache.place(node, in: tree, free: &free, edits: &edits) {
                case .at(let sequence): nodes.append((sequence, tree.position(of: node), tree[node].token))
                case .later: continue
                case .full: refusals += 1
                }
            }
            forks += edits.count { if case .fork = $0 { true } else { false } }
            engine.perform(edits)
            for (sequence, position, token) in nodes {
                #expect(engine.texts[sequence, default: []].count == position.rawValue, "a gap in \(sequence)")
                engine.texts[sequence, default: []].append(token)
            }
        }

        /// The text goes on along the tree, or leaves it.
        mutating func verdict() {
            var path: [NodeIndex] = []
            while path.count < 3, let child = Array(tree.children(of: path.last)).randomElement(using: &random) {
                path.append(child)
            }
            let leaves = path.isEmpty || pick(3) == 0
            let tokens = path.map { tree[$0].token }
            if leaves {
                cache.abandon(
                    keeping: tree.root + path.count, path: path, of: tree, releases: &releases, free: &free)
                text += tokens + [99]
                tree = DraftTree(root: Position(rawValue: text.count))
            } else {
                let part = tree.below(path.last)
                cache.commit(path: path, moved: part.moved, of: tree, releases: &releases, free: &free)
                text += tokens
                tree = part.tree
            }
        }

        /// Every sequence holds what it is believed to hold, and every cached node lies on its own path.
        mutating func audit() {
            engine.perform(releases)
            releases = []
            let contents = cache.contents(text: text, tree: tree)
            for content in contents {
                let held = engine.texts[content.sequence, default: []]
                #expect(held.count == content.filled && held.starts(with: content.tokens), "\(content), \(held)")
            }
            for node in tree.indices where cache.isCached(node) {
                let path = text + tree.tokens(to: node)
                #expect(contents.contains { $0.tokens.starts(with: path) }, "\(path) is nowhere")
            }
            let used = Set(contents.map(\.sequence))
            #expect(used.isDisjoint(with: free) && Set(free).count == free.count, "an id twice")
            #expect(used.count + free.count == Self.sequences, "an id is lost")
        }
    }

    @Test("every sequence holds what it is believed to hold, through growth, commits and rollbacks", arguments: 0..<60)
    func life(seed: Int) {
        var life = Life(seed: seed)
        for round in 0..<150 {
            life.pass()
            life.audit()
            if round % 3 == 2 {
                life.verdict()
                life.audit()
            }
        }
        #expect(life.forks > 5 && life.refusals > 0, "\(life.forks) forks, \(life.refusals) refused")
        life.cache.reset(releases: &life.releases, free: &life.free)
        life.audit()
        #expect(life.free.count == Life.sequences - 1)
        life.cache.releaseAll(releases: &life.releases, free: &life.free)
        life.engine.perform(life.releases)
        #expect(life.free.count == Life.sequences && life.engine.texts.isEmpty)
    }

    @Test("a branch that begins with what its own pass computes waits for the next")
    func later() {
        var tree = DraftTree(root: 2)
        let parent = tree.append(10, under: nil, probability: 1)
        let (first, second) = (
            tree.append(11, under: parent, probability: 1), tree.append(12, under: parent, probability: 1)
        )
        var (cache, free, edits): (_, [SequenceID], [CacheEdit]) = (TreeCache(trunk: 0), [1], [])
        cache.beginPass()
        cache.extend(by: 2, edits: &edits)
        let places = [parent, first, second].map { cache.place($0, in: tree, free: &free, edits: &edits) }
        #expect(places == [.at(0), .at(0), .later] && edits.isEmpty && free == [1])
        cache.beginPass()
        #expect(cache.place(second, in: tree, free: &free, edits: &edits) == .at(1))
        #expect(edits == [.fork(0, to: 1, length: 3)])
    }

    @Test("the text along a branch makes it the trunk, and cuts nothing that still stands")
    func trunk() {
        var tree = DraftTree(root: 1)
        let one = tree.append(10, under: nil, probability: 1)
        let two = tree.append(11, under: nil, probability: 1)
        let below = tree.append(12, under: two, probability: 1)
        var (cache, free, edits): (_, [SequenceID], [CacheEdit]) = (TreeCache(trunk: 0), [1], [])
        cache.beginPass()
        cache.extend(by: 1, edits: &edits)
        _ = cache.place(one, in: tree, free: &free, edits: &edits)
        cache.beginPass()
        for node in [two, below] { _ = cache.place(node, in: tree, free: &free, edits: &edits) }
        var releases: [CacheEdit] = []
        cache.commit(path: [two], moved: tree.below(two).moved, of: tree, releases: &releases, free: &free)
        #expect(cache.trunk == 1 && releases == [.release(0)] && free == [0])
        #expect(cache.filled == 3 && cache.cached(upTo: 2) == 2 && cache.isCached(0))
    }
}
