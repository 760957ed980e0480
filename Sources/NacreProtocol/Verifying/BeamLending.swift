package import NacreCore

// A job's beams divided among verifiers of one target. Each takes the trees below some of the beams; every row comes to
// the job's home, which alone judges, selects and draws. So the law is that of one verifier, whoever scores what: rows
// are functions of the target and a text, and which beams go where is settled before their drafts are looked at.
//
//      lending     beams that helpers hold more of the text of than this verifier, a share for each; none to a helper
//                  that has so much to read first that all of it is done here before (`LendingRule`)
//      lend        a shard to each: what of the text it lacks, and the beam's tree
//      a pass      over the trees that stay
//      judged      once all rows are here
//
// A helper that is lost, refuses or is late is done without: the round begins anew, its trees at home. What other
// verifiers evaluated is not cached here: `BeamRun.stems` says what is, and the rest leads a later pass.

/// A tree that another verifier scores.
struct LentTree: Sendable, Hashable {
    var stream: StreamID
    var shard: UInt32
}

extension JobVerification {
    /// How many texts each of so many helpers holds: one, but for jobs with beams a share of those.
    func helperStreams(hosts: Int) -> [Int] {
        guard beams != nil else { return Array(repeating: 1, count: hosts) }
        let width = speculation.beamsMax
        // One beam at least stays.
        var left = width - 1
        return (0..<hosts).map { _ in
            let share = min(left, max(1, width / (hosts + 1)))
            left -= share
            return share
        }
    }

    /// Trees by number, each with the stream of a helper.
    struct BeamLoan {
        /// Whose rows the next pass waits for.
        var scored: [Int: StreamID] = [:]
        /// Whose text is read, without drafts, so that there is less to read another time. Nothing waits for that.
        var read: [Int: StreamID] = [:]

        var count: Int { scored.count + read.count }

        func has(_ tree: Int, _ stream: StreamID) -> Bool {
            scored[tree] != nil || read[tree] != nil || scored.values.contains(stream) || read.values.contains(stream)
        }
    }

    /// Which trees of `forest` helpers are to score in the next pass.
    func lending(_ forest: DraftForest, by rule: LendingRule, at now: Instant) -> BeamLoan {
        var loan = BeamLoan()
        guard let run = beams, run.beams.live.count > 1, run.stems.count == run.beams.live.count else { return loan }
        let idle = helpers.filter { $0.isIdle(at: now) }
        let live = run.beams.live.map(\.text.tokens)
        let hosts = Set(idle.map(\.address)).count + 1
        let most = min(idle.count, live.count - (live.count + hosts - 1) / hosts)
        guard most > 0 else { return loan }
        // Best first: tokens that the helper need not read, and this verifier would have to.
        let pairs = live.indices.flatMap { tree in
            idle.map { helper in
                let common = zip(helper.text, live[tree]).prefix { $0 == $1 }.count
                return (gain: common - (run.stems[tree].length - length), tree: tree, common: common, helper: helper)
            }
        }.sorted {
            ($1.gain, $0.tree, $0.helper.stream.rawValue) < ($0.gain, $1.tree, $1.helper.stream.rawValue)
        }
        // A pass over all trees here, with what of their texts is not cached: what it takes to do without helpers.
        let texts = leads(without: [:]).values.reduce(0, +)
        // How many draws there are was settled before the first; where they lie is not looked at.
        let draws = forest.layers.reduce(0) { $0 + $1.count }
        let here = rule.microseconds(unread: texts - live.count, nodes: live.count + draws)
        let nodes = 1 + (draws + live.count - 1) / live.count
        var loads: [String: (unread: Int, nodes: Int)] = [:]
        for (_, tree, common, helper) in pairs where loan.count < most && !loan.has(tree, helper.stream) {
            // The last token of a text is a node of the pass that scores.
            let unread = max(0, live[tree].count - common - 1)
            let before = loads[helper.address] ?? (0, 0)
            let load = (unread: before.unread + unread, nodes: before.nodes + nodes)
            if rule.isInTime(unread: load.unread, nodes: load.nodes, here: here) {
                loads[helper.address] = load
                loan.scored[tree] = helper.stream
            } else if !rule.isInTime(unread: unread, nodes: nodes, here: here) {
                loan.read[tree] = helper.stream
            }
        }
        return loan
    }

    /// For each beam that stays the tokens that its part of a pass begins with: what of the text is not cached.
    func leads(without lent: [Int: StreamID]) -> [Int: Int] {
        guard let run = beams else { return [:] }
        return Dictionary(
            uniqueKeysWithValues: run.beams.live.indices.filter { lent[$0] == nil }.map { tree in
                (tree, beamLength - (run.stems.isEmpty ? cursor.valid : run.stems[tree].length))
            })
    }

    /// Gives the text of a beam, and `drafts` below it, to the helper of `stream`; without drafts to score, `nil`, only
    /// the text, to be read.
    mutating func lend(_ tree: Int, _ drafts: DraftTree?, to stream: StreamID, at now: Instant) -> ScoreShard? {
        guard let run = beams, let place = helpers.firstIndex(where: { $0.stream == stream }) else { return nil }
        let helper = helpers[place]
        let text = run.beams.live[tree].text.tokens
        let common = zip(helper.text, text).prefix { $0 == $1 }.count
        helpers[place].text = text
        helpers[place].nextNumber = helper.nextNumber &+ 1
        let isReading = drafts == nil
        let drafts = drafts ?? DraftTree(root: beamLength)
        helpers[place].shard = ScoreHelper.Shard(
            number: helper.nextNumber, base: beamLength, drafts: drafts, sent: now, isReading: isReading)
        statistics.shardsSent += UInt64(drafts.count)
        return ScoreShard(
            stream: stream, shard: helper.nextNumber, keep: length + common, tokens: Array(text[common...]),
            parents: drafts.nodes.map { $0.parent.map { $0.rawValue + 1 } ?? 0 }, drafts: drafts.nodes.map(\.token))
    }

    /// The shard of a lent tree; `nil` if nothing will come of it.
    func shard(_ lent: LentTree) -> ScoreHelper.Shard? {
        helpers.first { $0.stream == lent.stream }?.shard.flatMap { $0.number == lent.shard ? $0 : nil }
    }
}

extension VerifierMachine {
    /// Whether a pass over beams can be judged, must wait for rows of other verifiers, or is to be done again without
    /// them.
    enum BeamRows { case complete, awaited, void }

    /// Sends the trees that a turn lends, and what is only to be read.
    mutating func lend(_ turn: BeamTurn, at now: Instant, into effects: inout [Effect]) -> [Int: LentTree] {
        var lent: [Int: LentTree] = [:]
        for (tree, stream) in turn.lent.sorted(by: { $0.key < $1.key }) {
            guard let shard = send(tree, turn.forest.trees[tree], to: stream, of: turn.index, at: now, into: &effects)
            else { continue }
            lent[tree] = LentTree(stream: stream, shard: shard)
        }
        for (tree, stream) in turn.read.sorted(by: { $0.key < $1.key }) {
            _ = send(tree, nil, to: stream, of: turn.index, at: now, into: &effects)
        }
        return lent
    }

    private mutating func send(
        _ tree: Int, _ drafts: DraftTree?, to stream: StreamID, of index: Int, at now: Instant,
        into effects: inout [Effect]
    ) -> UInt32? {
        guard let address = jobs[index].helpers.first(where: { $0.stream == stream })?.address,
            let shard = jobs[index].lend(tree, drafts, to: stream, at: now)
        else { return nil }
        effects.append(.toDrafter(address: address, .scoreShard(shard)))
        return shard.shard
    }

    /// Looks after the rows that other verifiers owe a pass that is over, and dismisses those who are late.
    mutating func beamRows(_ index: Int, at now: Instant, into effects: inout [Effect]) -> BeamRows {
        guard let part = jobs[index].beams?.held?.part else { return .awaited }
        var rows = BeamRows.complete
        for (_, lent) in part.lent.sorted(by: { $0.key < $1.key }) {
            guard let shard = jobs[index].shard(lent) else {
                rows = .void
                continue
            }
            if shard.rows != nil { continue }
            guard let place = jobs[index].helpers.firstIndex(where: { $0.stream == lent.stream }) else { continue }
            let helper = jobs[index].helpers[place]
            // At first it may have the prompt to read.
            let patience =
                helper.response == 0
                ? configuration.primingMax
                : min(configuration.primingMax, max(configuration.silenceMax, 4 * Int(helper.response)))
            if now < shard.sent + patience {
                if rows == .complete { rows = .awaited }
                continue
            }
            rows = .void
            dismissHelper(place, of: index, into: &effects)
        }
        return rows
    }
}

extension GuestStream {
    /// The rows of a shard, the one behind the text first, then in the order of its drafts.
    func rows(_ scores: [Score], of cover: PathCover) -> [BeamRow] {
        var rows = Array(repeating: BeamRow(), count: scores.count)
        for (place, score) in scores.enumerated() {
            guard case .law(let law) = score else { continue }
            let node = place == 0 ? 0 : cover.drafts[place - 1].node.rawValue + 1
            rows[node] = BeamRow(DraftBeams.Row(scoring: law, sampling))
        }
        return rows
    }
}

extension Scores {
    /// Rows in as many messages as they need.
    package static func parts(
        of rows: [BeamRow], stream: StreamID, shard: UInt32, microseconds: Int,
        entriesMax: Int = Limits.lawEntriesMax
    ) -> [Scores] {
        let empty = Scores(stream: stream, shard: shard, choices: [], microseconds: UInt32(clamping: microseconds))
        var parts = [empty]
        var room = entriesMax
        for row in rows {
            var start = 0
            while start < row.tokens.count {
                if room == 0 {
                    parts[parts.count - 1].goesOn = start > 0
                    parts.append(empty)
                    room = entriesMax
                }
                let end = min(row.tokens.count, start + room)
                parts[parts.count - 1].rows.append(
                    BeamRow(
                        tokens: Array(row.tokens[start..<end]), probabilities: Array(row.probabilities[start..<end])))
                room -= end - start
                start = end
            }
        }
        return parts
    }
}
