package import NacreAPI
import NacreCore
package import NacreProtocol

extension PairDocument {
    /// What the verifiers among `nodes` say of their jobs' drafts, those with jobs first.
    package static func all(of nodes: [NodeRecord]) -> [PairDocument] {
        let drafters = nodes.filter { !$0.isVerifier }
        func draftModel(_ report: PairReport) -> String? {
            if report.state == .noDrafter || report.state == .plain { return nil }
            // One that has gone is known by its digest only.
            return drafters.first { $0.hello.modelDigest == report.draftModel }?.hello.fileName
                ?? report.draftModel.hexadecimal
        }
        let all = nodes.filter(\.isVerifier).sorted { $0.hello.node < $1.hello.node }.flatMap { node in
            node.load.pairs.map { PairDocument($0, of: node.hello, draftModel: draftModel($0)) }
        }
        return all.filter { $0.jobs > 0 } + all.filter { $0.jobs == 0 }
    }

    private init(_ report: PairReport, of verifier: Hello, draftModel: String?) {
        let counts = report.counts
        self.init(
            verifier: verifier.node, targetModel: verifier.fileName, draftModel: draftModel,
            method: report.method.name, policy: report.policy, tree: report.tree, state: report.state.name,
            reason: report.reason, ratio: report.ratio > 0 ? Double(report.ratio) : nil,
            sinceSeconds: Double(report.milliseconds) / 1e3, jobs: report.jobs,
            tokensPerSecond: Double(report.tokensPerSecond), tokens: Int(clamping: counts.tokens),
            rounds: Int(clamping: counts.rounds), verified: Int(clamping: counts.verified),
            drafted: Int(clamping: counts.drafted), draftMicroseconds: Int(clamping: counts.draftMicroseconds),
            overlapMicroseconds: Int(clamping: counts.overlapMicroseconds),
            judgedAt: counts.judgedAt.map { Int(clamping: $0) }, acceptedAt: counts.acceptedAt.map { Int(clamping: $0) }
        )
    }
}
