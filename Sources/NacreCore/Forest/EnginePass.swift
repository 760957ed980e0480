/// One forward pass of a model and the cache edits that come before it: plain data, made by a machine, run by an
/// engine.
///
/// A pass first performs `edits` in order, then evaluates all `nodes` in one batch. Nodes of one sequence stand in
/// ascending position order and continue exactly where that sequence's cache ends after the edits.
package struct EnginePass: Sendable, Equatable {
    package var edits: [CacheEdit]
    package var nodes: [ForestNode]

    package init(edits: [CacheEdit] = [], nodes: [ForestNode] = []) {
        self.edits = edits
        self.nodes = nodes
    }
}

/// A change to the KV cache. Costs metadata only, never recomputation.
package enum CacheEdit: Sendable, Equatable {
    /// Drops positions `>= length` of `sequence` (ALGORITHMS I3: idempotent, never touches earlier ones).
    case rewind(SequenceID, length: Position)
    /// Forgets the sequence; its id is free again.
    case release(SequenceID)
}

/// A token to evaluate, and whether its logits row is wanted.
package struct ForestNode: Sendable, Equatable {
    package var token: TokenID
    package var position: Position
    package var sequence: SequenceID
    /// `nil`: no row is computed for this node (prefill, fast-forward).
    package var score: ScoreRequest?

    package init(token: TokenID, position: Position, sequence: SequenceID, score: ScoreRequest? = nil) {
        self.token = token
        self.position = position
        self.sequence = sequence
        self.score = score
    }
}

/// What to draw from a node's row, and with which noise.
package struct ScoreRequest: Sendable, Hashable {
    package var key: StreamKey
    /// The logical index t of the generated token that this row decides: 0 for the first token after the prompt.
    /// Never a cache slot (ALGORITHMS I5).
    package var index: Int
    package var policy: SamplingPolicy

    package init(key: StreamKey, index: Int, policy: SamplingPolicy) {
        self.key = key
        self.index = index
        self.policy = policy
    }
}

/// The token that a row chose: for a verifier the target's own token, for a drafter its proposal.
package struct Choice: Sendable, Hashable {
    package var token: TokenID
    /// Best minus second-best score in (perturbed, temperature-scaled) logits, in nats; how close the choice was.
    /// `.infinity` when only one token was allowed.
    package var margin: Float

    package init(token: TokenID, margin: Float) {
        self.token = token
        self.margin = margin
    }
}
