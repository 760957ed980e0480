package import NacreCore

/// What makes drafts alike in what they bring: whose model drafts, where, and how.
package struct PairKey: Sendable, Hashable {
    /// Digest of the draft model; `nil` while there is no drafter.
    package var draftModel: UInt64?
    /// It computes on the verifier's cores.
    package var sharesCores: Bool
    package var method: DecodingMethod
    package var policy: PolicySpecification
    package var gamma: Int
    package var shape: DraftShape
    package var branches: Int
    package var rule: VerifyRuleKind
    /// Greedy text and drawn text do not have the same share of drafts that stand.
    package var isGreedy: Bool

    package init(draftModel: UInt64?, sharesCores: Bool, _ speculation: Speculation, _ sampling: SamplingPolicy) {
        self.draftModel = draftModel
        self.sharesCores = sharesCores
        method = speculation.method
        policy = speculation.policy
        gamma = speculation.gamma
        shape = speculation.shape
        branches = speculation.branches
        rule = speculation.rule
        isGreedy = sampling.isGreedy
    }

    /// Whether anything is learnt of it.
    var isGoverned: Bool {
        if case .fixed = shape { return false }
        return draftModel != nil && method != .autoregressive && method.keepsText && gamma == 0
    }
}

/// The pairs of one verifier: at most `Limits.pairsMax`, or as many as have jobs.
struct PairTable: Sendable {
    /// In the order in which they came.
    private(set) var pairs: [DraftingPair] = []

    /// Whether a new pair needs room.
    func lacksRoom(for key: PairKey) -> Bool {
        pairs.count >= Limits.pairsMax && !pairs.contains { $0.key == key }
    }

    /// Forgets pairs until a new one has room: those without jobs, of which nothing was learnt or which were used the
    /// longest ago.
    mutating func makeRoom(keeping inUse: Set<PairKey>) {
        while pairs.count >= Limits.pairsMax {
            let idle = pairs.indices.filter { !inUse.contains(pairs[$0].key) }
            func comesFirst(_ one: Int, _ other: Int) -> Bool {
                let (one, other) = (pairs[one], pairs[other])
                guard one.key.isGoverned == other.key.isGoverned else { return !one.key.isGoverned }
                return one.lastUsed < other.lastUsed
            }
            guard let last = idle.min(by: comesFirst) else { return }
            pairs.remove(at: last)
        }
    }

    /// The pair, a new one if there is none.
    mutating func withPair<Result>(
        _ key: PairKey, at now: Instant, _ body: (inout DraftingPair) -> Result
    ) -> Result {
        let known = pairs.firstIndex { $0.key == key }
        if known == nil { pairs.append(DraftingPair(key, at: now)) }
        let place = known ?? pairs.count - 1
        pairs[place].lastUsed = now
        return body(&pairs[place])
    }

    /// No text of the pair is read to learn from before its jobs have committed so many tokens.
    mutating func owe(_ key: PairKey, _ tokens: Int) {
        guard let place = pairs.firstIndex(where: { $0.key == key }) else { return }
        pairs[place].peekDebt = max(0, tokens)
    }

    /// Its jobs have committed so many tokens.
    mutating func pay(_ key: PairKey, _ tokens: Int) {
        guard let place = pairs.firstIndex(where: { $0.key == key }) else { return }
        pairs[place].peekDebt = max(0, pairs[place].peekDebt - tokens)
    }

    mutating func weigh(_ key: PairKey, _ worth: OpeningWorth?) {
        guard let place = pairs.firstIndex(where: { $0.key == key }) else { return }
        pairs[place].opening = worth
    }

    mutating func told(_ key: PairKey, _ count: Int) {
        guard let place = pairs.firstIndex(where: { $0.key == key }) else { return }
        pairs[place].told(count)
    }

    subscript(key: PairKey) -> DraftingPair? { pairs.first { $0.key == key } }

    mutating func release(_ job: DraftingPair.Leader) {
        for place in pairs.indices { pairs[place].release(job) }
    }

    /// Something else than decoding as ordered takes time: of all pairs, or of those whose drafter it keeps.
    mutating func disturb(_ model: UInt64? = nil) {
        for place in pairs.indices where model == nil || pairs[place].key.draftModel == model {
            pairs[place].isDisturbed = true
        }
    }

    /// A pair decodes otherwise from now on: that changes the time of the others' passes.
    mutating func disturb(allBut key: PairKey) {
        for place in pairs.indices where pairs[place].key != key { pairs[place].isDisturbed = true }
    }
}
