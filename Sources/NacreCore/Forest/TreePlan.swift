/// How a drafter's tree comes to its shape.
///
/// **What is legal** (the non-anticipation rule, ALGORITHMS 0.5 and 6.2). A `fixed` plan is legal under every verify
/// rule (`BlockRule` takes chains only). A `bestFirst` plan chooses drafts by their probability:
///
/// - Legal under `CoupledRule`, whatever the payload: the target's tokens do not depend on what was drafted. Drafts
///   that are coupled to its noise (`DraftPayload.coupled`) are the ones that it accepts often.
/// - Legal when drafts are functions of their context (top-k of q, n-grams) and sent as such,
///   `DraftPayload.deterministic`: `RejectionRule` compares them with a draw from p, `BlockRule` divides by the point
///   mass. Whether the target's token is among them biases nothing, since it is drawn without them.
/// - **Not legal** when drafts are drawn (`DraftPayload.row`, `.scalar`) and judged by `RejectionRule` or `BlockRule`,
///   as soon as the probability depends on the token drawn. A draw that is dropped because it is improbable (below
///   `pathMin`), or that loses its place to a luckier sibling, was drawn from another distribution than the one that
///   the rule divides by. With p = (½, ½), q = (.9, .1) and drafts below ½ dropped, the output is (.55, .45).
/// - Legal again for draws without replacement if the probability of each is a function of its ancestors and of its
///   number among its siblings, and does not rise from one sibling to the next (`SiblingAcceptance`): then which draws
///   are kept is known before they are drawn.
/// - Independent draws may repeat a token, and then make a node less: how many nodes there are tells which tokens were
///   drawn. They are all judged, repeats included, as a `fixed` plan drew them.
package enum TreePlan: Sendable, Hashable {
    /// Every node of a level has as many children as the shape says, as far as the drafter finds so many.
    case fixed(TreeShape)
    /// The most probable paths of all.
    case bestFirst(BestFirst)
    /// One path, and what is prepared for the outcomes in which the target leaves it.
    case outcomes(Outcomes)
    /// The layers of a beam search, chosen elsewhere (`DraftBeams`): at most `width` new nodes in each. Nodes enter as
    /// they are chosen, or, `byChoice`, when they are named (`TreeGrowth.admit`).
    case beams(width: Int, depth: Int, byChoice: Bool)

    /// Bounds of a tree that grows where it is most probable.
    package struct BestFirst: Sendable, Hashable {
        /// Nodes of the tree.
        package var nodesMax: Int
        /// Candidates asked for below one node: the drafter's top k.
        package var width: Int
        package var depthMax: Int
        /// Drafts with a lower path probability are not worth their place in a pass: λ·B, the tokens per second of now
        /// times the marginal time of a node (ALGORITHMS 6.3, `TreeBudget`).
        package var pathMin: Double

        package init(nodesMax: Int, width: Int, depthMax: Int = TreeShape.depthMax, pathMin: Double = 0) {
            precondition(nodesMax >= 0 && width >= 1 && depthMax >= 0, "\(nodesMax) nodes, width \(width)")
            self.nodesMax = nodesMax
            self.width = width
            self.depthMax = depthMax
            self.pathMin = pathMin
        }
    }

    /// A chain, the *spine*, and *branches*: while the target judges the spine, the drafter goes on below the likeliest
    /// tokens with which the target may leave it, so that a predicted outcome costs no round trip.
    ///
    /// - Source: speculation on the outcome as in SSD (Saguaro), 2026 (2603.03251), where what is prepared stays with
    ///   the drafter; here it lies at the verifier already.
    package struct Outcomes: Sendable, Hashable {
        /// Drafts of the spine.
        package var spineMax: Int
        /// Other tokens considered at each of its positions, and behind its end.
        package var fanOut: Int
        /// Drafts beside the spine.
        package var branchesMax: Int
        package var depthMax: Int

        package init(spineMax: Int, fanOut: Int, branchesMax: Int, depthMax: Int = TreeShape.depthMax) {
            precondition(spineMax >= 0 && fanOut >= 0 && branchesMax >= 0 && depthMax >= 0, "\(spineMax), \(fanOut)")
            self.spineMax = spineMax
            self.fanOut = fanOut
            self.branchesMax = branchesMax
            self.depthMax = depthMax
        }
    }

    /// Most nodes of a tree.
    package var nodesMax: Int {
        switch self {
        case .fixed(let shape): shape.nodes
        case .bestFirst(let bounds): bounds.nodesMax
        case .outcomes(let bounds): bounds.spineMax + bounds.branchesMax
        case .beams(let width, let depth, _): width * depth
        }
    }

    /// How many children to ask for below a node of `depth`, 0 being the root; 0: it stays a leaf.
    ///
    /// - Parameter onSpine: whether only first children lead to it; the root is.
    func width(below depth: Int, onSpine: Bool) -> Int {
        switch self {
        case .fixed(let shape): depth < shape.depth ? shape.widths[depth] : 0
        case .bestFirst(let bounds): depth < bounds.depthMax ? bounds.width : 0
        case .outcomes(let bounds):
            depth >= bounds.depthMax ? 0 : onSpine && depth <= bounds.spineMax ? 1 + bounds.fanOut : 1
        case .beams(let width, let depthMax, _): depth < depthMax ? width : 0
        }
    }
}
