import NacreCore
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

    init(name: String) { self.name = name }

    mutating func assigned(_ assignment: AssignJob) {
        texts[AttemptKey(job: assignment.job, attempt: assignment.attempt)] = (assignment.context, assignment)
    }

    /// Commits continue the text.
    mutating func judge(_ commit: Commit) -> JobLaws.Breach? {
        let key = AttemptKey(job: commit.job, attempt: commit.attempt)
        let length = texts[key]?.tokens.count ?? 0
        texts[key]?.tokens += commit.tokens
        guard length != commit.start.rawValue else { return nil }
        return (.commitment, "\(name) commits \(commit.job.low) at \(commit.start), its text ends at \(length)")
    }

    /// No stream opens with a limit beyond the job, nor further ahead than its method looks.
    func judge(_ message: Message) -> JobLaws.Breach? {
        guard case .draftOpen(let open) = message,
            let assignment = texts[AttemptKey(job: open.job, attempt: open.attempt)]?.assignment
        else { return nil }
        let gamma = assignment.gamma == 0 ? 4 : assignment.gamma
        let ahead =
            switch assignment.method {
            case .autoregressive: 0
            case .speculative, .pearl: gamma
            case .stream: Limits.windowPositionsMax
            }
        guard open.positionLimit > assignment.lengthMax || open.positionLimit.rawValue - open.contextTotal > ahead
        else { return nil }
        return (.window, "\(name) opens a stream below \(open.positionLimit)")
    }

    /// Each row stands on the committed text and on the drafts before it in the same pass.
    func judge(_ pass: EnginePass, _ engine: SimulatedEngine) -> JobLaws.Breach? {
        var chains: [(sequence: SequenceID, text: [TokenID])] = []
        for node in pass.nodes {
            guard let score = node.score else { continue }
            if let last = chains.last, last.sequence == node.sequence {
                guard node.position.rawValue == last.text.count else {
                    return (.cache, "\(name) scores \(node.position) after \(last.text.count)")
                }
                chains[chains.count - 1].text.append(node.token)
            } else {
                // Two attempts of a job share a key: the row belongs to the one whose text ends here.
                let owner = texts.values.first {
                    $0.assignment.key == score.key && $0.tokens.count == node.position.rawValue + 1
                        && $0.tokens.last == node.token
                }
                guard let owner else { return (.cache, "\(name) asks for a row at \(node.position), no text's end") }
                guard score.index == node.position.next - owner.assignment.promptLength else {
                    return (.cache, "\(name) draws token \(score.index) at \(node.position)")
                }
                chains.append((node.sequence, owner.tokens))
            }
        }
        for chain in chains where engine.cached(chain.sequence) != chain.text {
            return (.cache, "\(name) has rows on \(engine.cached(chain.sequence)), the text is \(chain.text)")
        }
        return nil
    }
}
