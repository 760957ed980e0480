import NacreCore
import NacreProtocol
import NacreWire

// Trees, laws of q, and how a job is speculated on.
extension MessageGenerator {
    /// Drafts that are a chain, or a tree whose nodes stand on earlier ones of this message or of the epoch.
    mutating func draft() -> Draft {
        let tokens = tokens(number(0...Limits.treeNodesMax))
        let root = position(0...(Int(Int32.max) - tokens.count))
        let firstNode = number(0...(Int(Int32.max) - tokens.count - root.rawValue))
        let isChain = next() % 3 == 0
        let parents = isChain ? [] : tokens.indices.map { number(max(0, firstNode - 3)...(firstNode + $0)) }
        var draft = Draft(
            stream: stream(), epoch: epoch(), heard: epoch(), root: root, firstNode: firstNode, tokens: tokens,
            parents: parents, probabilities: next() % 2 == 0 ? [] : tokens.map { _ in UInt8(number(0...255)) },
            proposals: next() % 2 == 0
                ? [] : proposals(tokens.indices.map { isChain ? firstNode + $0 : parents[$0] }, firstNode),
            end: choice(DraftEnd.self), microseconds: word32())
        if next() % 2 == 0 { draft.measures = tokens.map { _ in measure() } }
        if next() % 6 == 0 {
            (draft.tokens, draft.parents, draft.probabilities, draft.proposals, draft.measures) = ([], [], [], [], [])
            draft.layers = (0..<number(1...3)).map { _ in layer() }
            return draft
        }
        if next() % 4 == 0 { draft.references = (0..<number(1...6)).map { _ in -Double(number(0...40)) / 8 } }
        return draft
    }

    /// One for each node that has children here; a few of them are drawn twice.
    private mutating func proposals(_ parents: [Int], _ firstNode: Int) -> [Draft.Proposal] {
        let repeats = number(0...(Limits.treeNodesMax - parents.count))
        var children: [Int: [Int]] = [:]
        for (index, parent) in parents.enumerated() { children[parent, default: []].append(firstNode + index) }
        var proposals: [Draft.Proposal] = []
        for (node, draws) in children.sorted(by: { $0.key < $1.key }) {
            let payload = payload()
            let isRepeated = proposals.count < repeats && payload.draw == .independent
            proposals.append(
                Draft.Proposal(node: node, payload: payload, draws: isRepeated ? draws + draws.prefix(1) : draws))
        }
        return proposals
    }

    private mutating func payload() -> DraftPayload {
        let draw: SiblingDraw = next() % 2 == 0 ? .independent : .withoutReplacement
        switch next() % 8 {
        case 0: return .coupled
        case 1: return .row(row(), draw)
        case 2, 3: return .scalar(scalar(), draw)
        default: return .deterministic
        }
    }

    private mutating func scalar() -> DraftPayload.Scalar {
        let weight = number(1...Int(UInt16.max))
        let total = number(weight...(Limits.rowEntriesMax * Int(UInt16.max)))
        return made { () throws(PayloadFault) in try DraftPayload.Scalar(weight: UInt16(weight), total: total) }
    }

    mutating func row() -> WeightRow {
        var token = number(0...1_000)
        let entries = (0..<number(1...(next() % 16 == 0 ? Limits.rowEntriesMax : 20))).map { _ in
            let entry = WeightRow.Entry(TokenID(rawValue: UInt32(token)), UInt16(number(1...Int(UInt16.max))))
            token += number(1...900)
            return entry
        }
        return made { () throws(PayloadFault) in try WeightRow(entries) }
    }

    private func made<Value, Failure>(_ make: () throws(Failure) -> Value) -> Value {
        do { return try make() } catch { preconditionFailure("the generator drew what does not exist: \(error)") }
    }

    mutating func shape() -> DraftShape {
        switch next() % 6 {
        case 5: return .forest(draws: number(1...DraftShape.widthMax))
        case 0: return .chain
        case 4: return .beams(width: number(1...DraftShape.widthMax), onePath: next() % 2 == 0)
        case 1:
            let widths = Array(repeating: 1, count: number(0...(TreeShape.depthMax - 4))) + [2, 2, number(1...3)]
            return .fixed(made { () throws(TreeShapeError) in try TreeShape(widths) })
        case 2: return .fixed(made { () throws(TreeShapeError) in try TreeShape([number(1...TreeShape.nodesMax)]) })
        default: return .best(nodesMax: number(0...TreeShape.nodesMax), width: number(1...DraftShape.widthMax))
        }
    }

    /// One that its user may ask for.
    mutating func speculation(under sampling: SamplingPolicy) -> Speculation {
        while true {
            var drawn = Speculation(
                choice(DecodingMethod.self), gamma: word32() % 2 == 0 ? 0 : number(0...Limits.gammaMax),
                policy: policy(), rule: choice(VerifyRuleKind.self),
                shape: shape(), branches: number(0...Limits.branchesMax), payload: choice(PayloadKind.self),
                siblings: siblings(), merge: number(0...2), drafters: number(1...Limits.draftersMax),
                helpers: number(0...Limits.helpersMax), isRecorded: word32() % 2 == 0,
                measuresLikelihood: next() % 4 == 0)
            if drawn.method.isLossy {
                let width = number(1...DraftShape.widthMax)
                drawn = Speculation(
                    .mtad, gamma: min(drawn.gamma, TreeShape.nodesMax / width),
                    shape: .beams(width: width, onePath: next() % 2 == 0),
                    tau: Double(number(1...8)) / 8)
            }
            if drawn.method.usesBeams {
                let draws = number(1...DraftShape.widthMax)
                drawn = Speculation(drawn.method, beams: beamSettings())
                if drawn.method == .dsbd { drawn.shape = .forest(draws: draws) } else { drawn.beams.dynamic = nil }
                if drawn.method == .beam { drawn.beams.survivor = nil }
            }
            if drawn.complaint(under: sampling) == nil { return drawn }
        }
    }

    private mutating func beamSettings() -> BeamSettings {
        BeamSettings(
            width: number(1...DraftShape.widthMax),
            dynamic: next() % 2 == 0 ? nil : DynamicWidth(threshold: 0.75, widthMin: number(1...4)),
            survivor: [nil, .drawn, .likeliest][number(0...2)], answers: number(1...BeamSettings.answersMax))
    }

    private mutating func layer() -> DraftForest.Layer {
        DraftForest.Layer(
            draws: (0..<number(1...DraftShape.widthMax)).map { _ in
                BeamToken(beam: number(0...DraftShape.widthMax), token: tokens(1)[0])
            },
            rows: (0..<number(1...4)).map { _ in row() })
    }

    mutating func beamSteps() -> [BeamStep] {
        (0..<number(1...DraftShape.widthMax)).map { _ in
            BeamStep(parent: number(0...DraftShape.widthMax), tokens: tokens(number(1...8)))
        }
    }

    mutating func beamAnswers() -> [BeamAnswer] {
        (0..<number(1...BeamSettings.answersMax)).map { _ in
            BeamAnswer(
                tokens: tokens(number(1...40)), logLikelihood: -Double(number(0...4_000)) / 8,
                hasEnded: next() % 2 == 0, copies: number(1...DraftShape.widthMax))
        }
    }

    mutating func scoreOpen() -> ScoreOpen {
        let context = context()
        return ScoreOpen(
            stream: stream(), job: job(), attempt: attempt(), key: StreamKey(rawValue: word64()),
            sampling: sampling(), promptLength: context.prompt, contextTotal: context.total,
            contextOffset: context.offset, context: context.tokens, wantsRows: next() % 2 == 0)
    }

    mutating func scoreShard() -> ScoreShard {
        let drafts = tokens(number(0...Limits.treeNodesMax))
        let tokens = tokens(number(0...300))
        return ScoreShard(
            stream: stream(), shard: word32(),
            keep: position(0...(Limits.promptTokensMax + Limits.outputTokensMax - tokens.count)), tokens: tokens,
            parents: drafts.indices.map { number(0...$0) }, drafts: drafts)
    }

    mutating func scores() -> Scores {
        let rows = (0..<number(0...5)).map { _ in
            let tokens = tokens(number(1...40))
            return BeamRow(tokens: tokens, probabilities: tokens.map { _ in Double(number(1...1_000)) / 1_000 })
        }
        return Scores(
            stream: stream(), shard: word32(),
            choices: tokens(number(0...(Limits.treeNodesMax + 1))).map { Choice(token: $0, margin: margin()) },
            microseconds: word32(), rows: rows, goesOn: !rows.isEmpty && next() % 2 == 0)
    }
}
