package import NacreCore

// A job's beams divided among verifiers of one target. Each takes the trees below some of the beams; every row comes to
// the job's home, which alone judges, selects and draws. So the law is that of one verifier, whoever scores what: rows
// are functions of the target and a text, and which beams go where is settled before their drafts are looked at.
//
//      lending()   beams that helpers hold more of the text of than this verifier, a share for each
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

    /// Which trees helpers are to score in the next pass, by the stream that is to.
    func lending() -> [Int: StreamID] {
        guard let run = beams, run.beams.live.count > 1, run.stems.count == run.beams.live.count else { return [:] }
        let idle = helpers.filter(\.isIdle)
        let live = run.beams.live.map(\.text.tokens)
        let hosts = Set(idle.map(\.address)).count + 1
        let most = min(idle.count, live.count - (live.count + hosts - 1) / hosts)
        guard most > 0 else { return [:] }
        // Best first: tokens that the helper need not read, and this verifier would have to.
        let pairs = live.indices.flatMap { tree in
            idle.map { helper in
                let common = zip(helper.text, live[tree]).prefix { $0 == $1 }.count
                return (gain: common - (run.stems[tree].length - length), tree: tree, stream: helper.stream)
            }
        }.sorted { ($1.gain, $0.tree, $0.stream.rawValue) < ($0.gain, $1.tree, $1.stream.rawValue) }
        var lent: [Int: StreamID] = [:]
        for pair in pairs where lent.count < most && lent[pair.tree] == nil && !lent.values.contains(pair.stream) {
            lent[pair.tree] = pair.stream
        }
        return lent
    }

    /// For each beam that stays the tokens that its part of a pass begins with: what of the text is not cached.
    func leads(without lent: [Int: StreamID]) -> [Int: Int] {
        guard let run = beams else { return [:] }
        return Dictionary(
            uniqueKeysWithValues: run.beams.live.indices.filter { lent[$0] == nil }.map { tree in
                (tree, beamLength - (run.stems.isEmpty ? cursor.valid : run.stems[tree].length))
            })
    }

    /// Gives a tree to the helper of `stream`.
    mutating func lend(_ tree: Int, of forest: DraftForest, to stream: StreamID, at now: Instant) -> ScoreShard? {
        guard let run = beams, let place = helpers.firstIndex(where: { $0.stream == stream }) else { return nil }
        let helper = helpers[place]
        let (text, drafts) = (run.beams.live[tree].text.tokens, forest.trees[tree])
        let common = zip(helper.text, text).prefix { $0 == $1 }.count
        helpers[place].text = text
        helpers[place].nextNumber = helper.nextNumber &+ 1
        helpers[place].shard = ScoreHelper.Shard(
            number: helper.nextNumber, base: beamLength, drafts: drafts, sent: now)
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

    /// Sends the trees that a turn lends.
    mutating func lend(_ turn: BeamTurn, at now: Instant, into effects: inout [Effect]) -> [Int: LentTree] {
        var lent: [Int: LentTree] = [:]
        for (tree, stream) in turn.lent.sorted(by: { $0.key < $1.key }) {
            guard let address = jobs[turn.index].helpers.first(where: { $0.stream == stream })?.address,
                let shard = jobs[turn.index].lend(tree, of: turn.forest, to: stream, at: now)
            else { continue }
            lent[tree] = LentTree(stream: stream, shard: shard.shard)
            effects.append(.toDrafter(address: address, .scoreShard(shard)))
        }
        return lent
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
            jobs[index].helpers.remove(at: place)
            let close = ScoreClose(stream: helper.stream, reason: .dismissed)
            effects.append(.toDrafter(address: helper.address, .scoreClose(close)))
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
