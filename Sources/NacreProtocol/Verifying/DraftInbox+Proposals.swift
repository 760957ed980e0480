package import NacreCore

// What says how drafts were drawn.
extension DraftInbox {
    /// Notes how drafts of this message were drawn.
    mutating func lay(_ news: [Draft.Proposal]) throws(ProtocolFault) {
        guard !news.isEmpty else { return }
        for proposal in news {
            let parent = proposal.node == rootNumber ? nil : nodes[proposal.node]
            guard proposal.node == rootNumber || parent != nil else { continue }
            let draws = proposal.draws.map { nodes[$0 + 1] }
            // A child that was committed before it came is the root now; its siblings are void.
            guard !draws.isEmpty, draws.allSatisfy({ $0 != nil }) else { continue }
            guard proposals[parent] == nil else { throw ProtocolFault("two proposals for node \(proposal.node)") }
            proposals[parent] = ProposedTree.Proposal(proposal.payload, draws: draws.compactMap(\.self))
        }
        do throws(PayloadFault) {
            _ = try proposed(index: 0)
        } catch {
            throw ProtocolFault("Draft: \(error.description)")
        }
    }

    /// The drafts with what says how they were drawn: those without any word are functions of the text.
    ///
    /// - Parameter index: of the generated token that the root's children stand for.
    /// - Throws: what a drafter can do wrong; not once `receive` has taken the drafts.
    package func proposed(index: Int) throws(PayloadFault) -> ProposedTree {
        var whole = proposals
        for (node, draft) in zip(tree.indices, tree.nodes) where proposals[draft.parent] == nil {
            whole[draft.parent, default: ProposedTree.Proposal(.deterministic)].draws.append(node)
        }
        return try ProposedTree(tree, index: index, whole, drawsMax: Self.nodesMax)
    }

    /// The number by which the drafter knows a node; `nil` is the root.
    package func number(of node: NodeIndex?) -> Int {
        guard let node else { return rootNumber }
        return nodes.first { $0.value == node }?.key ?? 0
    }

    /// The row that a scalar came from has arrived.
    package mutating func resolve(_ node: NodeIndex?, to row: WeightRow) {
        guard let proposal = proposals[node], case .scalar(_, let draw) = proposal.payload else { return }
        proposals[node]?.payload = .row(row, draw)
    }
}
