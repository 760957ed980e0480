import NacreCore

/// The measured time of a pass of so many nodes, all scored, at a short context.
package struct PassCost: Sendable, Hashable {
    /// Nodes in the pass.
    package var nodes: Int
    /// The fastest of its measurements.
    package var microseconds: Double

    package init(nodes: Int, microseconds: Double) {
        self.nodes = nodes
        self.microseconds = microseconds
    }
}

extension Engine where Self: ~Copyable {
    /// Measures t(n), the time of a pass of n scored nodes of one sequence, for n = 1, 2, 3, 4, 6, 8, 12, 16 as far
    /// as `nodesMax` and the cache allow. The curve has steps (kernels change with the batch), so it is measured and
    /// not fitted.
    ///
    /// Call it before anything else is in the cache: it uses sequence 0 behind a context of up to 64 tokens and
    /// leaves the cache empty. Sizes 1, 2, 4 and 8 are measured at least once whatever the budget; what is left of
    /// it goes to the other sizes and to repetitions, of which the fastest counts: noise on a machine only adds.
    ///
    /// - Returns: costs by rising size.
    package mutating func calibrate(budget: Duration = .seconds(1)) throws(EngineError) -> [PassCost] {
        let sequence: SequenceID = 0
        let clock = ContinuousClock()
        let deadline = clock.now + budget
        let sizes = [1, 2, 4, 8, 3, 6, 12, 16].filter { $0 <= min(shape.nodesMax, shape.contextCells) }
        let context = shape.canRewind ? min(64, shape.nodesMax, shape.contextCells - (sizes.max() ?? 0)) : 0
        var fastest: [Int: Double] = [:]

        /// Time of a pass of `count` nodes after the context.
        func measure(_ count: Int, scored: Bool = true, from start: Int) throws(EngineError) -> Double {
            let request = ScoreRequest(key: 0, index: 0, policy: .greedy)
            let nodes = (0..<count).map { offset in
                ForestNode(
                    token: TokenID(rawValue: UInt32((start + offset) % shape.vocabularySize)),
                    position: Position(rawValue: start + offset), sequence: sequence, score: scored ? request : nil)
            }
            let edit: CacheEdit = start > 0 ? .rewind(sequence, length: Position(rawValue: start)) : .release(sequence)
            // The edit is a pass of its own, so that it is not in the measurement.
            _ = try run(EnginePass(edits: [edit]))
            let begin = clock.now
            _ = try run(EnginePass(nodes: nodes))
            return (clock.now - begin) / .microseconds(1)
        }

        if context > 0 { _ = try measure(context, scored: false, from: 0) }
        // The first passes touch memory for the first time.
        for size in sizes.prefix(2) { _ = try measure(size, from: context) }
        var round = 0
        measuring: while round == 0 || (clock.now < deadline && round < 32) {
            for (order, size) in sizes.enumerated() {
                if clock.now >= deadline && !(round == 0 && order < 4) { break measuring }
                fastest[size] = min(fastest[size] ?? .infinity, try measure(size, from: context))
            }
            round += 1
        }
        _ = try run(EnginePass(edits: [.release(sequence)]))
        return fastest.keys.sorted().map { PassCost(nodes: $0, microseconds: fastest[$0] ?? 0) }
    }
}
