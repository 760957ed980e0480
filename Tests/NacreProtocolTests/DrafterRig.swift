import NacreCore
import NacreProtocol
import Testing

/// A drafter of two sequences and some for branches; its model's tokens are given by the test.
struct DrafterRig {
    var machine: DrafterMachine
    var cache = CacheModel()
    /// The cache if the pass in flight finds no room.
    var refused = CacheModel()
    var pass: EnginePass?
    var effects: [DrafterMachine.Effect] = []

    init(
        contextMax: Int = 32, nodesMax: Int = 64, branches: Int = 0, lookups: [LookupKind] = [], hasModel: Bool = true
    ) {
        var configuration = DrafterMachine.Configuration(
            node: "d", incarnation: 1, vocabularyDigest: 7, vocabularySize: 100, sequences: 2,
            contextMax: contextMax, nodesMax: nodesMax, endTokens: [99], branches: branches)
        (configuration.lookups, configuration.hasModel) = (lookups, hasModel)
        machine = DrafterMachine(configuration)
        step(.opened(1))
        step(.received(1, .greeting(DrafterRig.greeting(vocabulary: 7))))
    }

    static func greeting(vocabulary: UInt64) -> Greeting {
        Greeting(wireMin: 1, wireMax: 1, node: "v", role: .verifier, incarnation: 1, vocabularyDigest: vocabulary)
    }

    @discardableResult
    mutating func step(_ inputs: DrafterMachine.Input...) -> [String] {
        effects = []
        machine.step(inputs, at: 0, into: &effects)
        for case .evaluate(let next) in effects {
            refused = cache
            refused.edit(next)
            cache.run(next)
            pass = next
            for text in machine.cachedTexts {
                let held = cache.texts[text.sequence, default: []]
                #expect(held.starts(with: text.tokens) && held.count == text.filled, "not what is believed")
            }
        }
        return lines
    }

    @discardableResult
    mutating func open(
        _ stream: StreamID, _ context: [TokenID] = [1, 2], limit: Position = 5, shape: DraftShape = .chain,
        branches: Int = 0, nodesMax: Int = 0, ignoresEnds: Bool = false
    ) -> [String] {
        step(
            .received(
                1,
                .draftOpen(
                    DraftOpen(
                        stream: stream, job: JobID(high: 0, low: 0), attempt: 1, epoch: 0, key: 5,
                        sampling: .greedy, promptLength: 2, positionLimit: limit, shape: shape, branches: branches,
                        ignoresEnds: ignoresEnds, nodesMax: nodesMax, contextTotal: context.count, contextOffset: 0,
                        context: context))))
    }

    mutating func verdict(
        _ tokens: [TokenID], committed: Position, next: Epoch, limit: Position
    ) -> [String] {
        step(Self.verdict(0, tokens, committed: committed, next: next, limit: limit))
    }

    /// Two streams that have drafted what they may: 11 and 21, behind two tokens each.
    static func withTwoIdle() -> DrafterRig {
        var rig = DrafterRig()
        rig.open(0, limit: 3)
        rig.open(1, [3, 4], limit: 3)
        _ = rig.draw([11])
        _ = rig.draw([21])
        return rig
    }

    static func verdict(
        _ stream: StreamID, _ tokens: [TokenID], committed: Position, next: Epoch, limit: Position
    ) -> DrafterMachine.Input {
        .received(
            1,
            .verdict(
                Verdict(stream: stream, nextEpoch: next, tokens: tokens, committed: committed, positionLimit: limit)))
    }

    /// Ends the pass in flight with these candidates for each row asked for, each half as likely as the one before.
    @discardableResult
    mutating func propose(_ rows: [[TokenID]]) -> [Draft] {
        #expect(pass?.nodes.count { $0.score != nil } == rows.count, "rows asked for")
        pass = nil
        let scores = rows.map { row in
            Score.candidates(
                row.enumerated().map { Candidate(token: $1, probability: 0.5 / Double(1 << $0)) })
        }
        step(.passed(.done(scores, started: 0, ended: 1_000)))
        return drafts
    }

    var drafts: [Draft] {
        effects.compactMap { if case .send(_, .draft(let draft)) = $0 { draft } else { nil } }
    }

    mutating func draw(_ tokens: [TokenID]) -> [String] {
        pass = nil
        return step(.passed(.done(tokens.map { .choice(Choice(token: $0, margin: 1)) }, started: 0, ended: 1_000)))
    }

    /// What the machine said and began, in words.
    var lines: [String] {
        effects.map {
            switch $0 {
            case .send(_, .draft(let draft)):
                "\(draft.tokens.map(\.description).joined()) at \(draft.root)+\(draft.firstNode) "
                    + "epoch \(draft.epoch) \(draft.end)"
            case .send(_, .draftReady): "ready"
            case .send(_, .draftClose(let close)): "close \(close.reason)"
            case .send(_, .greeting): "greeting"
            case .send: "?"
            case .close(_, let goodbye): "goodbye \(goodbye.code)"
            case .evaluate(let pass): (pass.edits.map { "\($0)" } + [pass.line]).joined(separator: " ")
            }
        }
    }
}
