/// What describes q for the children of one node: how they were drawn, and as much of the law as travels with them
/// (ALGORITHMS 0.6). One payload serves all siblings.
///
/// | payload | with each token | with each node that has children | rejection costs |
/// |---|---|---|---|
/// | `deterministic` (DET) | – | – | – |
/// | `coupled` (COUPLED) | – | – | – |
/// | `row` (SPARSE_RENORM) | – | draw 1 B, count 1–3 B, per entry id 1–3 B (delta) + weight 2 B | – |
/// | `scalar` (SCALAR + LAZY) | – | draw 1 B, weight 2 B, total 3–5 B | one round trip, the whole row |
///
/// A row of 64 entries is thus about 330 bytes; a whole row of 150,000 tokens, fetched at the first rejection, up to
/// 450 kB, less what rounds to weight 0.
package enum DraftPayload: Sendable, Hashable {
    /// Point masses: the tokens are a function of the text alone (the top of q, an n-gram), so each was certain.
    case deterministic
    /// The tokens whose perturbed scores are largest, under the noise that the verifier has too.
    case coupled
    /// Drawn from these integers.
    case row(WeightRow, SiblingDraw)
    /// Drawn from integers that stay with the drafter until the first of the siblings fails its test: only that test
    /// comes before the first subtraction of a row, so one number is enough for all of them.
    case scalar(Scalar, SiblingDraw)

    /// How the siblings were drawn; `nil` if they are no draws.
    package var draw: SiblingDraw? {
        switch self {
        case .deterministic, .coupled: nil
        case .row(_, let draw), .scalar(_, let draw): draw
        }
    }

    /// q(x) of the first sibling, as a ratio: exact, so that the row fetched later can be held against it.
    package struct Scalar: Sendable, Hashable {
        package let weight: UInt16
        package let total: Int

        /// - Throws: `.row` unless 0 < weight ≤ total.
        package init(weight: UInt16, total: Int) throws(PayloadFault) {
            guard weight > 0, Int(weight) <= total else {
                throw .row("q = \(weight) / \(total) is not in (0, 1]: send the weight drawn and the row's sum")
            }
            self.weight = weight
            self.total = total
        }

        var probability: Double { Double(weight) / Double(total) }
    }
}

/// How several candidates for one position are drawn. Verifying draws of one kind by the rule of the other is biased:
/// by a total variation of 2/15 for p = (.4, .4, .2) and q = (.1, .2, .7) (`IllegalDraftingTests`).
package enum SiblingDraw: Sendable, Hashable {
    /// Independent draws; the same token may come twice. Then it is one node, and the order of the draws says so.
    case independent
    /// Each from what the earlier ones left of the row.
    case withoutReplacement
}
