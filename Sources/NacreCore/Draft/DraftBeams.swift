import RealModule

/// A drafter's beam search: the beams that it goes on with, and all that it drafted, as a tree with the true joint
/// log-probability of every node. What MTAD and MMTAD verify (`LossyMTADRule`).
///
///     var beams = DraftBeams(root: length, index: generated, width: 4, ends: [vocabulary.end])
///     for _ in 0..<gamma {                                    // one pass of the draft model per layer
///         beams.extend(epoch: epoch, chance: &chance) { node in
///             .init(draw: law(behind: node, policy), score: law(behind: node, policy.jointScoring))
///         }
///     }
///     send(beams.path)                                        // MTAD; MMTAD sends beams.tree(.layerBest)
///
/// A layer draws `width` pairs of a beam and its next token from s(k, x) = b_k · q(x | beam k); the weights b of the
/// new beams are proportional to s over the pairs drawn. There is one beam before the first layer, the committed text,
/// so that the first layer holds different tokens with their own probabilities. A pair that independent draws yield
/// twice is one node and one beam, that weighs twice. A beam that ends the text stays as it is: with probability 1
/// nothing follows.
///
/// - Source: Qin et al., "Optimized multi-token joint decoding with auxiliary model for LLM inference", ICLR 2025
///   (arXiv 2407.09722), section 4 (beam search over the auxiliary model's joint).
package struct DraftBeams: Sendable, Hashable {
    /// How the pairs of a layer are chosen.
    package enum Choice: Sendable, Hashable {
        /// The pairs with the largest s: for greedy decoding.
        case likeliest
        case drawn(SiblingDraw)
    }

    /// One beam: the path to a node.
    package struct Beam: Sendable, Hashable {
        /// `nil`: the committed text.
        package let node: NodeIndex?
        /// b, summing to 1 over the beams.
        package fileprivate(set) var weight: Double
    }

    /// What the draft model says behind a node.
    package struct Row: Sendable, Hashable {
        /// The law that tokens are drawn from, after the sampler transform.
        package var draw: Distribution
        /// The law that their log-probabilities are taken of (`SamplingPolicy.jointScoring`); not 0 where `draw` is
        /// not.
        package var score: Distribution

        package init(draw: Distribution, score: Distribution) {
            self.draw = draw
            self.score = score
        }

        /// The row of a law under `SamplingPolicy.jointScoring`: what is drawn is what top-k, top-p and min-p leave.
        ///
        /// - Parameter always: `score` is a part of a law, which `draw` is to sum to 1 over, filters or none.
        package init(scoring score: Distribution, _ sampling: SamplingPolicy, always: Bool = false) {
            self.score = score
            draw = score
            guard always || !sampling.isGreedy && sampling != sampling.jointScoring else { return }
            var filters = sampling
            filters.temperature = 1  // the score has it already
            let logits = score.probabilities.map { Float(Double.log($0)) }
            var scratch = CoupledScratch()
            draw = Distribution(logits.span, filters, scratch: &scratch)
        }
    }

    package private(set) var drafts: DraftTree
    /// The logical index of the generated token that the root's children stand for.
    package let index: Int
    /// ℓq of each node: the sum of ln q along its path, in nats, under the scoring law. Not scaled by the other beams.
    package private(set) var logQ: [Double] = []
    /// The beams behind the last layer.
    package private(set) var beams = [Beam(node: nil, weight: 1)]
    package let width: Int
    package let choice: Choice
    /// Tokens behind which there is no text.
    package let ends: Set<TokenID>
    private var layers = 0
    private var isOver = false

    /// - Parameter width: beams kept after each layer, W; fewer if fewer pairs are possible.
    package init(
        root: Position, index: Int, width: Int, choice: Choice = .drawn(.withoutReplacement), ends: Set<TokenID> = []
    ) {
        precondition(width > 0, "\(width) beams")
        drafts = DraftTree(root: root)
        self.index = index
        self.width = width
        self.choice = choice
        self.ends = ends
    }

    /// The nodes whose rows the next layer needs; `nil` is the root. Empty once every beam has ended.
    package var open: [NodeIndex?] { isOver ? [] : beams.map(\.node).filter { !hasEnded($0) } }

    /// There is no row behind a node of `open`, for want of room: the search goes on without that beam, and is over
    /// if it was the last.
    package mutating func drop(_ node: NodeIndex?) {
        let rest = beams.filter { $0.node != node }
        let total = rest.reduce(0) { $0 + $1.weight }
        isOver = isOver || rest.isEmpty
        if !rest.isEmpty { beams = rest.map { Beam(node: $0.node, weight: $0.weight / total) } }
    }

    /// Drafts the next layer; nothing if every beam has ended.
    ///
    /// - Parameters:
    ///   - epoch: another number for every search, below 2²⁴.
    ///   - row: asked once for each node of `open`, in that order.
    package mutating func extend<Source: ChanceSource>(
        epoch: Int, chance: inout Source, row: (NodeIndex?) -> Row
    ) {
        guard !open.isEmpty else { return }
        let rows = beams.map { hasEnded($0.node) ? nil : row($0.node) }
        let joint = JointLaw(weights: beams.map(\.weight), rows: rows.map { $0?.draw ?? Self.nothing })
        let pairs = choose(from: joint, epoch: epoch, chance: &chance)
        layers += 1
        var next: [Beam] = []
        var places: [BeamToken: Int] = [:]
        for pair in pairs {
            if let place = places[pair] {
                next[place].weight += joint[pair]
                continue
            }
            places[pair] = next.count
            let node = rows[pair.beam].map { append(pair.token, under: beams[pair.beam].node, $0) }
            next.append(Beam(node: node ?? beams[pair.beam].node, weight: joint[pair]))
        }
        let total = next.reduce(0) { $0 + $1.weight }
        beams = next.map { Beam(node: $0.node, weight: $0.weight / total) }
    }

    // MARK: - What is sent

    /// The likeliest beam as one path, for MTAD; the first of equal ones.
    package var path: JointDraft {
        var chain = DraftTree(root: drafts.root)
        let path = best
        for node in path {
            chain.append(drafts[node].token, under: chain.indices.last, probability: drafts[node].probability)
        }
        return JointDraft(chain, index: index, checked: path.map { logQ[$0.rawValue] })
    }

    /// All nodes, for MMTAD.
    package func tree(_ reference: JointDraft.Reference) -> JointDraft {
        let depth = drafts.nodes.map(\.depth).max() ?? 0
        var references = Array(repeating: -Double.infinity, count: depth)
        switch reference {
        case .layerBest:
            for (node, logQ) in zip(drafts.nodes, logQ) {
                references[node.depth - 1] = max(references[node.depth - 1], logQ)
            }
        case .finalBest:
            let path = best
            // A beam that ended early keeps its joint probability in the layers behind it.
            for layer in references.indices { references[layer] = logQ[path[min(layer, path.count - 1)].rawValue] }
        }
        return JointDraft(drafts, index: index, checked: references)
    }

    /// The nodes of the likeliest beam, from the root's child down; the first of equal ones.
    package var best: [NodeIndex] {
        drafts.path(to: beams.dropFirst().reduce(beams[0]) { $1.weight > $0.weight ? $1 : $0 }.node)
    }

    // MARK: - Workings

    /// The law of what follows a beam that has ended: a sure nothing.
    private static let nothing = Distribution(token: 0, of: 1)

    private func hasEnded(_ node: NodeIndex?) -> Bool { node.map { ends.contains(drafts[$0].token) } ?? false }

    private func choose<Source: ChanceSource>(
        from joint: JointLaw, epoch: Int, chance: inout Source
    ) -> [BeamToken] {
        guard case .drawn(let draw) = choice else { return joint.likeliest(width) }
        var rest = joint
        var pairs: [BeamToken] = []
        for number in 0..<width {
            let place = ChancePlace(index + layers, .draft, sibling: number, epoch: epoch)
            pairs.append(rest.draw(at: place, chance: &chance))
            if draw == .withoutReplacement, !rest.remove(pairs[number]) { break }
        }
        return pairs
    }

    private mutating func append(_ token: TokenID, under parent: NodeIndex?, _ row: Row) -> NodeIndex {
        precondition(row.score[token] > 0, "token \(token) was drawn and is impossible to the scoring law")
        logQ.append((parent.map { logQ[$0.rawValue] } ?? 0) + Double.log(row.score[token]))
        return drafts.append(token, under: parent, probability: min(row.draw[token], 1))
    }
}
