package import NacreCore

/// One way to divide a machine's threads among engines, and what it was measured to give.
package struct ShardDivision: Sendable, Hashable {
    package var shards: Int
    /// The time of a pass while all shards compute, by rising size.
    package var costs: [PassCost]

    package init(shards: Int, costs: [PassCost]) {
        self.shards = shards
        self.costs = costs
    }

    /// For `ShardRule`.
    package var measured: ShardRule.Division { ShardRule.Division(shards: shards, costs: costs) }
}

/// Measures several divisions of the same threads against each other.
package enum ShardCalibration {
    /// The sizes that are measured.
    package static let sizes = [1, 2, 4, 8]

    /// Rounds at most, however fast the model is.
    private static let roundsMax = 16
    /// So long are the passes of one measurement together, at least, in microseconds: shards that start a little apart
    /// must still compute at the same time.
    private static let spanMin = 10_000.0
    private static let repetitionsMax = 32

    /// Measures the divisions in alternation, so that a change of the machine's speed favours none; of a division's
    /// measurements the fastest counts, since noise only adds. Each is the mean over all shards, which compute at the
    /// same time.
    ///
    /// - Parameters:
    ///   - divisions: the engines of each, with nothing in their caches. Engines of one division may share no thread
    ///     with each other; those of other divisions are idle meanwhile.
    ///   - budget: how long to repeat; two rounds are made in any case.
    package static func measure<E: Engine & SendableMetatype & ~Copyable>(
        _ divisions: [[EngineHost<E>]], budget: Duration = .seconds(2)
    ) async throws(EngineError) -> [ShardDivision] {
        let clock = ContinuousClock()
        let largest = sizes.max() ?? 1
        var contexts: [Int] = []
        var measured = divisions.map { _ in [Int: [Double]]() }
        var span = 0.0
        for hosts in divisions {
            contexts.append(
                try await all(hosts) { (engine) throws(EngineError) in try engine.readContext(before: largest) }
                    .min() ?? 0)
            // The first passes touch memory for the first time.
            span = try await time(hosts, 1, after: contexts.last ?? 0, repetitions: 2)
        }
        let repetitions = max(1, min(repetitionsMax, Int(spanMin / max(1, span))))
        let deadline = clock.now + budget
        var round = 0
        while round < 2 || (clock.now < deadline && round < roundsMax) {
            for (index, hosts) in divisions.enumerated() {
                for size in sizes {
                    let time = try await time(hosts, size, after: contexts[index], repetitions: repetitions)
                    measured[index][size, default: []].append(time)
                }
            }
            round += 1
        }
        for hosts in divisions {
            _ = try await all(hosts) { (engine) throws(EngineError) in try engine.forgetContext() }
        }
        return zip(divisions, measured).map { hosts, times in
            ShardDivision(shards: hosts.count, costs: sizes.map { PassCost(nodes: $0, repeats: times[$0] ?? []) })
        }
    }

    /// The mean time of a pass of `size` nodes while all of `hosts` run such passes.
    private static func time<E: Engine & SendableMetatype & ~Copyable>(
        _ hosts: [EngineHost<E>], _ size: Int, after context: Int, repetitions: Int
    ) async throws(EngineError) -> Double {
        let times = try await all(hosts) { (engine) throws(EngineError) in
            var sum = 0.0
            for _ in 0..<repetitions { sum += try engine.passTime(size, after: context) }
            return sum / Double(repetitions)
        }
        return times.reduce(0, +) / Double(times.count)
    }

    /// Does the same with every engine at the same time.
    ///
    /// - Returns: what came of it, in the engines' order.
    /// - Throws: what `body` throws, once all have ended.
    package static func all<E: Engine & SendableMetatype & ~Copyable, Value: Sendable>(
        _ hosts: [EngineHost<E>], _ body: @escaping @Sendable (inout E) throws(EngineError) -> Value
    ) async throws(EngineError) -> [Value] {
        let results = await withTaskGroup(of: (Int, Result<Value, EngineError>).self) { group in
            for (index, host) in hosts.enumerated() {
                group.addTask {
                    do throws(EngineError) {
                        return (index, .success(try await host.withEngine(body)))
                    } catch {
                        return (index, .failure(error))
                    }
                }
            }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        var values: [Value] = []
        for index in hosts.indices { if let result = results[index] { values.append(try result.get()) } }
        return values
    }
}
