import NacreCore
import NacreProtocol

/// What happened, as a digest of everything and the last events in full. Lines are made only when someone reads them.
struct Journal {
    enum Entry {
        case booted(HostID)
        case crashed(HostID)
        case frozen(HostID, until: Instant)
        case opened(HostID, ConnectionID)
        case lost(HostID, ConnectionID)
        case sent(HostID, ConnectionID, Message)
        case received(HostID, ConnectionID, Message)
        case started(HostID, EnginePass)
        case passed(HostID, PassOutcome)
    }

    private static let kept = 40
    private var entries: [(time: Instant, entry: Entry)] = []
    /// Events so far.
    private(set) var count = 0
    /// Those of them that are worth a line.
    private var written = 0
    /// FNV-1a over times, kinds, hosts and sizes of all events.
    private(set) var digest: UInt64 = 0xCBF2_9CE4_8422_2325
    var isVerbose = false

    mutating func note(_ entry: Entry, at time: Instant) {
        mix(UInt64(time.rawValue))
        mix(fingerprint(of: entry))
        count += 1
        guard !isBeat(entry) else { return }
        if entries.count < Journal.kept || isVerbose {
            entries.append((time, entry))
        } else {
            entries[written % Journal.kept] = (time, entry)
        }
        written += 1
    }

    /// Heartbeats count, but tell nothing.
    private func isBeat(_ entry: Entry) -> Bool {
        switch entry {
        case .sent(_, _, .heartbeat), .sent(_, _, .heartbeatAck), .received(_, _, .heartbeat),
            .received(_, _, .heartbeatAck):
            true
        default: false
        }
    }

    private mutating func mix(_ word: UInt64) {
        digest = (digest ^ word) &* 0x100_0000_01B3
    }

    private func fingerprint(of entry: Entry) -> UInt64 {
        func word(_ kind: UInt64, _ host: HostID, _ detail: Int) -> UInt64 {
            kind << 56 | UInt64(host.index) << 48 | UInt64(truncatingIfNeeded: detail) & 0xFFFF_FFFF_FFFF
        }
        switch entry {
        case .booted(let host): return word(1, host, 0)
        case .crashed(let host): return word(2, host, 0)
        case .frozen(let host, let until): return word(3, host, until.rawValue)
        case .opened(let host, let id): return word(4, host, id.rawValue)
        case .lost(let host, let id): return word(5, host, id.rawValue)
        case .sent(let host, let id, let message): return word(6, host, id.rawValue << 24 | weight(of: message))
        case .received(let host, let id, let message): return word(7, host, id.rawValue << 24 | weight(of: message))
        case .started(let host, let pass): return word(8, host, pass.nodes.count << 8 | pass.edits.count)
        case .passed(let host, let outcome):
            guard case .done(let scores, _, _) = outcome else { return word(9, host, 1) }
            return word(10, host, scores.reduce(0) { $0 &* 31 &+ $1.first })
        }
    }

    /// A few bits that tell messages apart.
    private func weight(of message: Message) -> Int {
        switch message {
        case .draft(let draft): Int(draft.tokens.first?.rawValue ?? 0) << 8 | Int(draft.epoch.rawValue) & 0xFF
        case .verdict(let verdict): verdict.committed.rawValue << 8 | Int(verdict.nextEpoch.rawValue) & 0xFF
        case .commit(let commit): commit.start.rawValue << 8 | commit.tokens.count
        case .jobEnded(let ended): ended.length.rawValue << 8 | Int(ended.reason.rawValue)
        default: 0
        }
    }

    /// The last events in order, one line each.
    func lines(_ world: World) -> [String] {
        let start = isVerbose || entries.count < Journal.kept ? 0 : written % Journal.kept
        let ordered = entries[start...] + entries[..<start]
        return ordered.map { Journal.clock($0.time) + " " + line($0.entry, world) }
    }

    static func clock(_ time: Instant) -> String {
        let microseconds = String(time.rawValue % 1_000_000)
        return "\(time.rawValue / 1_000_000)." + String(repeating: "0", count: 6 - microseconds.count) + microseconds
    }

    private func line(_ entry: Entry, _ world: World) -> String {
        switch entry {
        case .booted(let host): "\(world.name(host)) starts"
        case .crashed(let host): "\(world.name(host)) crashes"
        case .frozen(let host, let until): "\(world.name(host)) stands still until \(Journal.clock(until))"
        case .opened(let host, let id): "\(world.name(host)) has \(id)"
        case .lost(let host, let id): "\(world.name(host)) loses \(id)"
        case .sent(let host, let id, let message): "\(world.name(host)) → \(id) \(NacreSimulator.line(message))"
        case .received(let host, let id, let message): "\(world.name(host)) ← \(id) \(NacreSimulator.line(message))"
        case .started(let host, let pass):
            "\(world.name(host)) evaluates "
                + pass.edits.map(NacreSimulator.line).joined(separator: " ") + " "
                + pass.adoptions.map { "adopt(s\($0.branch) by s\($0.owner) \($0.positions)) " }.joined()
                + pass.nodes.map { node in
                    let sequences = ([node.sequence] + node.branches).map { "s\($0)" }.joined(separator: "+")
                    return "\(sequences)@\(node.position):\(node.token)\(node.score == nil ? "" : "?")"
                }
                .joined(separator: " ")
        case .passed(let host, let outcome): "\(world.name(host)) has \(NacreSimulator.line(outcome))"
        }
    }
}

func line(_ edit: CacheEdit) -> String {
    switch edit {
    case .rewind(let sequence, let length): "rewind(s\(sequence) to \(length))"
    case .release(let sequence): "release(s\(sequence))"
    case .fork(let source, let target, let length): "fork(s\(source) to s\(target) below \(length))"
    }
}

extension Score {
    /// The first token that it names; 0 for a law.
    var first: Int {
        switch self {
        case .choice(let choice): Int(choice.token.rawValue)
        case .candidates(let candidates): candidates.first.map { Int($0.token.rawValue) } ?? 0
        case .measured(let measured): measured.candidates.first.map { Int($0.token.rawValue) } ?? 0
        case .weights(let row): Int(row.entries[0].token.rawValue)
        case .law: 0
        case .likelihood(let likelihood): Int(likelihood.choice.token.rawValue)
        }
    }
}

func line(_ outcome: PassOutcome) -> String {
    switch outcome {
    case .done(let scores, _, _): "scored \(scores.map(\.first))"
    case .cacheFull: "a full cache"
    case .failed(let reason): "a failed pass: \(reason)"
    }
}

/// A message in one line.
func line(_ message: Message) -> String {
    switch message {
    case .draftOpen(let open):
        "DraftOpen stream \(open.stream) job \(open.job.low) attempt \(open.attempt) epoch \(open.epoch) "
            + "below \(open.positionLimit) context \(open.context.count)/\(open.contextTotal)"
    case .draftReady(let ready): "DraftReady stream \(ready.stream)"
    case .draft(let draft):
        "Draft stream \(draft.stream) epoch \(draft.epoch) heard \(draft.heard) root \(draft.root) node "
            + "\(draft.firstNode) \(draft.tokens) on \(draft.parents) \(draft.end)"
    case .rowRequest(let request): "RowRequest stream \(request.stream) node \(request.node)"
    case .draftRow(let row): "DraftRow stream \(row.stream) node \(row.node)"
    case .scoreOpen(let open):
        "ScoreOpen stream \(open.stream) job \(open.job.low) context \(open.context.count)/\(open.contextTotal)"
    case .scoreShard(let shard):
        "ScoreShard stream \(shard.stream) shard \(shard.shard) keep \(shard.keep) \(shard.tokens) drafts "
            + "\(shard.drafts) on \(shard.parents)"
    case .scores(let scores): "Scores stream \(scores.stream) shard \(scores.shard) \(scores.choices.map(\.token))"
    case .scoreClose(let close): "ScoreClose stream \(close.stream) \(close.reason)"
    case .verdict(let verdict):
        "Verdict stream \(verdict.stream) next \(verdict.nextEpoch) \(verdict.tokens) committed "
            + "\(verdict.committed) below \(verdict.positionLimit)"
    case .streamPolicy(let change): "StreamPolicy stream \(change.stream) \(change.policy)"
    case .draftClose(let close): "DraftClose stream \(close.stream) \(close.reason)"
    case .greeting(let greeting): "Greeting \(greeting.node)"
    case .hello(let hello): "Hello \(hello.node) \(hello.incarnation)"
    case .welcome(let welcome): "Welcome\(welcome.wantsVocabulary ? ", vocabulary please" : "")"
    case .heartbeat(let heartbeat): "Heartbeat \(heartbeat.number)"
    case .heartbeatAck(let ack): "HeartbeatAck \(ack.number)"
    case .assignJob(let assign):
        "AssignJob \(assign.job.low) attempt \(assign.attempt) \(assign.speculation) "
            + "context \(assign.context.count)/\(assign.contextTotal) up to \(assign.lengthMax) "
            + "offers \(assign.offers.map(\.address))"
    case .jobRefused(let refused): "JobRefused \(refused.job.low) attempt \(refused.attempt) \(refused.reason)"
    case .commit(let commit):
        "Commit \(commit.job.low) attempt \(commit.attempt) start \(commit.start) \(commit.tokens)"
    case .jobEnded(let ended):
        "JobEnded \(ended.job.low) attempt \(ended.attempt) length \(ended.length) \(ended.reason) \(ended.detail)"
    case .cancelJob(let cancel): "CancelJob \(cancel.job.low) attempt \(cancel.attempt)"
    case .hire(let hire): "Hire \(hire.job.low) attempt \(hire.attempt)"
    case .jobPolicy(let change): "JobPolicy \(change.job.low) attempt \(change.attempt) \(change.policy)"
    case .offers(let offers): "Offers \(offers.job.low) attempt \(offers.attempt) \(offers.offers.map(\.address))"
    case .vocabularyChunk(let chunk): "VocabularyChunk \(chunk.first)+\(chunk.entries.count)/\(chunk.total)"
    case .tokenize(let tokenize): "Tokenize \(tokenize.request)"
    case .tokenized(let tokenized): "Tokenized \(tokenized.request): \(tokenized.tokens.count) tokens"
    case .jobTrace(let trace): "JobTrace \(trace.job.low) attempt \(trace.attempt), \(trace.events.count) events"
    case .jobRecording(let recording):
        "JobRecording \(recording.job.low) attempt \(recording.attempt), \(recording.positions.count) positions"
    case .goodbye(let goodbye): "Goodbye \(goodbye.code) \(goodbye.detail)"
    }
}
