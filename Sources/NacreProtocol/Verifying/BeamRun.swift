package import NacreCore

/// The beams of a job of method `beam` or `dsbd`, and where they are cached. The job's own sequence holds the prompt
/// alone; nothing is committed before the end.
package struct BeamRun: Sendable {
    /// What the job has in a pass: its beams, each with the drafts below it.
    struct Part: Sendable {
        let forest: DraftForest
        /// One for each beam; `nil` where it has no part.
        let covers: [PathCover?]
        /// Beams that other verifiers score.
        let lent: [Int: LentTree]
        /// It reads a part of one beam's text, and decides nothing.
        let isReading: Bool
        private let starts: [Int]

        init(_ forest: DraftForest, _ covers: [PathCover?], lent: [Int: LentTree] = [:], isReading: Bool = false) {
            self.forest = forest
            self.covers = covers
            self.lent = lent
            self.isReading = isReading
            starts = covers.reduce(into: [0]) { $0.append($0[$0.count - 1] + ($1?.rows ?? 0)) }
        }

        var rows: Int { starts[covers.count] }
        var drafts: Int { covers.reduce(0) { $0 + ($1?.drafts.count ?? 0) } }

        /// The place among the job's scores of the row behind a node; of a beam that has a part in the pass.
        func row(behind place: BeamPlace) -> Int {
            let own = place.node.flatMap { covers[place.tree]?.places[$0] }.map { $0 + 1 } ?? 0
            return starts[place.tree] + own
        }

        /// What of the text up to a node the pass has cached; `nil` for a beam without a part.
        func stem(_ place: BeamPlace) -> BeamCache.Stem? {
            guard let cover = covers[place.tree] else { return nil }
            guard let own = place.node.flatMap({ cover.places[$0] }) else {
                return BeamCache.Stem(sequence: cover.owner, length: cover.start + cover.lead.count)
            }
            return BeamCache.Stem(
                sequence: cover.drafts[own].sequences[0], length: cover.drafts[own].position.next)
        }
    }

    package internal(set) var beams: TargetBeams
    var cache: BeamCache
    /// For each live beam what of its text is cached: all but its last token, or less where another verifier scored
    /// it. Before the first pass the prompt.
    var stems: [BeamCache.Stem] = []
    var inFlight: Part?
    var held: (part: Part, scores: [Score])?

    init(_ speculation: Speculation, trunk: SequenceID, ends: Set<TokenID>) {
        beams = TargetBeams(ends: ends, endsMax: speculation.beams.width, answersMax: BeamSettings.answersMax)
        cache = BeamCache(trunk: trunk)
    }

    var isIdle: Bool { inFlight == nil && held == nil }

    /// What the branches hold once the pass in flight has ended, for audits.
    func contents(of prompt: [TokenID]) -> [CachedText] {
        var contents: [SequenceID: CachedText] = [:]
        for (stem, beam) in zip(stems, beams.live) where stem.sequence != cache.trunk {
            let length = max(stem.length.rawValue, contents[stem.sequence]?.tokens.count ?? 0)
            guard length == stem.length.rawValue else { continue }
            contents[stem.sequence] = CachedText(
                sequence: stem.sequence, tokens: Array((prompt + beam.text.tokens).prefix(length)),
                filled: cache.filled(stem.sequence).rawValue)
        }
        for (tree, cover) in (inFlight?.covers ?? []).enumerated() {
            guard let cover else { continue }
            let text = (prompt + beams.live[tree].text.tokens).prefix(cover.start.rawValue + cover.lead.count)
            for branch in [cover.owner] + cover.branches {
                let drafts = cover.drafts.filter { $0.sequences.contains(branch) }.map(\.token)
                contents[branch] = CachedText(
                    sequence: branch, tokens: text + drafts, filled: cache.filled(branch).rawValue)
            }
        }
        return contents.values.sorted { $0.sequence.rawValue < $1.sequence.rawValue }
    }
}

extension BeamStep {
    /// The same step, of a beam that itself came to be by one of `steps`.
    func behind(_ steps: [BeamStep]) -> BeamStep {
        BeamStep(parent: steps[parent].parent, tokens: steps[parent].tokens + tokens)
    }
}

// Planning and judging what a job with beams has in a pass.
extension JobVerification {
    /// Length of each beam.
    var beamLength: Position { length + (beams?.beams.index ?? 0) }
    /// Tokens that a beam may still grow by.
    private var beamRemaining: Int { lengthMax - beamLength }

    /// Whether its beams can have a part in the next pass.
    var areBeamsReady: Bool { (beams?.isIdle ?? false) && hasContext && !isPrefilling }

    /// A forest without drafts, to be filled by a drafter: no layer that its tokens have no room for.
    var emptyForest: ExpectedForest? {
        guard let beams, !beams.beams.live.isEmpty else { return nil }
        let forest = DraftForest(
            roots: beams.beams.live.count, root: beamLength, index: beams.beams.index, ends: beams.beams.ends)
        guard case .forest(let draws) = speculation.shape else {
            return ExpectedForest(forest, layersMax: 0, drawsMax: 0)
        }
        let layers = min(schedule.positionsAhead(window: 1), beamRemaining - 1)
        return ExpectedForest(forest, layersMax: max(0, layers), drawsMax: draws)
    }

    /// The forest to be verified next; `nil` while a drafter is at work on it.
    var dueForest: DraftForest? {
        guard let drafter = readyDrafters.first else { return emptyForest?.forest }
        guard drafter.beamSteps == nil else { return nil }
        return drafter.inbox.wholeForest?.prefix(beamRemaining - 1)
    }

    /// Adds to a pass all beams that are not lent, and the drafts below them.
    ///
    /// - Parameters:
    ///   - reading: so many tokens of one beam's text alone, which decide nothing.
    ///   - free: sequences that nothing is in; those that are used are taken from it.
    mutating func place(
        _ forest: DraftForest, lent: [Int: LentTree] = [:], reading: (tree: Int, count: Int)? = nil,
        free: inout [SequenceID], in next: inout EnginePass
    ) -> [SequenceID] {
        guard var run = beams else { return [] }
        if run.stems.isEmpty { run.stems = [BeamCache.Stem(sequence: cursor.sequence, length: cursor.valid)] }
        run.cache.beginPass()
        // What a pass that was refused had forked is nobody's stem.
        run.cache.keep(run.stems, free: &free, edits: &next.edits)
        let trees = reading.map { [$0.tree] } ?? run.stems.indices.filter { lent[$0] == nil }
        // Edits come before nodes: all forks are made before anything grows.
        let owners = trees.map { tree in
            guard
                let owner = run.cache.open(run.stems[tree], claims: run.stems, free: &free, edits: &next.edits)
            else {
                preconditionFailure("no sequence for a beam of a job that has \(speculation.beamsMax) reserved")
            }
            return owner
        }
        var covers = [PathCover?](repeating: nil, count: run.stems.count)
        var branches: [SequenceID] = []
        for (tree, owner) in zip(trees, owners) {
            let start = run.stems[tree].length
            var text = tokens + run.beams.live[tree].text.tokens
            var drafts = forest.trees[tree]
            if let reading {
                text = Array(text.prefix(start.rawValue + reading.count))
                drafts = DraftTree(root: start + reading.count)
            }
            // Nothing follows a draft that ends the text.
            let cover = PathCover(
                drafts, chosen: drafts.indices.filter { !run.beams.ends.contains(drafts[$0].token) },
                lead: Array(text[start.rawValue...]), at: start, owner: owner, branches: free)
            free.removeFirst(cover.branches.count)
            branches += cover.branches
            run.cache.extend(owner, by: cover.lead.count + cover.spine)
            for branch in cover.branches {
                let last = cover.drafts.last { $0.sequences.contains(branch) }
                if let last { run.cache.begin(branch, length: last.position.next) }
            }
            next.nodes += cover.nodes { position in
                ScoreRequest(
                    key: key, index: position.next - promptLength, policy: sampling.jointScoring, kind: .law)
            }
            covers[tree] = cover
        }
        let part = BeamRun.Part(forest, covers, lent: lent, isReading: reading != nil)
        statistics.verified += UInt64(part.drafts)
        if reading == nil { statistics.standing += UInt64(forest.count) }
        run.inFlight = part
        beams = run
        return branches
    }

    /// A part of a beam's text was read.
    mutating func noteReading() {
        guard var run = beams, let part = run.held?.part else { return }
        run.held = nil
        for tree in run.stems.indices {
            run.stems[tree] = part.stem(BeamPlace(tree: tree, node: nil)) ?? run.stems[tree]
        }
        beams = run
    }

    /// Rows will not come: the round begins anew. Nothing was decided by it.
    mutating func forgetPass(edits: inout [CacheEdit]) {
        guard var run = beams else { return }
        run.held = nil
        var freed: [SequenceID] = []
        run.cache.keep(run.stems, free: &freed, edits: &edits)
        beams = run
    }

    /// Moves the beams on by what a pass scored, and notes it for the drafters.
    ///
    /// - Parameter edits: takes what frees the cells of beams that fell.
    mutating func advanceBeams(edits: inout [CacheEdit]) {
        guard var run = beams, let (part, scores) = run.held else { return }
        run.held = nil
        let sampling = sampling
        var rows: [BeamPlace: DraftBeams.Row] = [:]
        let lentRows = part.lent.compactMapValues { shard($0)?.rows }
        func row(_ place: BeamPlace) -> DraftBeams.Row {
            if let known = rows[place] { return known }
            if let lent = lentRows[place.tree] { return lent[place.node.map { $0.rawValue + 1 } ?? 0] }
            guard case .law(let law) = scores[part.row(behind: place)] else {
                preconditionFailure("a beam of the pass without its law")
            }
            let row = DraftBeams.Row(scoring: law, sampling)
            rows[place] = row
            return row
        }
        // Where nothing is drafted there are no draws to settle a width by.
        let fixed = DSBDRule.Width.fixed(speculation.beams.width)
        let rule = DSBDRule(
            width: part.forest.layers.isEmpty ? fixed : speculation.beams.dynamic.map { .dynamic($0) } ?? fixed)
        var chance = KeyedChance(key: key)
        let verdict = rule.advance(
            &run.beams, over: part.forest, chance: &chance, row: { row($0).draw }, score: { row($0).score })
        count(verdict, of: part)
        var steps = verdict.beams.map { beam in
            BeamStep(
                parent: beam.place.tree,
                tokens: part.forest.trees[beam.place.tree].tokens(to: beam.place.node) + [beam.token])
        }
        var stems = verdict.beams.map { part.stem($0.place) ?? run.stems[$0.place.tree] }
        for beam in verdict.beams where part.lent[beam.place.tree] != nil {
            statistics.shardsUsed += UInt64(part.forest.trees[beam.place.tree].tokens(to: beam.place.node).count)
        }
        var kept = run.beams.merge()
        if let survivor = speculation.beams.survivor, let one = run.beams.keepOne(survivor, chance: &chance) {
            kept = [kept[one]]
        }
        steps = kept.map { steps[$0] }
        stems = kept.map { stems[$0] }
        run.stems = stems
        var freed: [SequenceID] = []
        run.cache.keep(stems, free: &freed, edits: &edits)
        beams = run
        for hired in drafters.indices where drafters[hired].isOpen {
            drafters[hired].beamSteps = drafters[hired].beamSteps.map { told in steps.map { $0.behind(told) } } ?? steps
        }
    }

    private mutating func count(_ verdict: DSBDVerdict, of part: BeamRun.Part) {
        statistics.rounds += 1
        for (layer, kept) in verdict.kept.enumerated() {
            let tested = UInt64(verdict.tested[layer])
            statistics.judged += tested
            statistics.accepted += UInt64(kept.count)
            guard layer < JobStatistics.positionsMax else { continue }
            while statistics.judgedAt.count <= layer {
                statistics.judgedAt.append(0)
                statistics.acceptedAt.append(0)
            }
            statistics.judgedAt[layer] += tested
            statistics.acceptedAt[layer] += UInt64(kept.count)
        }
        if statistics.accepted > 0 { hireBackoff.reset() }
    }

    /// What the job ends with; `nil` while its beams go on.
    var beamAnswers: [BeamAnswer]? {
        guard let beams = beams?.beams, beams.isOver || beamRemaining <= 0 else { return nil }
        return beams.answers(speculation.beams.answers).map { text in
            BeamAnswer(
                tokens: text.tokens, logLikelihood: max(text.logP, -.greatestFiniteMagnitude),
                hasEnded: text.tokens.last.map { beams.ends.contains($0) } ?? false, copies: text.copies)
        }
    }
}
