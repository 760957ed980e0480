/// A node of a forest: a tree, and a node of it, `nil` being its root.
package struct BeamPlace: Sendable, Hashable {
    package var tree: Int
    package var node: NodeIndex?

    package init(tree: Int, node: NodeIndex?) {
        self.tree = tree
        self.node = node
    }
}

/// Drafts for all beams at once, one tree below each: what DSBD verifies.
///
///     var forest = DraftForest(roots: beams.live.count, root: length, index: beams.index, ends: beams.ends)
///     for _ in 0..<gamma {                       // one pass of the draft model, over `forest.open`, per layer
///         forest.draw(4, epoch: epoch, chance: &chance) { rows[$0] }
///     }
///     send(forest.layers.indices.map(forest.sent))
///
/// A layer is a number of independent draws from Q(k, x) = v_k · q(x | draft beam k) over the draft beams before it:
/// the roots with equal weights, then the draws of the layer before, weighted by their own Q. Every draw is a draft
/// beam of the next layer, also one that came before; draws of one text share a node of the tree, so that a pass
/// evaluates it once. The number of draws is settled before the first of a layer (ALGORITHMS 0.5).
///
/// Draws are independent because the rule is that of independent draws: without replacement it would be biased.
///
/// - Source: Qin et al., "Dynamic-width speculative beam decoding for efficient LLM inference", AAAI 2025
///   (arXiv 2409.16560), section 3 (draft forest).
package struct DraftForest: Sendable, Hashable {
    /// One draw of a layer.
    package struct Draw: Sendable, Hashable {
        /// The draft beam that it goes on: a root for the first layer, else a draw of the layer before.
        package let parent: Int
        package let token: TokenID
        /// Where it lies.
        package let place: BeamPlace
    }

    /// One layer as it is sent.
    package struct Layer: Sendable, Hashable {
        /// The draft beams' numbers and their tokens, in the order of drawing.
        package var draws: [BeamToken]
        /// What they were drawn from: a row for each node that was open, in the order of `open`.
        package var rows: [WeightRow]

        package init(draws: [BeamToken], rows: [WeightRow]) {
            self.draws = draws
            self.rows = rows
        }
    }

    /// The drafts below each beam.
    package private(set) var trees: [DraftTree]
    /// All draws.
    package private(set) var layers: [[Draw]] = []
    /// Q of each layer, over the draft beams before it.
    package private(set) var laws: [DraftLaw] = []
    /// The logical index of the generated token that the roots' children stand for.
    package let index: Int
    /// Tokens behind which nothing is drafted.
    package let ends: Set<TokenID>
    /// v over the draft beams behind the last layer; 0 for one that has ended.
    private var weights: [Double]

    /// - Parameters:
    ///   - roots: live beams of the target, at least 1.
    ///   - root: their length, prompt included.
    package init(roots: Int, root: Position, index: Int, ends: Set<TokenID> = []) {
        precondition(roots > 0, "a forest of \(roots) trees")
        trees = Array(repeating: DraftTree(root: root), count: roots)
        weights = Array(repeating: 1 / Double(roots), count: roots)
        self.index = index
        self.ends = ends
    }

    /// The draft beams before `layer`, by number; up to the number of layers.
    package func beams(before layer: Int) -> [BeamPlace] {
        layer == 0 ? trees.indices.map { BeamPlace(tree: $0, node: nil) } : layers[layer - 1].map(\.place)
    }

    /// The nodes, each once, whose rows the next layer is drawn from. Empty once every draft beam has ended.
    package var open: [BeamPlace] { open(before: layers.count) }

    /// Drafts in all trees: the nodes of the target's pass besides the roots.
    package var count: Int { trees.reduce(0) { $0 + $1.count } }

    /// The forest as it was when it had so many layers.
    package func prefix(_ count: Int) -> DraftForest {
        guard count < layers.count else { return self }
        var part = DraftForest(roots: trees.count, root: trees[0].root, index: index, ends: ends)
        for (draws, law) in zip(layers, laws).prefix(count) {
            part.append(draws.map { BeamToken(beam: $0.parent, token: $0.token) }, of: law)
        }
        return part
    }

    /// The layers that surely need no more than so many drafts, and sequences besides one for each root. Of the last of
    /// them its size alone is asked, not what was drawn: leaving it out for that would bias the beams (ALGORITHMS 0.5).
    package func layers(withinNodes nodesMax: Int, sequences: Int) -> Int {
        for layer in layers.indices {
            let known = trees.flatMap(\.nodes).filter { $0.depth <= layer }.count
            let draws = layers[layer].count
            guard known + draws <= nodesMax, leaves(ofDepth: layer) - trees.count + draws <= sequences else {
                return layer
            }
        }
        return layers.count
    }

    /// Sequences besides one for each root that a pass over all drafts takes.
    package var sideBranches: Int { leaves(ofDepth: layers.count) - trees.count }

    private func leaves(ofDepth depth: Int) -> Int {
        trees.reduce(0) { sum, tree in
            let nodes = tree.indices.filter { tree[$0].depth <= depth }
            let parents = Set(nodes.map { tree[$0].parent })
            return sum + max(1, nodes.count { !parents.contains($0) })
        }
    }

    /// Draws the next layer; nothing if every draft beam has ended.
    ///
    /// - Parameters:
    ///   - epoch: another number for every forest, below 2²⁴.
    ///   - row: q behind a node of `open`; asked once for each, in that order.
    package mutating func draw<Source: ChanceSource>(
        _ count: Int, epoch: Int, chance: inout Source, row: (BeamPlace) -> WeightRow
    ) {
        let open = open
        guard !open.isEmpty else { return }
        let law = law(over: open, rows: open.map(row))
        let pairs = law.draws(count, chance: &chance) {
            ChancePlace(index + layers.count, .draft, sibling: $0, epoch: epoch)
        }
        append(pairs, of: law)
    }

    // MARK: - Between drafter and verifier

    /// A layer as it is sent.
    package func sent(_ layer: Int) -> Layer {
        let rows = Dictionary(
            zip(beams(before: layer), laws[layer].rows).compactMap { place, row in row.map { (place, $0) } },
            uniquingKeysWith: { first, _ in first })
        return Layer(
            draws: layers[layer].map { BeamToken(beam: $0.parent, token: $0.token) },
            rows: open(before: layer).compactMap { rows[$0] })
    }

    /// Takes the next layer from a peer, all of it or nothing.
    ///
    /// - Parameters:
    ///   - drawsMax: most draws of a layer.
    ///   - layersMax: most layers.
    /// - Throws: `.place` if there are too many layers or draft beams to draw behind there are none, or a draw names
    ///   none of them; `.row` if there is not one row for each open node; `.draws` if there are no draws or too many;
    ///   `.token` if a token is not in its row.
    package mutating func receive(_ layer: Layer, drawsMax: Int, layersMax: Int) throws(PayloadFault) {
        let open = open
        guard layers.count < layersMax, !open.isEmpty else {
            throw .place("layer \(layers.count + 1) of \(open.isEmpty ? layers.count : layersMax): send no more layers")
        }
        guard layer.rows.count == open.count else {
            throw .row("\(layer.rows.count) rows for \(open.count) open nodes: send one for each")
        }
        guard (1...max(1, drawsMax)).contains(layer.draws.count) else {
            throw .draws("\(layer.draws.count) draws in a layer: send 1 to \(drawsMax)")
        }
        let law = law(over: open, rows: layer.rows)
        for draw in layer.draws {
            guard law.rows.indices.contains(draw.beam), let row = law.rows[draw.beam] else {
                throw .place("a draw behind draft beam \(draw.beam), which is none or has ended")
            }
            guard row.weight(of: draw.token) > 0 else {
                throw .token("token \(draw.token) is not in the row it was drawn from: draw from the row that is sent")
            }
        }
        append(layer.draws, of: law)
    }

    // MARK: - Workings

    private func hasEnded(_ place: BeamPlace) -> Bool {
        place.node.map { ends.contains(trees[place.tree][$0].token) } ?? false
    }

    private func open(before layer: Int) -> [BeamPlace] {
        var seen: Set<BeamPlace> = []
        return beams(before: layer).filter { !hasEnded($0) && seen.insert($0).inserted }
    }

    private func law(over open: [BeamPlace], rows: [WeightRow]) -> DraftLaw {
        let rows = Dictionary(uniqueKeysWithValues: zip(open, rows))
        return DraftLaw(weights: weights, rows: beams(before: layers.count).map { rows[$0] })
    }

    private mutating func append(_ pairs: [BeamToken], of law: DraftLaw) {
        let beams = beams(before: layers.count)
        let draws = pairs.map { pair in
            var place = beams[pair.beam]
            let known = trees[place.tree].child(of: place.node, token: pair.token)
            let probability = law.rows[pair.beam]?[pair.token] ?? 0
            place.node =
                known ?? trees[place.tree].append(pair.token, under: place.node, probability: probability)
            return Draw(parent: pair.beam, token: pair.token, place: place)
        }
        layers.append(draws)
        laws.append(law)
        let masses = zip(pairs, draws).map { hasEnded($1.place) ? 0 : law[$0] }
        let total = masses.reduce(0, +)
        weights = masses.map { total > 0 ? $0 / total : 0 }
    }
}
