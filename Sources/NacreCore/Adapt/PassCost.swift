/// The measured time of a pass of so many nodes, all scored, at a short context.
package struct PassCost: Sendable, Hashable {
    /// Nodes in the pass.
    package var nodes: Int
    /// The fastest of its measurements: what else a machine does only adds.
    package var microseconds: Double
    /// By which share of the fastest the median measurement was slower; 0 where there was only one.
    package var spread: Double

    package init(nodes: Int, microseconds: Double, spread: Double = 0) {
        self.nodes = nodes
        self.microseconds = microseconds
        self.spread = spread
    }

    /// What repeated measurements say, of which there is at least one.
    package init(nodes: Int, repeats: [Double]) {
        let rising = repeats.sorted()
        precondition(!rising.isEmpty, "a pass of \(nodes) nodes was never measured")
        // Of two the slower one: that they disagree must show.
        self.init(nodes: nodes, microseconds: rising[0], spread: rising[rising.count / 2] / rising[0] - 1)
    }
}

extension Collection<PassCost> {
    /// Why these times are not those of a machine that did nothing else, in words; `nil` if they may be.
    ///
    /// Either the measurements of one size disagree, or the times of two sizes do: k nodes that take much longer than
    /// more of them (kernels make that difference too, but not by half), or much longer than as many passes of half as
    /// many nodes.
    package var disturbance: String? {
        if let cost = self.max(by: { $0.spread < $1.spread }), cost.spread > PassCost.spreadMax {
            let percent = Int((100 * Swift.min(cost.spread, 99)).rounded())
            return "half of the passes of \(cost.nodes) tokens took \(percent) % longer than the fastest, or more"
        }
        let rising = sorted { $0.nodes < $1.nodes }
        for (place, cost) in rising.enumerated() {
            for wider in rising.dropFirst(place + 1) {
                if cost.microseconds > PassCost.stepMax * wider.microseconds {
                    return "a pass of \(cost.nodes) tokens took longer than one of \(wider.nodes), by more than half"
                }
                let passes = (Double(wider.nodes) / Double(cost.nodes)).rounded(.up)
                if wider.microseconds > PassCost.stepMax * passes * cost.microseconds {
                    return "a pass of \(wider.nodes) tokens took longer than \(Int(passes)) of \(cost.nodes), "
                        + "by more than half"
                }
            }
        }
        return nil
    }
}

extension PassCost {
    fileprivate static let spreadMax = 0.15
    fileprivate static let stepMax = 1.5
}

extension StepCostModel {
    /// What was measured, up to passes of 64 nodes; what was not is interpolated.
    package init(_ costs: [PassCost]) {
        self.init(nodesMax: 64, priorFixed: 1_000, perNode: 100)
        for cost in costs { record(nodes: cost.nodes, microseconds: cost.microseconds) }
    }
}
