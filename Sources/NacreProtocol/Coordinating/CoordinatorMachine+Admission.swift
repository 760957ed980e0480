import NacreCore

// Which drafters are of use.
extension CoordinatorMachine {
    /// Sends away drafters that no target here can use, with the overlap, once both vocabularies are known. A drafter
    /// that has had a verifier of its vocabulary stays: that verifier may be about to come back.
    mutating func turnAway(at now: Instant, into effects: inout [Effect]) {
        for drafter in nodes.values.sorted(by: { $0.link < $1.link }) where !drafter.isVerifier && !drafter.hasMatched {
            if nodes.values.contains(where: { $0.isVerifier && $0.shares(vocabularyOf: drafter) }) {
                nodes[drafter.link]?.hasMatched = true
            } else if vocabularies[drafter.hello.vocabularyDigest] != nil, let reason = incompatibility(of: drafter) {
                effects.append(.close(drafter.link, Goodbye(code: .vocabularyMismatch, detail: reason)))
                lose(drafter.link, reason: reason, at: now, into: &effects)
            }
        }
    }

    /// Why no job can use this drafter, in words with the overlap; `nil` if one can or no target is known yet.
    package func incompatibility(of node: NodeRecord) -> String? {
        guard !node.isVerifier, let verifier = usableVerifiers.first,
            !nodes.values.contains(where: { $0.isVerifier && $0.shares(vocabularyOf: node) })
        else { return nil }
        guard let draft = vocabularies[node.hello.vocabularyDigest],
            let target = vocabularies[verifier.hello.vocabularyDigest]
        else { return "its vocabulary differs from the target's" }
        let overlap = target.overlap(withDraft: draft)
        return "its vocabulary differs from the target's (\(overlap.targetShared) of the target's "
            + "\(overlap.targetTokens) tokens shared): use a draft model with the target's tokenizer, or start "
            + "the drafter with --target-vocabulary and the target's file"
    }
}

extension NodeRecord {
    fileprivate func shares(vocabularyOf other: NodeRecord) -> Bool {
        hello.vocabularyDigest == other.hello.vocabularyDigest
    }
}
