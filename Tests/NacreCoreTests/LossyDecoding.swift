import NacreCore
import RealModule

/// One round of MTAD or MMTAD on tables, as a drafter and a verifier would play it.
struct LossyRound: Sendable {
    var rule = LossyMTADRule(threshold: 0.5)
    var gamma = 2
    var width = 2
    var choice = DraftBeams.Choice.drawn(.withoutReplacement)
    /// `nil`: MTAD's single path.
    var tree: JointDraft.Reference?
    var ends: Set<TokenID> = []

    func beams<Source: ChanceSource>(
        _ tables: Tables, after context: [TokenID], chance: inout Source
    ) -> DraftBeams {
        var beams = DraftBeams(
            root: Position(rawValue: context.count), index: context.count, width: width, choice: choice, ends: ends)
        for _ in 0..<gamma {
            let drafts = beams.drafts
            beams.extend(epoch: context.count, chance: &chance) { node in
                let q = tables.q(after: context + drafts.tokens(to: node))
                return DraftBeams.Row(draw: q, score: q)
            }
        }
        return beams
    }

    func verdict<Source: ChanceSource>(
        on draft: JointDraft, _ tables: Tables, after context: [TokenID], chance: inout Source
    ) -> LossyVerdict {
        func p(_ node: NodeIndex?) -> Distribution { tables.p(after: context + draft.drafts.tokens(to: node)) }
        return rule.verdict(
            on: draft, ends: ends, chance: &chance,
            logP: { Double.log(p(draft.drafts[$0].parent)[draft.drafts[$0].token]) }, law: p)
    }

    func play<Source: ChanceSource>(
        _ tables: Tables, after context: [TokenID], chance: inout Source
    ) -> (draft: JointDraft, verdict: LossyVerdict) {
        let beams = beams(tables, after: context, chance: &chance)
        let draft = tree.map { beams.tree($0) } ?? beams.path
        return (draft, verdict(on: draft, tables, after: context, chance: &chance))
    }

    func tokens<Source: ChanceSource>(
        _ tables: Tables, after context: [TokenID], chance: inout Source
    ) -> [TokenID] {
        let (draft, verdict) = play(tables, after: context, chance: &chance)
        return verdict.tokens(of: draft.drafts)
    }
}

extension Tables {
    /// ln of the joint probability of `tokens` behind `context` under p, or under q.
    func logJoint(_ tokens: [TokenID], after context: [TokenID], draft: Bool = false) -> Double {
        tokens.indices.reduce(0) { sum, place in
            let before = context + tokens[..<place]
            return sum + Double.log((draft ? q(after: before) : p(after: before))[tokens[place]])
        }
    }
}
