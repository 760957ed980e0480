package import NacreCore
package import NacreEngine

/// A model with its KV cache, run by libllama.
///
/// With `exact` settings a node's row has the same bits whatever else is in the batch and in the cache: it equals the
/// row of a plain one-token-at-a-time decode of the same tokens. `CellLedger` says how the cache keeps its part of
/// that promise. Two limits: models with recurrent layers keep it only while one sequence is alive, and models with
/// a sliding window may report a full cache early, since rebuilding would lose what they need for rewinding.
package struct LlamaEngine: ~Copyable, Engine {
    /// What the model and the settings allow.
    package let shape: EngineShape
    /// The weights in use.
    package let model: LlamaModel
    private let settings: LlamaSettings
    private var context: LlamaContext
    private var ledger: CellLedger
    private var steps: [CellLedger.Step] = []
    private var scratch = CoupledScratch()
    /// Sees every scored row before the rule does: the index of the node in its pass, and its logits. For tests.
    package var rowTap: ((_ node: Int, _ row: Span<Float>) -> Void)?
    /// How often the cache was rebuilt.
    package private(set) var rebuilds = 0

    /// Cells that are not promised to jobs when several share an exact cache, so that dead cells have a place.
    private static let slackCells = 256

    /// Call it on the thread that will run the engine.
    ///
    /// - Throws: `.failed` for impossible settings, `.modelUnsupported` when the model has no cache of this kind.
    package init(model: LlamaModel, settings: LlamaSettings) throws(EngineError) {
        if let complaint = settings.complaint {
            throw EngineError(.failed, "the engine's settings cannot be used", remedy: complaint)
        }
        let liveMax = settings.contextPerJob * settings.sequences
        let isAppendOnly = settings.exact && !model.isRecurrent && settings.sequences > 1
        // One sequence more than asked for: the graveyard.
        var context = try LlamaContext(
            model, settings, cells: liveMax + (isAppendOnly ? Self.slackCells : 0),
            sequences: settings.sequences + (isAppendOnly ? 1 : 0))
        let canRewind = Self.canRewind(&context, liveMax)
        ledger = CellLedger(
            cells: context.cells, liveMax: liveMax, sequences: settings.sequences, deadMin: settings.deadCellsMin,
            isAppendOnly: isAppendOnly)
        shape = EngineShape(
            vocabularySize: model.vocabularySize, contextCells: liveMax, sequences: settings.sequences,
            nodesMax: min(settings.nodesMax, liveMax), canRewind: canRewind)
        self.context = consume context
        self.model = model
        self.settings = settings
    }

    /// Runs one pass; see `Engine.run`. After `.failed` the pass's sequences must be released.
    package mutating func run(_ pass: EnginePass) throws(EngineError) -> [Choice] {
        try check(pass)
        for edit in pass.edits {
            switch edit {
            case .rewind(let sequence, let length): ledger.rewind(sequence, to: length, into: &steps)
            case .release(let sequence): ledger.rewind(sequence, to: 0, into: &steps)
            }
        }
        try performSteps()
        guard !pass.nodes.isEmpty else { return [] }
        try makeRoom(for: pass.nodes.count)
        switch context.decode(pass.nodes) {
        case .done: break
        case .full: throw full(pass.nodes.count)
        case .failed(let code): throw failed(code, pass)
        }
        for node in pass.nodes { ledger.append(node.sequence) }
        return try choices(pass)
    }

    private mutating func choices(_ pass: EnginePass) throws(EngineError) -> [Choice] {
        var choices: [Choice] = []
        choices.reserveCapacity(pass.nodes.count)
        for (index, node) in pass.nodes.enumerated() {
            guard let request = node.score else { continue }
            let choice = context.withRow(index) { row in
                rowTap?(index, row)
                return CoupledRule.choose(row, request, scratch: &scratch)
            }
            guard let choice else { throw EngineError(.failed, "libllama gave no logits for node \(index)") }
            choices.append(choice)
        }
        return choices
    }

    // MARK: - The cache

    /// One past the last position of `sequence`.
    func length(_ sequence: SequenceID) -> Position { ledger.length(sequence) }

    private mutating func performSteps() throws(EngineError) {
        defer { steps.removeAll(keepingCapacity: true) }
        let graveyard = SequenceID(rawValue: Int32(settings.sequences))
        for step in steps {
            let isDone =
                switch step {
                case .remove(let sequence, let from): context.remove(sequence, from: from)
                case .bury(let sequence, let positions): context.move(positions, of: sequence, to: graveyard)
                case .clear: clear()
                }
            guard isDone else { throw EngineError(.failed, "libllama refused a change to the cache") }
        }
    }

    private func clear() -> Bool {
        context.clear()
        return true
    }

    private mutating func makeRoom(for count: Int) throws(EngineError) {
        switch ledger.room(for: count) {
        case .never: throw full(count)
        case .afterRebuild:
            guard mayRebuild else { throw full(count) }
            try rebuild()
        case .now:
            if ledger.isLittered && mayRebuild { try rebuild() }
        }
    }

    /// A state leaves out what has left a sliding window; after a rewind it would be missed.
    private var mayRebuild: Bool {
        model.slidingWindow == 0
            || ledger.liveSequences.allSatisfy { ledger.length($0).rawValue <= model.slidingWindow }
    }

    /// Lays the live sequences out one after the other, without dead cells between them.
    private mutating func rebuild() throws(EngineError) {
        let live = ledger.liveSequences
        let states = live.map { context.state($0) }
        context.clear()
        for (sequence, state) in zip(live, states) {
            guard context.restore(state, as: sequence) else {
                context.clear()
                ledger.clear()
                throw EngineError(.failed, "libllama did not take back a sequence; all of them are lost")
            }
        }
        ledger.rebuilt()
        rebuilds += 1
    }

    private func full(_ count: Int) -> EngineError {
        EngineError(
            .cacheFull, "no room for \(count) tokens: \(ledger.live) of \(shape.contextCells) cells are taken",
            remedy: "release a sequence, or give the engine a longer context")
    }

    /// Takes out what a failed batch may have left behind.
    private mutating func failed(_ code: Int32, _ pass: EnginePass) -> EngineError {
        for sequence in Set(pass.nodes.map(\.sequence)) where !context.remove(sequence, from: ledger.length(sequence)) {
            ledger.rewind(sequence, to: 0, into: &steps)
            steps.removeAll(keepingCapacity: true)
            _ = context.remove(sequence, from: 0)
        }
        return EngineError(.failed, "libllama could not evaluate \(pass.nodes.count) tokens (\(code))")
    }

    /// Whether the model can forget the end of a sequence and keep its beginning: tried out, on an empty cache.
    private static func canRewind(_ context: inout LlamaContext, _ cells: Int) -> Bool {
        defer { context.clear() }
        for position in 0..<min(3, cells) {
            let node = ForestNode(token: 0, position: Position(rawValue: position), sequence: 0)
            guard context.decode([node]) == .done else { return false }
        }
        return context.remove(0, from: 1) && context.length(0) == 1
    }
}
