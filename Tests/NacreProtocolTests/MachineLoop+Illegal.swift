import NacreCore
import NacreProtocol

extension MachineLoop {
    /// What `isIllegal` does to a chain: the first draw with q < ½ and all behind it stay away.
    mutating func dropImprobable(_ message: Message) -> Message {
        guard case .draft(var draft) = message else { return message }
        if let cut = cuts[draft.stream], cut.epoch == draft.epoch {
            draft.firstNode = cut.nodes
            (draft.tokens, draft.parents, draft.probabilities, draft.proposals) = ([], [], [], [])
            draft.end = .windowFull
            return .draft(draft)
        }
        let improbable = draft.proposals.first { proposal in
            guard case .row(let row, _) = proposal.payload, let drawn = proposal.draws.first else { return false }
            return row[draft.tokens[drawn - draft.firstNode]] < 0.5
        }
        guard let kept = improbable?.draws.first.map({ $0 - draft.firstNode }) else { return message }
        cuts[draft.stream] = (draft.epoch, draft.firstNode + kept)
        draft.tokens = Array(draft.tokens.prefix(kept))
        draft.probabilities = Array(draft.probabilities.prefix(kept))
        draft.proposals = draft.proposals.filter { ($0.draws.first ?? 0) < draft.firstNode + kept }
        draft.end = .windowFull
        return .draft(draft)
    }
}
