package import NacreCore
package import NacreEngine
import NacreLlama

/// How many drafts a pair is expected to have accepted, by the bridge: the target and the draft read one text, and at
/// each position it is looked at what would have been drafted, and what the target says to it.
///
/// The text is written by people; of its own text a target is surer, and more is accepted.
package struct BridgePrediction: Encodable, Sendable, Equatable {
    package struct Acceptance: Encodable, Sendable, Equatable {
        package let bridge: BridgeKind
        /// Of greedy decoding: how often the draft is the target's likeliest token, 0 ... 1.
        package let greedy: Double
        /// At temperature 1 under rejection: Σ min(p, q'), or p of the draft where it is a point mass. Coupling accepts
        /// a little less (ALGORITHMS 9.2).
        package let sampled: Double
    }

    /// Positions that were looked at.
    package let positions: Int
    /// The mean of Z, the draft model's probability of tokens that the target has; `nil` for one vocabulary.
    package let draftMass: Double?
    /// At how many of the positions Z is too low to draw by it, 0 ... 1; `nil` for one vocabulary.
    package let lowMass: Double?
    package let acceptances: [Acceptance]

    private static let positionsMax = 96
    /// Positions that are read before the first one that counts.
    private static let lead = 8

    /// Reads the sample with both models: takes the memory of both, and `positionsMax` passes of each for each bridge.
    ///
    /// - Parameters:
    ///   - target: path of the target's file; as `draft`.
    ///   - bridges: those that apply to the pair.
    ///   - threads: threads that compute.
    /// - Throws: `.modelUnreadable`, `.modelUnsupported`, `.failed`.
    package init(target: String, draft: String, bridges: [BridgeKind], threads: Int) throws(EngineError) {
        let (big, small) = (try LlamaModel(path: target), try LlamaModel(path: draft))
        let (own, others) = (try LlamaTokenizer(big), try LlamaTokenizer(small))
        let text = try own.tokenize(Array(BridgeSurvey.sample.utf8), addSpecial: true, parseSpecial: false)
            .prefix(Self.lead + Self.positionsMax)
        let settings = LlamaSettings(threads: threads, contextPerJob: 512, nodesMax: 64)
        let laws = try Self.scores(of: text, .law, LlamaEngine(model: big, settings: settings)).map(\.law)
        var acceptances: [Acceptance] = []
        var mass: (rows: Int, sum: Double, low: Int)?
        for bridge in bridges where bridge != .slrs && bridge != .mixed {
            var scores: [Score]
            if bridge == .none {
                scores = try Self.scores(of: text, .law, LlamaEngine(model: small, settings: settings))
            } else {
                let crossing: VocabularyBridge
                do throws(BridgeRefusal) {
                    crossing = try VocabularyBridge(target: own, draft: others, asked: bridge)
                } catch {
                    throw EngineError(.failed, "\(error)")
                }
                var engine = BridgedEngine(
                    try LlamaEngine(model: small, settings: settings), bridge: crossing, contextMax: 512)
                scores = try Self.scores(of: text, bridge == .slem ? .candidates(1) : .law, &engine)
                if bridge == .tli { mass = engine.mass }
            }
            acceptances.append(Self.acceptance(bridge, scores, laws))
        }
        self.acceptances = acceptances
        draftMass = mass.map { $0.sum / Double(max(1, $0.rows)) }
        lowMass = mass.map { Double($0.low) / Double(max(1, $0.rows)) }
        positions = max(0, laws.count - Self.lead)
    }

    private static func scores<E: Engine & ~Copyable>(
        of text: some Collection<TokenID>, _ kind: ScoreRequest.Kind, _ engine: consuming E
    ) throws(EngineError) -> [Score] {
        var engine = engine
        return try scores(of: text, kind, &engine)
    }

    /// One for each token: what is behind it.
    private static func scores<E: Engine & ~Copyable>(
        of text: some Collection<TokenID>, _ kind: ScoreRequest.Kind, _ engine: inout E
    ) throws(EngineError) -> [Score] {
        let request = ScoreRequest(key: 0, index: 0, policy: SamplingPolicy(temperature: 1), kind: kind)
        var scores: [Score] = []
        for (place, token) in text.enumerated() {
            let node = ForestNode(
                token: token, position: Position(rawValue: place), sequence: 0, score: Self.asked(request, kind))
            scores += try engine.run(EnginePass(nodes: [node]))
        }
        return scores
    }

    /// A bridge by way of the text is asked greedily: its point masses are what it drafts.
    private static func asked(_ request: ScoreRequest, _ kind: ScoreRequest.Kind) -> ScoreRequest {
        guard case .candidates = kind else { return request }
        return ScoreRequest(key: 0, index: 0, policy: .greedy, kind: kind)
    }

    private static func acceptance(_ bridge: BridgeKind, _ scores: [Score], _ laws: [Distribution?]) -> Acceptance {
        var (greedy, sampled, count) = (0.0, 0.0, 0)
        for (score, law) in zip(scores, laws).dropFirst(lead) {
            guard let p = law else { continue }
            count += 1
            let best = p.likeliest(1).first
            switch score {
            case .candidates(let drafts):
                guard let draft = drafts.first?.token else { continue }
                sampled += p[draft]
                if draft == best { greedy += 1 }
            case .law(let q):
                sampled += zip(p.probabilities, q.probabilities).reduce(0) { $0 + min($1.0, $1.1) }
                if q.likeliest(1).first == best { greedy += 1 }
            case .choice, .measured, .weights, .likelihood: continue
            }
        }
        let all = Double(max(1, count))
        return Acceptance(bridge: bridge, greedy: greedy / all, sampled: sampled / all)
    }

    /// For people.
    package var words: String {
        let rates = acceptances.map {
            "\($0.bridge.rawValue) \($0.greedy.rounded(to: 2)) greedy, \($0.sampled.rounded(to: 2)) sampled"
        }
        let mass = draftMass.map { mass in
            "\((100 * mass).rounded(to: 1)) % of the draft's probability is on shared tokens, too little at "
                + "\((100 * (lowMass ?? 0)).rounded(to: 1)) % of positions; "
        }
        return "\(mass ?? "")expected acceptance on \(positions) positions: \(rates.joined(separator: "; "))"
    }

    /// Reads the sample on a thread of its own: models block for as long as they compute.
    package static func run(
        target: String, draft: String, bridges: [BridgeKind], threads: Int
    ) async throws(EngineError) -> BridgePrediction {
        let executor = ThreadExecutor(name: "prediction")
        defer { executor.stop() }
        let result: Result<BridgePrediction, EngineError> = await withCheckedContinuation { continuation in
            executor.call {
                continuation.resume(
                    returning: Result { () throws(EngineError) in
                        try BridgePrediction(target: target, draft: draft, bridges: bridges, threads: threads)
                    })
            }
        }
        return try result.get()
    }
}

extension Score {
    fileprivate var law: Distribution? { if case .law(let law) = self { law } else { nil } }
}
