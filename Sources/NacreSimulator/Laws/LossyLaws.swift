import NacreCore
import NacreEngine
import NacreProtocol

/// What a lossy method promises, checked at every commit from the messages alone: ln P of a block of drafts is above
/// what its drafter said that it is compared with, plus ln τ (ALGORITHMS 3.2).
struct LossyLaws {
    /// A drafter's stream, as one shard of the verifier knows it.
    struct Stream: Hashable {
        var shard: ShardIndex
        var address: String
        var number: StreamID
    }

    private struct Search {
        var stream: Stream
        var epoch: Epoch
        var root: Position
        var references: [Double]
    }

    private let target: TabularModel
    private var owners: [Stream: JobID] = [:]
    /// Also those that are over: a drafter that lies about its epoch has no say in what was judged before.
    private var searches: [Search] = []
    /// Blocks of drafts that were judged.
    private(set) var blocks = 0

    init(target: TabularModel) { self.target = target }

    mutating func opened(_ open: DraftOpen, on stream: Stream) { owners[stream] = open.job }

    mutating func heard(_ draft: Draft, on stream: Stream) {
        guard owners[stream] != nil, !draft.references.isEmpty else { return }
        if let index = searches.lastIndex(where: { $0.stream == stream && $0.epoch == draft.epoch }) {
            searches[index].references += draft.references
        } else {
            searches.append(
                Search(stream: stream, epoch: draft.epoch, root: draft.root, references: draft.references))
        }
    }

    /// - Parameter text: of the job before the commit.
    mutating func judge(_ commit: Commit, after text: [TokenID], of assignment: AssignJob) -> JobLaws.Breach? {
        guard assignment.speculation.method.isLossy, commit.tokens.count > 1 else { return nil }
        blocks += 1
        // The last token is the target's own, unless a draft ended the text or filled the budget.
        let isLast =
            commit.tokens.last == Language.end && !assignment.ignoresEnds
            || text.count + commit.tokens.count == assignment.lengthMax.rawValue
        let candidates = [Array(commit.tokens.dropLast())] + (isLast ? [commit.tokens] : [])
        let breaches = candidates.map { breach($0, commit, after: text, assignment) }
        return breaches.contains { $0 == nil } ? nil : breaches[0]
    }

    private func breach(
        _ block: [TokenID], _ commit: Commit, after text: [TokenID], _ assignment: AssignJob
    ) -> JobLaws.Breach? {
        let logP = logJoint(block, after: text, assignment)
        let bounds = searches.compactMap { search -> Double? in
            guard owners[search.stream] == commit.job, search.root == commit.start,
                search.references.count >= block.count
            else { return nil }
            return search.references[block.count - 1]
                + LossyMTADRule(threshold: assignment.speculation.tau).logThreshold
        }
        guard !bounds.contains(where: { logP >= $0 - 1e-6 }) else { return nil }
        return (
            .commitment,
            "\(commit.job.low) commits the drafts \(block) with ln P \(logP), which no search allows: \(bounds)"
        )
    }

    private func logJoint(_ block: [TokenID], after text: [TokenID], _ assignment: AssignJob) -> Double {
        var row: [Float] = []
        var scratch = CoupledScratch()
        var sum = 0.0
        for (place, token) in block.enumerated() {
            target.logits(after: (text + block[..<place])[...], into: &row)
            let request = ScoreRequest(
                key: assignment.key, index: 0, policy: assignment.sampling, kind: .likelihood(of: [token]))
            guard case .likelihood(let score) = Score(row.span, request, scratch: &scratch) else { continue }
            sum += score.ofTokens[0]
        }
        return sum
    }
}
