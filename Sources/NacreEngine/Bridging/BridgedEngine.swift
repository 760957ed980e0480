package import NacreCore

/// A drafter's engine as an engine in the target's tokens: passes come in the target's, are computed in the drafter's,
/// and their scores are over the target's ids. Whoever drafts with it knows of no bridge, so that chains, trees, rules
/// and methods are what they are without one.
///
/// Each sequence has its twin of the same id, which holds the same text in the drafter's tokens; edits and forks go to
/// both. A row over the target's ids is made of
///
/// - `tli`: the drafter's row behind the text, restricted to the shared tokens. Where too little of it is on these and
///   the bridge may (`VocabularyBridge.goesByText`), a point mass as under `slem`, up to the next place at which tokens
///   of both end;
/// - `slem`: as many tokens of the drafter's as it takes until the target's next token is settled, greedily, in passes
///   of its own: one token, and in trees what else may stand there. A point mass, whatever the rule;
/// - `mixed`: `slem` for greedy requests, `tli` for the others;
/// - `slrs`: ψ, from as many rows of the drafter as it takes.
///
/// Where there is nothing to propose, a score is `.candidates([])`, whatever was asked: no draft is made there. That
/// is the case at the end of the drafter's context, inside of a character (`tli`), and where too little of q is on
/// shared tokens. All three, and whether `tli` goes by the text, are known before anything is drawn (ALGORITHMS 0.5):
/// they follow from the text and the drafter's row, and a rule judges what is drawn by the q that it was drawn from.
///
/// - Source: Timor et al., ICML 2025 (2502.05202).
package struct BridgedEngine<Inner: Engine & ~Copyable>: Engine, ~Copyable {
    /// In the target's tokens; cells and nodes are the drafter's.
    package let shape: EngineShape
    let bridge: VocabularyBridge
    /// Most tokens of the drafter's in one sequence.
    private let contextMax: Int
    package private(set) var inner: Inner
    var texts: [SequenceID: BridgedText] = [:]
    /// To be performed with the next pass of the drafter.
    private var edits: [CacheEdit] = []
    var scratch = CoupledScratch()
    /// TLI: the drafter's rows so far, the sum of what of each lay on shared tokens, and of how many rows too little.
    package var mass = (rows: 0, sum: 0.0, low: 0)
    /// Passes of the drafter so far.
    package private(set) var passes = 0

    /// A run of nodes of one sequence, of which the last may be asked for a score.
    struct Part {
        let sequence: SequenceID
        var tokens: [TokenID] = []
        var request: ScoreRequest?
    }

    package init(_ inner: consuming Inner, bridge: VocabularyBridge, contextMax: Int) {
        shape = Self.shape(of: inner, bridge)
        self.bridge = bridge
        self.contextMax = contextMax
        self.inner = inner
    }

    private static func shape(of inner: borrowing Inner, _ bridge: VocabularyBridge) -> EngineShape {
        var shape = inner.shape
        shape.vocabularySize = bridge.target.tokenizer.vocabularySize
        return shape
    }

    /// Runs one pass, in as many of the drafter's as it takes.
    ///
    /// - Throws: what the drafter's engine does. The edits stand then, and nothing was evaluated.
    package mutating func run(_ pass: EnginePass) throws(EngineError) -> [Score] {
        guard pass.adoptions.isEmpty, pass.nodes.allSatisfy(\.branches.isEmpty) else {
            throw EngineError(.invalidPass, "a bridge takes passes of a drafter, not of a verifier")
        }
        for edit in pass.edits { perform(edit) }
        let before = texts
        do throws(EngineError) {
            return try drafts(of: try parts(of: pass.nodes))
        } catch {
            forget(pass.nodes, before)
            throw error
        }
    }

    private mutating func drafts(of parts: [Part]) throws(EngineError) -> [Score] {
        var scores: [Score] = []
        var wave: [Part] = []
        for part in parts {
            // What comes later in a sequence needs what is before it evaluated.
            if wave.contains(where: { $0.sequence == part.sequence }) {
                scores += try draft(wave)
                wave = []
            }
            if texts[part.sequence] == nil { texts[part.sequence] = BridgedText(bridge) }
            if let request = part.request, case let kind = kind(for: request) { texts[part.sequence]?.mode = kind }
            texts[part.sequence]?.append(part.tokens)
            wave.append(part)
        }
        scores += try draft(wave)
        _ = try evaluate([])
        return scores
    }

    /// After a pass that failed: its sequences hold what they held before it. How much of it the drafter has read
    /// nobody knows, as one pass may be several of its own, so that it reads them anew.
    private mutating func forget(_ nodes: [ForestNode], _ before: [SequenceID: BridgedText]) {
        for sequence in Set(nodes.map(\.sequence)) {
            texts[sequence] = before[sequence]
            texts[sequence]?.cached = []
            edits.append(.release(sequence))
        }
    }

    private func parts(of nodes: [ForestNode]) throws(EngineError) -> [Part] {
        var parts: [Part] = []
        var lengths: [SequenceID: Int] = [:]
        for node in nodes {
            let length = lengths[node.sequence] ?? texts[node.sequence]?.tokens.count ?? 0
            guard node.position.rawValue == length else {
                throw EngineError(.invalidPass, "node at \(node.position) of a sequence of \(length) tokens")
            }
            lengths[node.sequence] = length + 1
            if parts.last?.sequence != node.sequence || parts.last?.request != nil {
                parts.append(Part(sequence: node.sequence))
            }
            parts[parts.count - 1].tokens.append(node.token)
            parts[parts.count - 1].request = node.score
        }
        return parts
    }

    private mutating func perform(_ edit: CacheEdit) {
        switch edit {
        case .rewind(let sequence, let length): texts[sequence]?.rewind(to: length.rawValue)
        case .release(let sequence):
            texts[sequence] = nil
            edits.append(.release(sequence))
        case .fork(let source, let to, let length):
            guard let origin = texts[source] else { return }
            var copy = origin
            copy.rewind(to: length.rawValue)
            copy.cached = Self.common(origin.cached, copy.context)
            if !copy.cached.isEmpty {
                edits.append(.fork(source, to: to, length: Position(rawValue: copy.cached.count)))
            }
            texts[to] = copy
        }
    }

    /// What a sequence holds in the target's tokens, and in the drafter's its twin. For audits.
    package func held(_ sequence: SequenceID) -> (target: [TokenID], draft: [TokenID]) {
        (texts[sequence]?.tokens ?? [], texts[sequence]?.cached ?? [])
    }

    private static func common(_ left: [TokenID], _ right: [TokenID]) -> [TokenID] {
        Array(left.prefix(zip(left, right).prefix { $0 == $1 }.count))
    }

    // MARK: - Passes of the drafter

    /// Adds what it takes to have `context` cached, and a row behind it if one is asked for.
    ///
    /// - Returns: whether there will be one: not without a context, and not where it is too long.
    mutating func plan(
        _ sequence: SequenceID, _ context: [TokenID], _ request: ScoreRequest?, into nodes: inout [ForestNode]
    ) -> Bool {
        guard !context.isEmpty, context.count < contextMax, let cached = texts[sequence]?.cached else { return false }
        // The row behind a text is computed with its last token.
        let kept = min(Self.common(cached, context).count, context.count - (request == nil ? 0 : 1))
        if kept < cached.count { edits.append(.rewind(sequence, length: Position(rawValue: kept))) }
        for place in kept..<context.count {
            nodes.append(
                ForestNode(
                    token: context[place], position: Position(rawValue: place), sequence: sequence,
                    score: place == context.count - 1 ? request : nil))
        }
        texts[sequence]?.cached = context
        return request != nil
    }

    mutating func evaluate(_ nodes: [ForestNode]) throws(EngineError) -> [Score] {
        guard !nodes.isEmpty || !edits.isEmpty else { return [] }
        var scores: [Score] = []
        var rest = nodes[...]
        repeat {
            let part = rest.prefix(inner.shape.nodesMax)
            rest = rest.dropFirst(part.count)
            let edits = self.edits
            self.edits = []
            scores += try inner.run(EnginePass(edits: edits, nodes: Array(part)))
            passes += 1
        } while !rest.isEmpty
        return scores
    }
}

extension BridgedEngine: Copyable where Inner: Copyable {}
