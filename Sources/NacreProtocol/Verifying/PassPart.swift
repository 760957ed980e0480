package import NacreCore

/// What one job has in a pass: the drafts as they stood when it began, and where those that take part lie.
package struct PassPart: Sendable {
    /// All drafts that stood.
    package let drafts: DraftTree
    package let cover: PathCover
    /// The drafts with what says how they were drawn, and whose they are; under rules that need it.
    package let proposed: ProposedTree?
    /// The stream and epoch of a single drafter's drafts, and the number of their root: while these three are as they
    /// were, the inbox holds the same nodes under the same indices, and more.
    package let origin: Origin?
    /// Of a beam search, for each layer what it is compared with.
    package let references: [Double]
    /// The place in the cover of each draft that takes part, by its index in `drafts`.
    let places: [NodeIndex: Int]

    package struct Origin: Sendable, Equatable {
        package var stream: StreamID
        package var epoch: Epoch
        package var rootNumber: Int
    }

    package init(
        drafts: DraftTree, cover: PathCover, proposed: ProposedTree? = nil, origin: Origin? = nil,
        references: [Double] = []
    ) {
        self.references = references
        self.drafts = drafts
        self.cover = cover
        self.proposed = proposed
        self.origin = origin
        places = cover.places
    }

    /// The place among the job's scores of the row behind a node; `nil` if it had none in the pass.
    func row(behind node: NodeIndex?) -> Int? {
        guard let node else { return 0 }
        return places[node].map { $0 + 1 }
    }
}

/// What a judged pass adds to the text.
package struct Decision: Sendable {
    /// The drafts that stand, from the root's child down, in `PassPart.drafts` or the drafts there are now.
    package var path: [NodeIndex] = []
    /// What to commit: the path's tokens, and the target's own behind them.
    package var choices: [Choice] = []
    /// ln p of each of them, where it is measured.
    package var logP: [Double] = []
    /// The row that must come before anything behind the path is decided.
    package var pending: PendingRow?
}

/// A failed test whose row of q is on its way.
package struct AwaitedRow: Sendable {
    package var stream: StreamID
    package var epoch: Epoch
    /// As `Draft.Proposal.node`.
    package var number: Int
    package var pending: PendingRow
    /// The drafts that were judged.
    package var proposed: ProposedTree
}

extension PassPart {
    /// What a rule that commits other tokens than the target's own made of the drafts of the pass: those that it kept,
    /// among the first `tokens` of the decision, and whether it turned any down behind them.
    func kept(by decision: Decision, of tokens: Int) -> DraftInbox.Judgement {
        let scored = Set(cover.drafts.map(\.node))
        // Cut behind a draft nothing is turned down: what lies behind the end was not asked for.
        let isCut = tokens <= decision.path.count
        let rejected = !isCut && drafts.children(of: decision.path.last).contains { scored.contains($0) }
        return DraftInbox.Judgement(accepted: min(tokens, decision.path.count), rejected: rejected)
    }
}

// Judging a pass.
extension JobVerification {
    /// What the scores of a pass decide.
    ///
    /// - Parameter ends: tokens behind which there is no text.
    package func decide(_ part: PassPart, _ scores: [Score], ends: Set<TokenID>) -> Decision {
        if speculation.method.isLossy { return judgeJoint(part, scores, ends: ends) }
        guard needsLaws else { return follow(part, scores) }
        var chance = KeyedChance(key: key)
        let index = length - promptLength
        switch speculation.rule {
        case .block: return judgeBlock(part, scores, index: index, &chance)
        case .coupled, .rejection: return judgeTree(part, scores, index: index, &chance)
        }
    }

    /// The coupled walk: follows, at each node, the child that the target chose itself (`CoupledRule`).
    private func follow(_ part: PassPart, _ scores: [Score]) -> Decision {
        var decision = Decision()
        var node: NodeIndex?
        while let choice = choice(behind: node, decision, part, scores) {
            decision.choices.append(choice)
            if let row = part.row(behind: node), case .likelihood(let likelihood) = scores[row] {
                decision.logP.append(likelihood.ofChoice)
            }
            guard let child = part.drafts.child(of: node, token: choice.token),
                self.choice(behind: child, decision, part, scores) != nil
            else { break }
            decision.path.append(child)
            node = child
        }
        return decision
    }

    /// The target's choice behind a node, from the pass or, where it has no row there, from another verifier's scores.
    private func choice(
        behind node: NodeIndex?, _ decision: Decision, _ part: PassPart, _ scores: [Score]
    ) -> Choice? {
        if let row = part.row(behind: node), let choice = scores[row].choice { return choice }
        let path = part.drafts.tokens(to: node)
        for helper in helpers {
            if let choice = helper.shard?.choice(behind: tokens, path) { return choice }
        }
        return nil
    }

    /// `LossyMTADRule` over the drafts of the pass. What follows them is the target's choice in their last row: a draw
    /// from p, whose noise the drafts know nothing of.
    private func judgeJoint(_ part: PassPart, _ scores: [Score], ends: Set<TokenID>) -> Decision {
        let kept = part.drafts.keeping(part.cover.drafts.map(\.node))
        var back = Array(repeating: NodeIndex(rawValue: 0), count: kept.tree.count)
        for (old, new) in kept.moved.enumerated() {
            if let new { back[new.rawValue] = NodeIndex(rawValue: old) }
        }
        func likelihood(behind node: NodeIndex?) -> Likelihood {
            guard let row = part.row(behind: node.map { back[$0.rawValue] }), case .likelihood(let row) = scores[row]
            else { preconditionFailure("a draft of the pass without its likelihoods") }
            return row
        }
        func logP(_ node: NodeIndex) -> Double {
            let siblings = Array(kept.tree.children(of: kept.tree[node].parent))
            let row = likelihood(behind: kept.tree[node].parent)
            return siblings.firstIndex(of: node).map { row.ofTokens[$0] } ?? -.infinity
        }
        let references = part.references.prefix(kept.tree.nodes.map(\.depth).max() ?? 0)
        var path: [NodeIndex] = []
        if let draft = try? JointDraft(kept.tree, index: length - promptLength, references: Array(references)) {
            // A commit is cut behind a draft that ends the text. The rest of a block that was judged as a whole could
            // be below τ: so nothing behind an end is judged.
            path =
                LossyMTADRule(threshold: speculation.tau)
                .verdict(on: draft, ends: ends, logP: logP, token: { likelihood(behind: $0).choice.token }).path
        }
        let own = likelihood(behind: path.last)
        return Decision(
            path: path.map { back[$0.rawValue] },
            choices: path.map { Choice(token: kept.tree[$0].token, margin: .infinity) } + [own.choice],
            logP: path.map(logP) + [own.ofChoice])
    }

    /// `RejectionRule` over the drafts that are here now, which may be more than took part in the pass: a draft that
    /// has come meanwhile is tested with the row that was computed without it. Where a draft stands that has no row,
    /// it is itself the last token: nothing is drawn behind it. Which drafts have come depends on no token.
    private func judgeTree(
        _ part: PassPart, _ scores: [Score], index: Int, _ chance: inout KeyedChance
    ) -> Decision {
        let tree = proposedNow(part, index: index)
        var decision = Decision()
        var node: NodeIndex?
        while let row = part.row(behind: node), case .law(let p) = scores[row] {
            switch RejectionRule().score(node, of: tree, p: p, chance: &chance) {
            case .accepted(let child):
                decision.path.append(child)
                decision.choices.append(Choice(token: tree.drafts[child].token, margin: .infinity))
                node = child
                continue
            case .token(let token): decision.choices.append(Choice(token: token, margin: .infinity))
            case .needsRow(let pending): decision.pending = pending
            }
            break
        }
        return decision
    }

    /// `BlockRule` over exactly the drafts of the pass: how many there are was settled before any was drawn.
    private func judgeBlock(
        _ part: PassPart, _ scores: [Score], index: Int, _ chance: inout KeyedChance
    ) -> Decision {
        let whole = part.proposed ?? ProposedTree(root: length, index: index)
        let kept = whole.keeping(part.cover.drafts.map(\.node))
        let back = Dictionary(
            uniqueKeysWithValues: kept.moved.enumerated().compactMap { old, new in
                new.map { ($0, NodeIndex(rawValue: old)) }
            })
        let selection = BlockRule().select(kept.tree, chance: &chance) { node, _ in
            guard let row = part.row(behind: node.flatMap { back[$0] }), case .law(let p) = scores[row] else {
                preconditionFailure("a draft of the pass without its law")
            }
            return p
        }
        return Decision(
            path: selection.path.compactMap { back[$0] },
            choices: selection.tokens(of: kept.tree).map { Choice(token: $0, margin: .infinity) })
    }

    /// The drafts as they are now if they are still those of the pass, else as they were.
    private func proposedNow(_ part: PassPart, index: Int) -> ProposedTree {
        let snapshot = part.proposed ?? ProposedTree(root: length, index: index)
        guard let origin = part.origin, let drafter = drafters.first(where: { $0.stream == origin.stream }),
            drafter.origin == origin, let now = try? drafter.inbox.proposed(index: index)
        else { return snapshot }
        return now
    }

    /// Goes on where a row was missing: decides one token, the sibling that stands or the target's own.
    package func resume(_ awaited: AwaitedRow, with row: WeightRow) -> TokenID? {
        var tree = awaited.proposed
        guard (try? tree.resolve(awaited.pending.node, to: row)) != nil else { return nil }
        var chance = KeyedChance(key: key)
        // Behind a sibling that stands no row is kept: it is the last token itself, and what comes behind it is not
        // taken.
        let selection = RejectionRule().resume(awaited.pending, in: tree, chance: &chance) { _, _ in .token(0) }
        return selection.tokens(of: tree).first
    }

    /// Whether every check of the pass succeeded: all its drafts, and the draft that its last row decides.
    func isConfirmed(_ decision: Decision, _ part: PassPart) -> Bool {
        let tokens = decision.choices.map(\.token)
        return decision.pending == nil && decision.path.count >= part.cover.drafts.count
            && drafts.follow(tokens).matched == tokens.count
    }

    /// Learns from what was decided at every node that the decision went through. Of a lossy method a draft stands that
    /// its rule kept, whatever was committed in the place of another.
    package mutating func learn(_ decision: Decision, of drafts: DraftTree) {
        var node: NodeIndex?
        for (depth, choice) in decision.choices.enumerated() {
            let children = Array(drafts.children(of: node))
            let kept = depth < decision.path.count ? decision.path[depth] : nil
            let stands =
                speculation.method.isLossy ? kept : children.first { drafts[$0].token == choice.token }
            if !children.isEmpty {
                confidence.record(children: children.map { ($0, drafts[$0].probability) }, accepted: stands)
                siblings.record(accepted: stands.flatMap { children.firstIndex(of: $0) }, of: children.count)
                count(depth, accepted: stands != nil)
            }
            guard let stands else { return }
            node = stands
        }
    }

    private mutating func count(_ depth: Int, accepted: Bool) {
        guard depth < JobStatistics.positionsMax else { return }
        while statistics.judgedAt.count <= depth {
            statistics.judgedAt.append(0)
            statistics.acceptedAt.append(0)
        }
        statistics.judgedAt[depth] += 1
        if accepted { statistics.acceptedAt[depth] += 1 }
    }
}

extension HiredDrafter {
    /// What its drafts stand on.
    var origin: PassPart.Origin {
        PassPart.Origin(stream: stream, epoch: inbox.epoch, rootNumber: inbox.number(of: nil))
    }
}
