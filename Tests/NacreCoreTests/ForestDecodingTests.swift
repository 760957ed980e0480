import NacreCore
import NacreEngine
import Testing

/// Several jobs on one engine, each with a drafter that proposes trees: growth, packing, cache plan, one pass, verdict.
private struct ForestDecoding {
    struct Job {
        let key: StreamKey
        let prompt: Int
        let policy: SamplingPolicy
        let drafter: TabularModel
        var tokens: [TokenID]
        var cursor: CacheCursor
        var growth: TreeGrowth
        var share = FairShare()
        var acceptance = SiblingAcceptance()
        /// Drafts judged and accepted.
        var accepted = 0

        /// The drafter's most probable tokens, under the noise that the target will use (ALGORITHMS 9.3).
        func proposals(below path: [TokenID], width: Int) -> [TreeGrowth.Proposal] {
            var row: [Float] = []
            let context = tokens + path
            drafter.logits(after: context[...], into: &row)
            let noise = PositionalRandom(key: key)
            let scores = row.enumerated().map { token, logit in
                policy.isGreedy
                    ? Double(logit)
                    : Double(logit) / policy.temperature
                        + noise.gumbel(at: context.count - prompt, token: TokenID(rawValue: UInt32(token)))
            }
            let best = scores.indices.sorted { (-scores[$0], $0) < (-scores[$1], $1) }.prefix(width)
            // What the first is ahead of the others stands for a probability here.
            let weights = best.map { 1 / (1 + scores[best[0]] - scores[$0]) }
            let total = weights.reduce(0.2, +)
            return zip(best, weights).map { .init(token: TokenID(rawValue: UInt32($0)), probability: $1 / total) }
        }
    }

    /// How a round's drafts are chosen.
    struct Style {
        var plan: TreePlan
        var batch = 1
        var sharingRecent: Int?
        var branchesMax = 24
        var measuredWorth = false
    }

    static let sequences = 32
    var engine: ReferenceEngine
    var jobs: [Job]
    let style: Style
    var cost = StepCostModel(nodesMax: 64, priorFixed: 1000, perNode: 5)
    var passes = 0
    /// What the next pass performs first.
    private var pending: [PathCover.Settlement] = []

    init(_ model: TabularModel, _ jobs: [Job], _ style: Style) {
        engine = ReferenceEngine(model: model, contextCells: 4096, sequences: Self.sequences, nodesMax: 64)
        self.jobs = jobs
        self.style = style
    }

    /// One pass over the trees of all jobs that want more than `length` tokens.
    mutating func step(until length: Int) throws -> Bool {
        let running = jobs.indices.filter { jobs[$0].tokens.count < jobs[$0].prompt + length }
        guard !running.isEmpty else { return false }
        for index in running { draft(index) }
        let chosen = ForestPacker.pack(
            running.map { index in
                let job = jobs[index]
                return ForestPacker.Job(
                    mandatory: job.tokens.count - job.cursor.valid.rawValue, tree: job.growth.tree,
                    worth: style.measuredWorth ? job.acceptance.worth(of: job.growth.tree) : job.growth.tree.pathWorth,
                    weight: job.share.weight)
            }, cost: cost, limits: .init(nodesMax: 64, branchesMax: style.branchesMax))
        var pass = EnginePass()
        for settlement in pending {
            pass.adoptions += settlement.adoptions
            pass.edits += settlement.releases
        }
        pending = []
        var free = (Int32(jobs.count)..<Int32(Self.sequences)).map(SequenceID.init)
        var covers: [PathCover] = []
        for (index, chosen) in zip(running, chosen) {
            let job = jobs[index]
            if let edit = jobs[index].cursor.rewindIfNeeded() { pass.edits.append(edit) }
            let cover = PathCover(
                job.growth.tree, chosen: chosen, lead: Array(job.tokens[job.cursor.valid.rawValue...]),
                at: job.cursor.valid, owner: job.cursor.sequence, branches: free)
            free.removeFirst(cover.branches.count)
            jobs[index].cursor.advance(by: cover.lead.count + cover.spine)
            pass.nodes += cover.nodes { position in
                ScoreRequest(key: job.key, index: position.rawValue + 1 - job.prompt, policy: job.policy)
            }
            covers.append(cover)
        }
        var choices = try engine.run(pass).compactMap(\.choice)[...]
        passes += 1
        let even = Double(chosen.reduce(0) { $0 + $1.count }) / Double(running.count)
        for (index, cover) in zip(running, covers) {
            let rows = Array(choices.prefix(cover.rows))
            choices = choices.dropFirst(cover.rows)
            jobs[index].share.took(cover.drafts.count, of: jobs[index].growth.tree.count, evenShare: even)
            try judge(index, cover, rows)
        }
        #expect(choices.isEmpty)
        return true
    }

    private mutating func draft(_ index: Int) {
        while case let wanted = jobs[index].growth.next(style.batch), !wanted.isEmpty {
            for expansion in wanted {
                let path = jobs[index].growth.proposed.tokens(to: expansion.node)
                let proposals = jobs[index].proposals(below: path, width: expansion.width)
                jobs[index].growth.supply(proposals, for: expansion)
            }
        }
    }

    /// Judges the part of the tree that was in the pass.
    private mutating func judge(_ index: Int, _ cover: PathCover, _ rows: [Choice]) throws {
        let tree = jobs[index].growth.tree
        let kept = tree.keeping(cover.drafts.map(\.node))
        let (part, moved) = (kept.tree, kept.moved)
        var choices: [NodeIndex?: Choice] = [nil: rows[0]]
        for (draft, row) in zip(cover.drafts, rows.dropFirst()) { choices[moved[draft.node.rawValue]] = row }
        let judged = try ProposedTree(part, index: part.root.rawValue - jobs[index].prompt, all: .coupled)
        // Coupled choices take no further chance.
        var chance = KeyedChance(key: jobs[index].key)
        let selection = CoupledRule().select(judged, chance: &chance) { node, _ in
            choices[node] ?? Choice(token: .init(rawValue: .max), margin: 0)
        }
        let committed = selection.tokens(of: judged)
        jobs[index].acceptance.record(selection, of: part)
        jobs[index].accepted += selection.path.count
        let settlement = cover.settle(accepting: tree.follow(part.tokens(to: selection.path.last)).node)
        pending.append(settlement)
        jobs[index].cursor.settle(settlement)
        jobs[index].tokens += committed
        #expect(jobs[index].cursor.valid.rawValue == jobs[index].tokens.count - 1)
        if jobs[index].growth.commit(committed) == nil {
            let root = Position(rawValue: jobs[index].tokens.count)
            jobs[index].growth = TreeGrowth(root: root, plan: style.plan, sharingRecent: style.sharingRecent)
        }
    }

    /// Performs what is pending; then every job's cache holds its text but the last token, and nothing else.
    mutating func audit() throws {
        var pass = EnginePass()
        for settlement in pending {
            pass.adoptions += settlement.adoptions
            pass.edits += settlement.releases
        }
        pending = []
        for index in jobs.indices {
            if let edit = jobs[index].cursor.rewindIfNeeded() { pass.edits.append(edit) }
        }
        _ = try engine.run(pass)
        for job in jobs {
            #expect(engine.cached(job.cursor.sequence) == job.tokens.dropLast())
        }
        #expect(engine.cellsInUse == jobs.reduce(0) { $0 + $1.tokens.count - 1 })
    }
}

@Suite("Decoding with forests")
struct ForestDecodingTests {
    private static let model = TabularModel.hashed(vocabulary: 32, seed: 4)
    private static let prompts: [[TokenID]] = [[3, 1, 4], [1, 5], [9, 2, 6, 5], [3, 5]]

    private func plain(_ prompt: [TokenID], _ key: StreamKey, _ policy: SamplingPolicy, _ length: Int) -> [TokenID] {
        var tokens = prompt
        var row: [Float] = []
        var scratch = CoupledScratch()
        for index in 0..<length {
            Self.model.logits(after: tokens[...], into: &row)
            let request = ScoreRequest(key: key, index: index, policy: policy)
            tokens.append(CoupledRule.choose(row.span, request, scratch: &scratch).token)
        }
        return tokens
    }

    private static let styles: [ForestDecoding.Style] = [
        .init(plan: .bestFirst(.init(nodesMax: 12, width: 3)), batch: 1),
        .init(plan: .bestFirst(.init(nodesMax: 12, width: 3)), batch: 4, sharingRecent: 2, measuredWorth: true),
        .init(plan: .bestFirst(.init(nodesMax: 30, width: 4, pathMin: 0.01)), batch: 4, branchesMax: 3),
        .init(plan: .bestFirst(.init(nodesMax: 8, width: 1)), branchesMax: 0),
    ]

    @Test(
        "Whatever the trees, four jobs in one pass get the tokens of plain decoding, and each cache its own text",
        arguments: [SamplingPolicy.greedy, SamplingPolicy(temperature: 1)], 0..<5)
    func invariance(policy: SamplingPolicy, style number: Int) throws {
        let style =
            try number < Self.styles.count
            ? Self.styles[number] : .init(plan: .fixed(TreeShape(parsing: "3,2,1")), batch: 8)
        let length = 60
        let jobs = Self.prompts.enumerated().map { index, prompt in
            ForestDecoding.Job(
                key: StreamKey(rawValue: UInt64(index)), prompt: prompt.count, policy: policy,
                drafter: Self.model.drafter(agreement: [0.9, 0.6, 0.3, 1][index], seed: 77), tokens: prompt,
                cursor: CacheCursor(sequence: SequenceID(rawValue: Int32(index))),
                growth: TreeGrowth(
                    root: Position(rawValue: prompt.count), plan: style.plan, sharingRecent: style.sharingRecent))
        }
        var decoding = ForestDecoding(Self.model, jobs, style)
        while try decoding.step(until: length) {
            if decoding.passes % 3 == 0 { try decoding.audit() }
        }
        try decoding.audit()
        for (index, job) in decoding.jobs.enumerated() {
            let expected = plain(Self.prompts[index], job.key, policy, length)
            #expect(job.tokens.starts(with: expected), "job \(index)")
            #expect(job.tokens.count >= expected.count)
        }
        // The perfect drafter's job was done long before the others; with none accepted it would have taken 60.
        #expect(decoding.jobs[3].accepted >= 40 && decoding.passes < length)
    }
}
