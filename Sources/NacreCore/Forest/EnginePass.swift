/// One forward pass of a model and the cache edits that come before it: plain data, made by a machine, run by an
/// engine.
///
/// A pass first performs `adoptions`, then `edits`, each in order, then evaluates all `nodes` in one batch. Nodes of
/// one sequence stand in ascending position order and continue exactly where that sequence's cache ends after the
/// edits.
///
/// **Trees.** Attention follows sequences: a node sees the cells of its sequence before its position. So every path
/// from the root of a draft tree to a leaf is a sequence, and a node lies in those of all leaves below it (ALGORITHMS
/// 0.7). The likeliest path uses the job's own sequence; each other leaf a *branch*, an id that is empty before the
/// pass. A node's `branches` name the further sequences that it lies in. A branch begins as a copy of the node's
/// `sequence` at the first node that names it; the copy is metadata only. Branches live until they are released. A
/// pass that is refused for want of room leaves none behind.
package struct EnginePass: Sendable, Equatable {
    package var adoptions: [BranchAdoption]
    package var edits: [CacheEdit]
    package var nodes: [ForestNode]

    package init(edits: [CacheEdit] = [], nodes: [ForestNode] = [], adoptions: [BranchAdoption] = []) {
        self.edits = edits
        self.nodes = nodes
        self.adoptions = adoptions
    }
}

/// A side branch has won: the job's sequence drops what it has from the first of these positions on, and takes over
/// the cells that the branch has there.
///
/// Cells of losers lie between the job's cells now. An exact engine must see to it that the next cells are given out
/// behind all of the sequence's own, be it by leaving the losers' cells occupied, be it by compaction (`CellLedger`).
package struct BranchAdoption: Sendable, Hashable {
    package var branch: SequenceID
    /// The sequence of the job.
    package var owner: SequenceID
    /// From where the two differ to the end of what was accepted.
    package var positions: Range<Position>

    package init(branch: SequenceID, owner: SequenceID, positions: Range<Position>) {
        self.branch = branch
        self.owner = owner
        self.positions = positions
    }
}

/// A change to the KV cache. Costs metadata only, never recomputation.
package enum CacheEdit: Sendable, Hashable {
    /// Drops positions `>= length` of `sequence` (ALGORITHMS I3: idempotent, never touches earlier ones).
    case rewind(SequenceID, length: Position)
    /// Forgets the sequence; its id is free again.
    case release(SequenceID)
    /// Gives `to`, which is empty, the first `length` positions of a sequence that has at least so many: the same
    /// cells, none computed again. Until one of the two is cut below `length` they share them.
    case fork(SequenceID, to: SequenceID, length: Position)
}

/// A token to evaluate, and whether its logits row is wanted.
package struct ForestNode: Sendable, Equatable {
    package var token: TokenID
    package var position: Position
    package var sequence: SequenceID
    /// `nil`: no row is computed for this node (prefill, fast-forward).
    package var score: ScoreRequest?
    /// Further sequences that the node lies in, see `EnginePass`; none in a chain.
    package var branches: [SequenceID]

    package init(
        token: TokenID, position: Position, sequence: SequenceID, score: ScoreRequest? = nil,
        branches: [SequenceID] = []
    ) {
        self.token = token
        self.position = position
        self.sequence = sequence
        self.score = score
        self.branches = branches
    }
}

/// What is wanted of a node's row, and with which noise.
package struct ScoreRequest: Sendable, Hashable {
    /// What an engine makes of a row of logits. Everything but `law` is small enough to travel.
    package enum Kind: Sendable, Hashable {
        /// The coupled choice (`CoupledRule.choose`): what a verifier of coupled drafts compares.
        case choice
        /// The so many best tokens under the coupled noise (`CoupledRule.candidates`): what a drafter proposes below a
        /// node. Greedy, those with the largest logits.
        case candidates(Int)
        /// The same, with what q is like there: what a drafter proposes that decides token by token how far to draft
        /// (`DraftPolicy`).
        case measured(Int)
        /// The row as integers to draw from (`WeightRow`): what a drafter under a rejection rule proposes.
        case weights(entriesMax: Int)
        /// The whole law after the sampler transform: what the rejection rules divide by.
        case law
        /// The coupled choice, and ln p of it and of these tokens under `SamplingPolicy.jointScoring`: what joint
        /// likelihoods are summed from (`LossyMTADRule`).
        case likelihood(of: [TokenID])
    }

    package var key: StreamKey
    /// The logical index t of the generated token that this row decides: 0 for the first token after the prompt.
    /// Never a cache slot (ALGORITHMS I5).
    package var index: Int
    package var policy: SamplingPolicy
    package var kind: Kind

    package init(key: StreamKey, index: Int, policy: SamplingPolicy, kind: Kind = .choice) {
        self.key = key
        self.index = index
        self.policy = policy
        self.kind = kind
    }
}

/// What an engine made of one row, as its `ScoreRequest.kind` asked.
package enum Score: Sendable, Hashable {
    case choice(Choice)
    /// Best first, at least one.
    case candidates([Candidate])
    case measured(MeasuredCandidates)
    case weights(WeightRow)
    case law(Distribution)
    case likelihood(Likelihood)
}

/// The token that a row chose, and how likely it and others are there, in nats.
package struct Likelihood: Sendable, Hashable {
    package var choice: Choice
    /// ln p of the choice.
    package var ofChoice: Double
    /// ln p of each token that was asked about, in that order; −∞ for an impossible one.
    package var ofTokens: [Double]

    package init(choice: Choice, ofChoice: Double, ofTokens: [Double]) {
        self.choice = choice
        self.ofChoice = ofChoice
        self.ofTokens = ofTokens
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

/// A token that a drafter may propose.
package struct Candidate: Sendable, Hashable {
    package var token: TokenID
    /// How likely the drafter thinks it that the target chooses this one, 0 ... 1: its score among those of the best
    /// few (a softmax of perturbed scores). A hint to grow a tree by, not a law.
    package var probability: Double

    package init(token: TokenID, probability: Double) {
        self.token = token
        self.probability = probability
    }
}
