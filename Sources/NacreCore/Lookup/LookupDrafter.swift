/// A drafter without a draft model: proposes what followed the same tokens before.
///
///     var memory = LookupMemory()                                  // one for all jobs of a drafter
///     var lookup = LookupUnion([.ngram, .suffix, .phrases])        // one per job
///     lookup.append(prompt, memory: &memory)
///     let tree = lookup.draft(.init(nodesMax: 16, width: 2), endTokens: ends, memory: memory)
///     lookup.append(verdict.tokens, memory: &memory)               // what the target committed
///     memory.outputs.remember(output)                              // at the end of the job
///
/// Or node by node, as a tree grows: `candidates` stands in for the row of a model, so `TreeGrowth.supply` takes it,
/// and `[Candidate].united` puts it beside a model's.
///
/// What is proposed is a function of the text and of the memory, so it travels as `DraftPayload.deterministic` and any
/// choice among it is legal: the rules compare it with the target's own token (ALGORITHMS 0.5, 1.3), which keeps the
/// law and the seed's tokens whatever other jobs left in the memory.
package protocol LookupDrafter: Sendable {
    /// Tokens taken in.
    var length: Int { get }
    /// Takes in the next tokens; what is of use to later texts goes to `memory`.
    mutating func append(_ tokens: [TokenID], memory: inout LookupMemory)
    /// Forgets what was taken in behind `length`, at most the present length; what it left in a memory stays there.
    mutating func rewind(to length: Int)
    /// What may follow the text and `path` behind it, at most `count` different tokens, best first; none if nothing
    /// like it was seen. Probabilities sum to less than 1.
    func candidates(after path: [TokenID], count: Int, memory: LookupMemory) -> [Candidate]
}

extension LookupDrafter {
    /// The most probable drafts behind the text. A `width` of 1 makes a chain.
    ///
    /// - Parameter endTokens: tokens that end a generation; nothing is drafted below them.
    package func draft(
        _ bounds: TreePlan.BestFirst, endTokens: Set<TokenID> = [], memory: LookupMemory
    ) -> DraftTree {
        draft(behind: [], bounds, endTokens: endTokens, memory: memory)
    }

    private func draft(
        behind path: [TokenID], _ bounds: TreePlan.BestFirst, endTokens: Set<TokenID>, memory: LookupMemory
    ) -> DraftTree {
        let root = Position(rawValue: length + path.count)
        var growth = TreeGrowth(root: root, plan: .bestFirst(bounds), endTokens: endTokens)
        while let wanted = growth.next().first {
            let behind = path + growth.proposed.tokens(to: wanted.node)
            let found = candidates(after: behind, count: wanted.width, memory: memory)
            growth.supply(
                found.map { TreeGrowth.Proposal(token: $0.token, probability: $0.probability) }, for: wanted)
        }
        return growth.tree
    }

    /// Draws a draft of another drafter out by what is known to follow it: up to `bounds.nodesMax` drafts below `node`.
    ///
    /// Below the last token of a model's chain and with a `PhraseLookup`, this is the longer draft of Ouroboros: its
    /// candidates are branches of the one pass that verifies the chain. `tree` stands on the text taken in.
    ///
    /// - Source: Zhao et al., "Ouroboros: generating longer drafts phrase by phrase for faster speculative decoding",
    ///   EMNLP 2024, section 3.2.
    package func lengthen(
        _ tree: inout DraftTree, below node: NodeIndex?, _ bounds: TreePlan.BestFirst, endTokens: Set<TokenID> = [],
        memory: LookupMemory
    ) {
        precondition(tree.root.rawValue == length, "a tree on \(tree.root) for a text of \(length)")
        if let node, endTokens.contains(tree[node].token) { return }
        let more = draft(behind: tree.tokens(to: node), bounds, endTokens: endTokens, memory: memory)
        var moved: [NodeIndex] = []
        for draft in more.nodes {
            let parent = draft.parent.map { moved[$0.rawValue] } ?? node
            moved.append(
                tree.child(of: parent, token: draft.token)
                    ?? tree.append(draft.token, under: parent, probability: draft.probability))
        }
    }
}

/// What lookup drafters share over all jobs of a process. Bounded, whatever it is told.
package struct LookupMemory: Sendable {
    package var outputs: OutputPool
    package var phrases: PhrasePool

    package init(outputs: OutputPool = OutputPool(), phrases: PhrasePool = PhrasePool()) {
        self.outputs = outputs
        self.phrases = phrases
    }
}

/// The drafters without a draft model, by the names that people choose them by.
package enum LookupKind: String, Sendable, Hashable, CaseIterable {
    case ngram, suffix, phrases

    package var drafter: any LookupDrafter {
        switch self {
        case .ngram: PromptLookup()
        case .suffix: SuffixLookup()
        case .phrases: PhraseLookup()
        }
    }
}

extension [LookupKind] {
    /// Reads names separated by commas, the most trusted first: `suffix,phrases`.
    package init(parsing text: String) throws(LookupNameError) {
        self = []
        let known = LookupKind.allCases.names
        for name in text.split(separator: ",", omittingEmptySubsequences: false).map(String.init) {
            guard let kind = LookupKind(rawValue: name) else {
                throw LookupNameError("'\(name)' is no lookup: give one or more of \(known), separated by commas")
            }
            guard !contains(kind) else { throw LookupNameError("'\(name)' is named twice: name each of \(known) once") }
            append(kind)
        }
    }

    /// As it is read.
    package var names: String { map(\.rawValue).joined(separator: ",") }
}

/// A list of lookup drafters that is none, in words for whoever wrote it.
package struct LookupNameError: Error, Sendable, CustomStringConvertible {
    package let description: String
    init(_ description: String) { self.description = description }
}

/// Several lookup drafters as one, each after the other: what an earlier one proposes keeps its estimate.
package struct LookupUnion: LookupDrafter {
    private var drafters: [any LookupDrafter]
    package private(set) var length = 0

    /// - Parameter kinds: at least one, the most trusted first.
    package init(_ kinds: [LookupKind]) {
        precondition(!kinds.isEmpty, "a union of no drafters")
        drafters = kinds.map(\.drafter)
    }

    package mutating func append(_ tokens: [TokenID], memory: inout LookupMemory) {
        length += tokens.count
        for place in drafters.indices { drafters[place].append(tokens, memory: &memory) }
    }

    package mutating func rewind(to length: Int) {
        self.length = length
        for place in drafters.indices { drafters[place].rewind(to: length) }
    }

    package func candidates(after path: [TokenID], count: Int, memory: LookupMemory) -> [Candidate] {
        drafters.reduce(into: []) { union, drafter in
            union = union.united(with: drafter.candidates(after: path, count: count, memory: memory), count: count)
        }
    }
}
