package import NacreCore

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
        let clock = ContinuousClock()
        let deadline = clock.now + budget
        let sizes = [1, 2, 4, 8, 3, 6, 12, 16].filter { $0 <= min(shape.nodesMax, shape.contextCells) }
        let context = try readContext(before: sizes.max() ?? 0)
        var times: [Int: [Double]] = [:]
        // The first passes touch memory for the first time.
        for size in sizes.prefix(2) { _ = try passTime(size, after: context) }
        var round = 0
        measuring: while round == 0 || (clock.now < deadline && round < 32) {
            for (order, size) in sizes.enumerated() {
                if clock.now >= deadline && !(round == 0 && order < 4) { break measuring }
                times[size, default: []].append(try passTime(size, after: context))
            }
            round += 1
        }
        try forgetContext()
        return times.sorted { $0.key < $1.key }.map { PassCost(nodes: $0.key, repeats: $0.value) }
    }

    /// The time of a pass of one scored node, as decoding token by token takes it, in microseconds.
    ///
    /// As `calibrate` in all else, with the whole budget, though at least two passes, for the one size.
    package mutating func decodingTime(budget: Duration) throws(EngineError) -> Double {
        let clock = ContinuousClock()
        let deadline = clock.now + budget
        let context = try readContext(before: 1)
        var fastest = try passTime(1, after: context)
        repeat { fastest = min(fastest, try passTime(1, after: context)) } while clock.now < deadline
        try forgetContext()
        return fastest
    }

    /// Fills sequence 0 with a short context for measurements, up to 64 tokens.
    ///
    /// - Returns: its length, which leaves room for `count` nodes behind it.
    package mutating func readContext(before count: Int) throws(EngineError) -> Int {
        let context = shape.canRewind ? min(64, shape.nodesMax, shape.contextCells - count) : 0
        if context > 0 { _ = try passTime(context, after: 0, isScored: false) }
        return context
    }

    /// The time of one pass of `count` nodes behind a context of `start` tokens in sequence 0, in microseconds.
    package mutating func passTime(
        _ count: Int, after start: Int, isScored: Bool = true
    ) throws(EngineError) -> Double {
        let clock = ContinuousClock()
        let sequence: SequenceID = 0
        let request = ScoreRequest(key: 0, index: 0, policy: .greedy)
        let nodes = (0..<count).map { offset in
            ForestNode(
                token: TokenID(rawValue: UInt32((start + offset) % shape.vocabularySize)),
                position: Position(rawValue: start + offset), sequence: sequence, score: isScored ? request : nil)
        }
        let edit: CacheEdit = start > 0 ? .rewind(sequence, length: Position(rawValue: start)) : .release(sequence)
        // The edit is a pass of its own, so that it is not in the measurement.
        _ = try run(EnginePass(edits: [edit]))
        let begin = clock.now
        _ = try run(EnginePass(nodes: nodes))
        return (clock.now - begin) / .microseconds(1)
    }

    /// Empties sequence 0 after measurements.
    package mutating func forgetContext() throws(EngineError) { _ = try run(EnginePass(edits: [.release(0)])) }
}
