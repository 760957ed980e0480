package import NacreCore
package import NacreEngine

/// A model with its KV cache, run by libllama.
///
/// With `exact` settings a node's row has the same bits whatever else is in the batch and in the cache: it equals the
/// row of a plain one-token-at-a-time decode of the tokens on its path. `CellLedger` says how the cache keeps its part
/// of that promise. Two limits: models with recurrent layers have no branches and keep it only while one sequence is
/// alive, and models with a sliding window may report a full cache early, since rebuilding would lose what they need
/// for rewinding.
package struct LlamaEngine: ~Copyable, Engine {
    /// What the model and the settings allow.
    package let shape: EngineShape
    /// The weights in use.
    package let model: LlamaModel
    private let settings: LlamaSettings
    private var context: LlamaContext
    private var ledger: CellLedger
    /// Holds cells that nobody needs and that may not be given out again.
    private let graveyard: SequenceID
    /// Holds cells on the way out of the cache and back.
    private let porter: SequenceID
    private var steps: [CellLedger.Step] = []
    /// One for each of the context's threads.
    private var scratches: [CoupledScratch]
    /// Sees every scored row before the rule does: the index of the node in its pass, and its logits. For tests.
    package var rowTap: ((_ node: Int, _ row: Span<Float>) -> Void)?
    /// Asked after every operation of a pass whether it should stop there and fail. For tests.
    package var stopTap: (() -> Bool)? {
        didSet { context.stopTap.closure = stopTap }
    }
    /// How often the cache was rebuilt.
    package private(set) var rebuilds = 0
    /// How often a gap in it was closed.
    package private(set) var compactions = 0

    /// Cells that are not promised to jobs when several share an exact cache, so that dead cells have a place.
    private static let slackCells = 256

    /// From this effort on (`ScoreRequest.effort`) rows are scored on all threads: waking them takes as long.
    private static let sharedEffortMin = 200_000

    /// Call it on the thread that will run the engine.
    ///
    /// - Throws: `.failed` for impossible settings, `.modelUnsupported` when the model has no cache of this kind.
    package init(model: LlamaModel, settings: LlamaSettings) throws(EngineError) {
        if let complaint = settings.complaint {
            throw EngineError(.failed, "the engine's settings cannot be used", remedy: complaint)
        }
        // The state of a recurrent model cannot be shared in part.
        let branches = model.isRecurrent ? 0 : settings.branches
        let sequences = settings.sequences + branches
        // The losers of a tree need cells for one pass, wherever in its context a job is.
        let liveMax = settings.contextPerJob * settings.sequences + (branches > 0 ? settings.nodesMax : 0)
        let isAppendOnly = settings.isAppendOnly && !model.isRecurrent
        var context = try LlamaContext(
            model, settings, cells: liveMax + (isAppendOnly ? Self.slackCells : 0),
            sequences: sequences + (isAppendOnly ? LlamaSettings.extraSequences : 0))
        let canRewind = Self.canRewind(&context, liveMax)
        graveyard = SequenceID(rawValue: Int32(sequences))
        porter = SequenceID(rawValue: Int32(sequences) + 1)
        ledger = CellLedger(
            cells: context.cells, liveMax: liveMax, sequences: sequences, deadMin: settings.deadCellsMin,
            // What left a sliding window is not in a state.
            movedMax: min(settings.movedCellsMax, model.slidingWindow == 0 ? .max : model.slidingWindow),
            isAppendOnly: isAppendOnly)
        shape = EngineShape(
            vocabularySize: model.vocabularySize, contextCells: liveMax, sequences: sequences, branches: branches,
            nodesMax: min(settings.nodesMax, liveMax), canRewind: canRewind)
        scratches = (0..<settings.threads).map { _ in CoupledScratch() }
        self.context = consume context
        self.model = model
        self.settings = settings
    }

    /// Runs one pass; see `Engine.run`. After `.failed` the pass's sequences must be released.
    package mutating func run(_ pass: EnginePass) throws(EngineError) -> [Score] {
        try check(pass)
        ledger.edit(pass.edits, adoptions: pass.adoptions, into: &steps)
        try performSteps()
        guard !pass.nodes.isEmpty else { return [] }
        try makeRoom(for: pass.nodes.count)
        let layout = TreeLayout(pass.nodes)
        for (branch, source) in layout.beginnings { ledger.begin(branch, as: source, into: &steps) }
        try performSteps()
        switch context.decode(pass.nodes, holders: layout.holders) {
        case .done: break
        case .full:
            try forgetBranches(layout)
            throw full(pass.nodes.count)
        case .failed(let code):
            try forgetNodes(layout)
            throw EngineError(.failed, "libllama could not evaluate \(pass.nodes.count) tokens (\(code))")
        }
        for holders in layout.holders { ledger.append(holders) }
        return try scores(pass)
    }

    /// Scores the rows of a pass that was evaluated. Rows have nothing to do with each other, so they are divided among
    /// the threads that computed them as soon as that is worth waking these.
    private mutating func scores(_ pass: EnginePass) throws(EngineError) -> [Score] {
        var wanted: [(row: UnsafeBufferPointer<Float>, request: ScoreRequest)] = []
        var effort = 0
        for (index, node) in pass.nodes.enumerated() {
            guard let request = node.score else { continue }
            guard let row = context.row(index) else {
                throw EngineError(.failed, "libllama gave no logits for node \(index)")
            }
            rowTap?(index, row.span)
            wanted.append((row, request))
            effort += request.effort(vocabularySize: shape.vocabularySize)
        }
        var scratches: [CoupledScratch] = []
        swap(&scratches, &self.scratches)
        defer { swap(&scratches, &self.scratches) }
        return scratches.withUnsafeMutableBufferPointer { scratches in
            func score(_ item: Int, _ thread: Int) -> Score {
                let (row, request) = wanted[item]
                return Score(row.span, request, scratch: &scratches[thread])
            }
            guard wanted.count > 1, scratches.count > 1, effort >= Self.sharedEffortMin else {
                return wanted.indices.map { score($0, 0) }
            }
            return context.team.map(wanted.count, score)
        }
    }

    // MARK: - The cache

    /// One past the last position of `sequence`.
    func length(_ sequence: SequenceID) -> Position { ledger.length(sequence) }

    /// From position 0 on, how many cells the two have in common.
    func commonLength(_ sequence: SequenceID, _ other: SequenceID) -> Position {
        ledger.commonLength(sequence, other)
    }

    private mutating func performSteps() throws(EngineError) {
        defer { steps.removeAll(keepingCapacity: true) }
        for step in steps {
            switch step {
            case .share(let sequence, let other, let positions): context.share(positions, of: sequence, with: other)
            case .bury(let sequence, let positions): context.share(positions, of: sequence, with: graveyard)
            case .remove(let sequence, let from):
                guard context.remove(sequence, from: from) else {
                    throw EngineError(.failed, "libllama refused a change to the cache")
                }
            case .move(let blocks):
                try move(blocks)
                compactions += 1
            case .clear: context.clear()
            }
        }
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

    /// Lays the live cells out one after the other, without dead ones between them.
    private mutating func rebuild() throws(EngineError) {
        try move(ledger.blocks, clearing: true)
        ledger.rebuilt()
        rebuilds += 1
    }

    /// Takes the blocks out, which are the ends of their sequences, removes them, and puts them back in their order.
    private mutating func move(_ blocks: [CellLedger.Block], clearing: Bool = false) throws(EngineError) {
        let states = blocks.map { block in
            context.share(block.positions, of: block.sequences[0], with: porter)
            let state = context.state(porter)
            _ = context.remove(porter, from: 0)
            return state
        }
        if clearing { context.clear() } else { remove(blocks) }
        for (block, state) in zip(blocks, states) {
            guard context.restore(state, as: porter) else {
                context.clear()
                ledger.clear()
                throw EngineError(.failed, "libllama did not take back a sequence; all of them are lost")
            }
            for sequence in block.sequences { context.share(block.positions, of: porter, with: sequence) }
            _ = context.remove(porter, from: 0)
        }
    }

    private func remove(_ blocks: [CellLedger.Block]) {
        var removed = SequenceSet()
        // By rising position: the first of a sequence takes the others along.
        for block in blocks {
            for sequence in block.sequences where !removed.contains(sequence) {
                _ = context.remove(sequence, from: block.positions.lowerBound)
                removed.insert(sequence)
            }
        }
    }

    private func full(_ count: Int) -> EngineError {
        EngineError(
            .cacheFull, "no room for \(count) tokens: \(ledger.live) of \(shape.contextCells) cells are taken",
            remedy: "release a sequence, or give the engine a longer context")
    }

    /// Takes out what a failed batch may have left behind: libllama itself removes an unfinished node from one of its
    /// sequences only.
    private mutating func forgetNodes(_ layout: TreeLayout) throws(EngineError) {
        var sequences = SequenceSet()
        for holders in layout.holders { sequences.formUnion(holders) }
        for sequence in sequences.sequences where !context.remove(sequence, from: ledger.length(sequence)) {
            // A model that cannot rewind: the sequence is lost.
            ledger.edit([.release(sequence)], into: &steps)
            steps.removeAll(keepingCapacity: true)
            _ = context.remove(sequence, from: 0)
        }
        try forgetBranches(layout)
    }

    private mutating func forgetBranches(_ layout: TreeLayout) throws(EngineError) {
        ledger.edit(layout.beginnings.map { .release($0.branch) }, into: &steps)
        try performSteps()
    }

    /// Whether the model can forget the end of a sequence and keep its beginning: tried out, on an empty cache.
    private static func canRewind(_ context: inout LlamaContext, _ cells: Int) -> Bool {
        defer { context.clear() }
        for position in 0..<min(3, cells) {
            let node = ForestNode(token: 0, position: Position(rawValue: position), sequence: 0)
            guard context.decode([node], holders: [SequenceSet([0])]) == .done else { return false }
        }
        return context.remove(0, from: 1) && context.length(0) == 1
    }
}

extension ScoreRequest {
    /// About how much scoring a row costs, in tokens whose logits are only compared: some 0.3 ns each.
    fileprivate func effort(vocabularySize: Int) -> Int {
        let isFiltered = policy.topK > 0 || policy.topP < 1
        let perToken =
            switch kind {
            case .choice, .candidates, .measured: policy.isGreedy ? 1 : isFiltered ? 8 : 4
            case .weights, .law, .likelihood: 32
            }
        return perToken * vocabularySize
    }
}
