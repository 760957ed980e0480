/// Drafts with the joint log-probabilities that MTAD and MMTAD hold the target's against: all that `LossyMTADRule`
/// needs of a drafter. On the wire: ids, parents, and one number per layer.
package struct JointDraft: Sendable, Hashable {
    /// Which drafter's joint the nodes of one layer are compared with.
    package enum Reference: Sendable, Hashable {
        /// The largest ℓq of the layer. Then the rule's guarantee holds for each block and its own ℓq.
        case layerBest
        /// ℓq of the final best beam at that layer, as the authors' later code has it. Its prefix may be less likely
        /// than the node that is compared, so the guarantee holds against that prefix alone.
        case finalBest
    }

    /// The draft tree, a chain for MTAD.
    package let drafts: DraftTree
    /// The logical index of the generated token that the root's children stand for.
    package let index: Int
    /// For each layer the ℓq, in nats, that its nodes' ℓp are compared with; on a chain those of its own nodes.
    package let references: [Double]

    init(_ drafts: DraftTree, index: Int, checked references: [Double]) {
        self.drafts = drafts
        self.index = index
        self.references = references
    }

    /// What a peer sent: drafts that are a tree (`DraftTree.receive`), and their references.
    ///
    /// A drafter that understates its references gets its drafts accepted whatever the target thinks of them: MTAD
    /// trusts the drafter where lossless rules need not.
    ///
    /// - Throws: `.row` unless there is a reference for each layer, all are finite and at most 0, and none is above the
    ///   one before.
    package init(_ drafts: DraftTree, index: Int, references: [Double]) throws(PayloadFault) {
        let depth = drafts.nodes.map(\.depth).max() ?? 0
        guard references.count == depth else {
            throw .row("\(references.count) joint log-probabilities for \(depth) layers: send one for each layer")
        }
        var above = 0.0
        for (layer, reference) in references.enumerated() {
            // Written so that NaN fails.
            guard reference <= above, reference > -.infinity else {
                throw .row(
                    "the joint log-probability \(reference) of layer \(layer + 1) follows \(above): "
                        + "send finite sums of ln q, which only fall")
            }
            above = reference
        }
        self.init(drafts, index: index, checked: references)
    }
}
