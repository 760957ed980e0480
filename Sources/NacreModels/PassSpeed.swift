import NacreCore
package import NacreEngine
import NacreLlama

/// What exactness costs a model on this machine: pass times of an exact engine and of one that is not, taken in turns,
/// so that what else the machine does falls on both.
package struct PassSpeed: Encodable, Sendable {
    /// Times of one kind of pass, the fastest of all rounds: noise on a machine only adds.
    package struct Row: Encodable, Sendable {
        /// Tokens before the pass.
        package let context: Int
        /// Nodes of the pass, all scored; `nil` for the adoption of a side branch of four tokens, which evaluates none.
        package let nodes: Int?
        package let exactMicroseconds: Double
        package let inexactMicroseconds: Double
        /// The first by the second: 1 if exactness is free.
        package var ratio: Double { exactMicroseconds / inexactMicroseconds }

        private enum CodingKeys: String, CodingKey {
            case context, nodes, ratio
            case exactMicroseconds = "exact_us"
            case inexactMicroseconds = "inexact_us"
        }

        package func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(context, forKey: .context)
            try container.encodeIfPresent(nodes, forKey: .nodes)
            try container.encode(exactMicroseconds, forKey: .exactMicroseconds)
            try container.encode(inexactMicroseconds, forKey: .inexactMicroseconds)
            try container.encode(ratio, forKey: .ratio)
        }
    }

    package let path: String
    package let threads: Int
    package private(set) var rows: [Row] = []

    /// Drafts of the side branch that is adopted.
    private static let branchLength = 4
    private static let rounds = 7

    /// Loads the model twice and measures it.
    ///
    /// - Parameters:
    ///   - contexts: tokens before the pass, rising.
    ///   - sizes: nodes of the passes.
    /// - Throws: what loading throws, and `.failed` for a model that cannot rewind.
    package init(path: String, threads: Int, contexts: [Int], sizes: [Int]) throws(EngineError) {
        self.path = path
        self.threads = threads
        let room = max(sizes.max() ?? 1, 2 * Self.branchLength + 1)
        var exact = try Subject(path, threads, exact: true, contextMax: (contexts.max() ?? 0) + room)
        var inexact = try Subject(path, threads, exact: false, contextMax: (contexts.max() ?? 0) + room)
        for context in contexts {
            try exact.fill(to: context)
            try inexact.fill(to: context)
            var best: [Int?: (exact: Double, inexact: Double)] = [:]
            for _ in 0..<Self.rounds {
                for nodes in sizes.map({ Optional($0) }) + [nil] {
                    let (one, other) = (try exact.time(nodes), try inexact.time(nodes))
                    let least = best[nodes] ?? (.infinity, .infinity)
                    best[nodes] = (min(least.exact, one), min(least.inexact, other))
                }
            }
            for nodes in sizes.map({ Optional($0) }) + [nil] {
                guard let times = best[nodes] else { continue }
                rows.append(
                    Row(
                        context: context, nodes: nodes, exactMicroseconds: times.exact,
                        inexactMicroseconds: times.inexact))
            }
        }
    }

    /// As `init`, on a thread of its own: it blocks for as long as a large model takes.
    package static func run(
        path: String, threads: Int, contexts: [Int], sizes: [Int]
    ) async throws(EngineError) -> PassSpeed {
        let executor = ThreadExecutor(name: "speed")
        defer { executor.stop() }
        let result = await withCheckedContinuation { continuation in
            executor.call {
                continuation.resume(
                    returning: Result { () throws(EngineError) in
                        try PassSpeed(path: path, threads: threads, contexts: contexts, sizes: sizes)
                    })
            }
        }
        return try result.get()
    }

    /// One engine, with one job and one branch.
    private struct Subject: ~Copyable {
        private var engine: LlamaEngine
        private var filled = 0

        init(_ path: String, _ threads: Int, exact: Bool, contextMax: Int) throws(EngineError) {
            let made = try LlamaEngine(
                model: LlamaModel(path: path, exact: exact),
                settings: LlamaSettings(threads: threads, contextPerJob: contextMax, branches: 1, exact: exact))
            guard made.shape.canRewind, made.shape.branches == 1 else {
                throw EngineError(
                    .failed, "\(path) cannot take tokens back", remedy: "measure a model without recurrent layers")
            }
            engine = made
        }

        private func node(_ position: Int, _ sequence: SequenceID = 0, scored: Bool = true) -> ForestNode {
            ForestNode(
                token: TokenID(rawValue: UInt32(position % engine.shape.vocabularySize)),
                position: Position(rawValue: position), sequence: sequence,
                score: scored ? ScoreRequest(key: 0, index: 0, policy: .greedy) : nil)
        }

        mutating func fill(to context: Int) throws(EngineError) {
            while filled < context {
                let end = min(context, filled + engine.shape.nodesMax)
                _ = try engine.run(EnginePass(nodes: (filled..<end).map { node($0, scored: false) }))
                filled = end
            }
        }

        /// Microseconds of a pass of so many nodes behind the context, or of an adoption.
        mutating func time(_ nodes: Int?) throws(EngineError) -> Double {
            let clock = ContinuousClock()
            let (pass, start): (EnginePass, ContinuousClock.Instant)
            if let nodes {
                pass = EnginePass(nodes: (filled..<filled + nodes).map { node($0) })
            } else {
                var root = node(filled)
                root.branches = [1]
                let drafts = (1...PassSpeed.branchLength).map { filled + $0 }
                _ = try engine.run(EnginePass(nodes: [root] + drafts.map { node($0) } + drafts.map { node($0, 1) }))
                let won = Position(rawValue: filled + 1)..<Position(rawValue: filled + 1 + PassSpeed.branchLength)
                pass = EnginePass(
                    edits: [.release(1)], adoptions: [BranchAdoption(branch: 1, owner: 0, positions: won)])
            }
            start = clock.now
            _ = try engine.run(pass)
            let time = (clock.now - start) / .microseconds(1)
            _ = try engine.run(EnginePass(edits: [.rewind(0, length: Position(rawValue: filled))]))
            return time
        }
    }
}
