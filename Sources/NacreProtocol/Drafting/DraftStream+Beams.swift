import NacreCore

/// A beam search under way: one for each epoch, layer by layer, in as many passes as a layer takes.
struct BeamRound: Sendable {
    private(set) var search: DraftBeams
    let onePath: Bool
    /// For each node of the search its index in the growing tree.
    private var places: [NodeIndex] = []
    /// What came of the layer's expansions so far, by the node of the search; no row for want of room.
    private var layer: [NodeIndex?: (expansion: TreeGrowth.Expansion, row: DraftBeams.Row?)] = [:]

    /// `nil` for shapes that are no beam search.
    init?(
        _ shape: DraftShape, root: Position, index: Int, _ sampling: SamplingPolicy, _ siblings: SiblingDraw,
        ends: Set<TokenID>
    ) {
        guard case .beams(let width, let onePath) = shape else { return nil }
        self.onePath = onePath
        search = DraftBeams(
            root: root, index: index, width: width, choice: sampling.isGreedy ? .likeliest : .drawn(siblings),
            ends: ends)
    }

    /// Takes the row behind a node of the growing tree.
    /// - Returns: whether the layer is complete.
    mutating func take(_ row: DraftBeams.Row?, for expansion: TreeGrowth.Expansion, at place: NodeIndex?) -> Bool {
        let node = place.flatMap { places.firstIndex(of: $0) }.map(NodeIndex.init)
        layer[node] = (expansion, row)
        return search.open.allSatisfy { layer[$0] != nil }
    }

    /// Draws the next layer and hands it to the tree.
    mutating func draw(epoch: Epoch, _ chance: KeyedChance, into growth: inout TreeGrowth) {
        var chance = chance
        let asked = search.open.map { (node: $0, entry: layer[$0]) }
        layer = [:]
        for (node, entry) in asked where entry?.row == nil { search.drop(node) }
        let rows = Dictionary(uniqueKeysWithValues: asked.map { ($0.node, $0.entry?.row) })
        search.extend(epoch: Int(epoch.rawValue & 0xFF_FFFF), chance: &chance) { node in
            guard let row = rows[node] ?? nil else { preconditionFailure("an open beam without a row") }
            return row
        }
        let drafts = search.drafts
        for (node, entry) in asked {
            guard let expansion = entry?.expansion else { continue }
            let children = drafts.children(of: node).map {
                TreeGrowth.Proposal(token: drafts[$0].token, probability: drafts[$0].probability)
            }
            growth.supply(children, for: expansion)
        }
        for draft in drafts.nodes.dropFirst(places.count) {
            let parent = draft.parent.map { places[$0.rawValue] }
            guard let place = growth.proposed.child(of: parent, token: draft.token) else {
                preconditionFailure("a draft of the layer has not entered")
            }
            places.append(place)
        }
        if onePath, growth.isComplete { growth.admit(path) }
    }

    /// The likeliest beam, as nodes of the growing tree.
    private var path: [NodeIndex] { search.best.map { places[$0.rawValue] } }

    /// What is to be sent, with its references.
    var joint: JointDraft { onePath ? search.path : search.tree(.layerBest) }
}

extension DraftStream {
    /// Takes a row of the beam search; `nil`: there is no room for it.
    mutating func take(_ row: DraftBeams.Row?, for expansion: TreeGrowth.Expansion) {
        guard let node = growth.node(of: expansion), var round = beams else { return }
        // Not in place: it would copy what the optional holds.
        beams = nil
        if round.take(row, for: expansion, at: node) {
            round.draw(epoch: epoch, KeyedChance(key: key), into: &growth)
        }
        beams = round
    }

    /// What the layers of these nodes of `growth.tree` are compared with: they are sent layer by layer.
    func references(of news: Range<Int>) -> [Double] {
        let depths = news.map { growth.tree[NodeIndex(rawValue: $0)].depth }
        guard let first = depths.min(), let last = depths.max(), let joint = beams?.joint else { return [] }
        return Array(joint.references[(first - 1)..<min(last, joint.references.count)])
    }
}
