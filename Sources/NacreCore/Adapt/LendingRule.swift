/// Whether a part of a job's work goes to another verifier of the same target: only if it is back by the time at which
/// this verifier would have done without.
///
/// A helper scores nothing behind a text before it has read it. What it lacks beyond a few tokens it reads in passes
/// that do nothing else, half a pass at a time; the few go into the pass that scores. Both are forecast by t(n) as it
/// was measured here: helpers run the same weights, on what hosts and beside what other work is not known. A helper
/// that lacks too much reads first, beside the job, and is lent nothing until then.
package struct LendingRule: Sendable {
    package let cost: StepCostModel
    /// Most tokens that a pass of a helper reads: half of its nodes.
    private let partMax: Int
    /// So much longer than here still counts as in time, as patience with drafts does (`DraftPatience`): reading apart
    /// takes a pass too.
    private static let slack = 1 + DraftPatience.shareMax
    /// Text up to so many tokens is evaluated in the pass that scores what stands on it.
    package let leadMax: Int

    /// - Parameters:
    ///   - cost: t(n) of this verifier.
    ///   - nodesMax: nodes of a pass, here and at helpers.
    package init(cost: StepCostModel, nodesMax: Int, leadMax: Int) {
        self.cost = cost
        self.leadMax = leadMax
        partMax = max(1, nodesMax / 2)
    }

    /// Microseconds of the passes that read alone, before tokens that are not read can be scored behind.
    package func reading(_ unread: Int) -> Double { passes(unread).reading }

    /// Microseconds until `nodes` nodes are scored behind so many tokens that are not read. The last token of the text
    /// is one of the nodes.
    package func microseconds(unread: Int, nodes: Int) -> Double {
        let passes = passes(unread)
        return passes.reading + cost.microseconds(nodes: passes.lead + nodes)
    }

    /// Whether `nodes` nodes behind so many tokens that are not read come back in time.
    ///
    /// - Parameter here: what this verifier takes to do without, in microseconds.
    package func isInTime(unread: Int, nodes: Int, here: Double) -> Bool {
        microseconds(unread: unread, nodes: nodes) <= Self.slack * here
    }

    /// Whether so many tokens are read before a pass that takes this verifier so long is over: what is scored behind
    /// them may come later, and is of use to a later pass.
    package func isRead(_ unread: Int, here: Double) -> Bool { reading(unread) <= Self.slack * here }

    private func passes(_ unread: Int) -> (reading: Double, lead: Int) {
        guard unread > leadMax else { return (0, max(0, unread)) }
        let (whole, rest) = unread.quotientAndRemainder(dividingBy: partMax)
        let reading = whole == 0 ? 0 : Double(whole) * cost.microseconds(nodes: partMax)
        return rest > leadMax ? (reading + cost.microseconds(nodes: rest), 0) : (reading, rest)
    }
}
