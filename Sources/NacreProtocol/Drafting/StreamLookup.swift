package import NacreCore

/// What a stream drafts by without a model: its text, looked up in itself and in what other texts left in the memory.
struct StreamLookup: Sendable {
    /// A draft that a verdict did away with, and what the target said in its place.
    struct Rejection: Sendable {
        var draft: [TokenID]
        var decided: [TokenID]
        /// The token before both.
        var behind: TokenID
    }

    var drafter: LookupUnion
    /// Whether no model drafts beside it.
    let isAlone: Bool
    private let reusesRejections: Bool
    /// Rejections of which the memory has not heard.
    private(set) var rejections: [Rejection] = []
    /// Nothing worth a place in a pass follows the chain: asked about again after the next verdict.
    var isHeld = false

    /// - Parameter kinds: at least one.
    init(_ kinds: [LookupKind], isAlone: Bool) {
        drafter = LookupUnion(kinds)
        self.isAlone = isAlone
        reusesRejections = kinds.contains(.phrases)
    }

    mutating func note(draft: [TokenID], decided: [TokenID], behind: TokenID?) {
        guard reusesRejections, !draft.isEmpty, let behind else { return }
        rejections.append(Rejection(draft: draft, decided: decided, behind: behind))
    }

    mutating func takeRejections() -> [Rejection] {
        defer { rejections = [] }
        return rejections
    }
}

// Drafting by lookup. What is found is a function of text and memory, so it travels without a row: as the point masses
// that every rule can judge, whatever is chosen among them (`LookupDrafter`).
//
// | the stream has | drafts are |
// |---|---|
// | lookups alone | what they find, as far as it is likely enough; no engine pass, no cache |
// | a model too | the union of both candidates; where lookups are sure a chain goes on without a pass |
// | a model whose drafts are drawn | the model's |
// | a model and a policy that decides token by token | the model's |
// | a beam search | the model's; without one the stream is declined |
//
// Drawn drafts stay the model's because one payload describes all siblings, and a row of q cannot say of a token that
// it was looked up. Policies that decide token by token read rows of q: alone, lookups have none and stop by
// themselves.
extension DraftStream {
    /// The least probability that a chain of lookups alone is worth going on with: a draft that fails nineteen times of
    /// twenty costs a place in a pass for less than the messages about it.
    private static let pathMin = 0.05
    /// How sure lookups must be of a token for the model not to be asked: eight tokens of a match that always went on
    /// in one way (`ContinuationCounts`).
    private static let sure = 0.8
    /// Tokens of the text that the model may have left unread while lookups draft in its place. It reads them in its
    /// next pass, for which a verifier waits a second at most.
    private static let unreadMax = 64

    /// Whether only lookups draft.
    var draftsWithoutModel: Bool { lookup?.isAlone ?? false }

    /// Whether the stream looks up, and has a text to look up in.
    package var looksUp: Bool { lookup != nil && hasContext }

    /// Takes in what the text has become; what is of use to others goes to `memory`.
    package mutating func study(_ memory: inout LookupMemory) {
        guard let length = lookup?.drafter.length else { return }
        for rejection in lookup?.takeRejections() ?? [] {
            memory.phrases.reuse(rejection.draft, decided: rejection.decided, behind: rejection.behind)
        }
        if length < tokens.count { lookup?.drafter.append(Array(tokens[length...]), memory: &memory) }
    }

    /// Drafts what lookups can draft without the model, within the stream's window.
    package mutating func lookUp(_ memory: LookupMemory) {
        guard let lookup else { return }
        if lookup.isAlone { draftAlone(memory) } else { lengthen(memory) }
    }

    private mutating func draftAlone(_ memory: LookupMemory) {
        while canDraft, let wanted = growth.next().first, let node = growth.node(of: wanted) {
            let candidates = found(below: node, count: wanted.width, memory)
            let reach = node.map { growth.proposed[$0].pathProbability } ?? 1
            // A tree has no place for every node that might be asked for: its best ones come first anyway.
            if isPlainChain, reach * (candidates.first?.probability ?? 0) < Self.pathMin {
                growth.abandon(wanted)
                self.lookup?.isHeld = true
            } else {
                supply(candidates, for: wanted)
            }
        }
    }

    /// The longer draft of Ouroboros, without a pass of the model: a chain goes on where the lookups are sure of what
    /// follows; with branches, what they know to follow the chain's last position is prepared there.
    ///
    /// - Source: Zhao et al., "Ouroboros", EMNLP 2024, section 3.2, which has the second alone.
    private mutating func lengthen(_ memory: LookupMemory) {
        guard shape == .chain, pace == nil, !isMeasured, !draws, uncached <= Self.unreadMax else { return }
        var left: [TreeGrowth.Expansion] = []
        while canDraft, let wanted = growth.next().first, let node = growth.node(of: wanted) {
            let candidates = found(below: node, count: branches == 0 ? 1 : wanted.width, memory)
            let isKnown =
                if case .outcomes(let bounds) = plan {
                    growth.proposed.depth(of: node) >= bounds.spineMax && !candidates.isEmpty
                } else {
                    candidates.first.map { $0.probability >= Self.sure } ?? false
                }
            if isKnown { supply(candidates, for: wanted) } else { left.append(wanted) }
        }
        for expansion in left { growth.abandon(expansion) }
    }

    private var isPlainChain: Bool { shape == .chain && branches == 0 }

    private func found(below node: NodeIndex?, count: Int, _ memory: LookupMemory) -> [Candidate] {
        lookup?.drafter.candidates(after: growth.proposed.tokens(to: node), count: count, memory: memory) ?? []
    }

    /// The model's candidates for an expansion and those of the lookups; other scores as they are.
    package func united(
        _ score: Score, for expansion: TreeGrowth.Expansion, _ memory: LookupMemory
    ) -> Score {
        guard lookup != nil, case .candidates(let own) = score, let node = growth.node(of: expansion) else {
            return score
        }
        return .candidates(
            own.united(with: found(below: node, count: expansion.width, memory), count: expansion.width))
    }

    /// A verdict says what the target thinks of the drafts in `tree`. To be called before the text goes on.
    mutating func noteRejection(_ verdict: Verdict, of tree: DraftTree) {
        lookup?.isHeld = false
        lookup?.note(draft: tree.spine.map { tree[$0].token }, decided: verdict.tokens, behind: tokens.last)
    }

    /// What the job has put out so far.
    package var output: ArraySlice<TokenID> { tokens.dropFirst(promptLength.rawValue) }
}
