import NacreCore
import NacreEngine
import NacreProtocol

/// What one run of a verifier must keep to, judged from its messages and passes alone.
struct VerifierLaws {
    private struct AttemptKey: Hashable {
        var job: JobID
        var attempt: Attempt
    }

    private let name: String
    /// The text of each attempt: its context, then what it committed.
    private var texts: [AttemptKey: (tokens: [TokenID], assignment: AssignJob)] = [:]

    /// Drafters with which each attempt opened streams.
    private var drafters: [AttemptKey: Set<String>] = [:]

    var lossy: LossyLaws

    init(name: String, target: TabularModel) {
        self.name = name
        lossy = LossyLaws(target: target)
    }

    /// Texts held for other verifiers, by the key of their noise: what they were when the last shard came.
    private var guests: [StreamKey: (tokens: [TokenID], promptLength: Position)] = [:]

    /// Another verifier has this one hold a text.
    mutating func held(_ open: ScoreOpen) {
        guests[open.key] = ([], open.promptLength)
    }

    mutating func assigned(_ assignment: AssignJob) {
        texts[AttemptKey(job: assignment.job, attempt: assignment.attempt)] = (assignment.context, assignment)
    }

    /// A stream opens; returns whether it is the first with a second drafter of its job.
    mutating func opened(_ open: DraftOpen, at address: String) -> Bool {
        guard open.contextOffset == 0 else { return false }
        let key = AttemptKey(job: open.job, attempt: open.attempt)
        return drafters[key, default: []].insert(address).inserted && drafters[key]?.count == 2
    }

    /// Commits continue the text.
    mutating func judge(_ commit: Commit) -> JobLaws.Breach? {
        let key = AttemptKey(job: commit.job, attempt: commit.attempt)
        let length = texts[key]?.tokens.count ?? 0
        if let (text, assignment) = texts[key], let breach = lossy.judge(commit, after: text, of: assignment) {
            return breach
        }
        texts[key]?.tokens += commit.tokens
        guard length != commit.start.rawValue else { return nil }
        return (.commitment, "\(name) commits \(commit.job.low) at \(commit.start), its text ends at \(length)")
    }

    /// No stream opens with a limit beyond the job, nor further ahead than its method looks.
    func judge(_ message: Message) -> JobLaws.Breach? {
        guard case .draftOpen(let open) = message,
            let assignment = texts[AttemptKey(job: open.job, attempt: open.attempt)]?.assignment
        else { return nil }
        let speculation = assignment.speculation
        let gamma = speculation.gamma > 0 ? speculation.gamma : speculation.isPaced ? Limits.gammaMax : 4
        var ahead =
            switch speculation.method {
            case .autoregressive, .beam: 0
            case .speculative, .mtad, .dsbd: gamma
            // A second drafter may join in the middle of a window.
            case .pearl: 2 * gamma - 1
            case .stream: Limits.windowPositionsMax
            }
        if case .fixed(let shape) = speculation.shape { ahead = max(ahead, shape.depth) }
        if speculation.branches > 0 { ahead += 4 }
        guard open.positionLimit > assignment.lengthMax || open.positionLimit.rawValue - open.contextTotal > ahead
        else { return nil }
        return (.window, "\(name) opens a stream below \(open.positionLimit)")
    }

    /// Each row stands on a committed text and drafts behind it, and each text that has rows has one at its end.
    func judge(_ pass: EnginePass, _ engine: SimulatedEngine) -> JobLaws.Breach? {
        var ends: [StreamKey: Bool] = [:]
        for node in pass.nodes {
            guard let score = node.score else { continue }
            let text = engine.cached(node.sequence).prefix(node.position.rawValue + 1)
            // Two attempts of a job share a key: the row belongs to one whose text it stands on.
            let owners = texts.values.filter {
                $0.assignment.key == score.key && text.starts(with: $0.tokens)
                    && score.index == node.position.next - $0.assignment.promptLength
            }
            // What another verifier wants scored is its own affair: it says what its text is.
            if guests[score.key] != nil { continue }
            guard text.count == node.position.rawValue + 1, !owners.isEmpty else {
                return (.cache, "\(name) has a row for token \(score.index) on \(Array(text)), which is no job's text")
            }
            ends[score.key, default: false] =
                ends[score.key] == true
                || owners.contains { $0.tokens.count == text.count || $0.assignment.speculation.method.usesBeams }
        }
        guard ends.values.allSatisfy(\.self) else {
            return (.cache, "\(name) has rows of a job, none at its text's end")
        }
        return nil
    }
}
