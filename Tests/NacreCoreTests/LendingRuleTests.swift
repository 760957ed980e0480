import NacreCore
import Testing

/// How much of a text a helper may lack and still be lent a part of the work.
@Suite struct LendingRuleTests {
    /// Passes of up to 64 nodes: of up to 4 alike, then so much more for each.
    private static func cost(perNode: Double) -> StepCostModel {
        var cost = StepCostModel(nodesMax: 64, priorFixed: 1_000, perNode: 0)
        for nodes in 1...64 {
            cost.record(nodes: nodes, microseconds: 1_000 + perNode * Double(max(0, nodes - 4)))
        }
        return cost
    }

    private static func rule(perNode: Double) -> LendingRule {
        LendingRule(cost: cost(perNode: perNode), nodesMax: 64, leadMax: 16)
    }

    @Test("what is not read takes passes of its own, half a pass each, but for the few tokens that go with the drafts")
    func forecast() {
        let rule = Self.rule(perNode: 100)
        // Up to 16 go with the drafts: t(16 + 4) = 2,600.
        #expect(rule.reading(0) == 0 && rule.reading(16) == 0 && rule.reading(-1) == 0)
        #expect(rule.microseconds(unread: 0, nodes: 4) == 1_000)
        #expect(rule.microseconds(unread: 16, nodes: 4) == 2_600)
        // 17 are a pass, and so are 32: t(17) = 2,300, t(32) = 3,800.
        #expect(rule.reading(17) == 2_300 && rule.reading(32) == 3_800)
        #expect(rule.microseconds(unread: 17, nodes: 4) == 3_300)
        // Of 40 a pass reads 32 and 8 go with the drafts; of 50 two passes read 32 and 18.
        #expect(rule.reading(40) == 3_800 && rule.microseconds(unread: 40, nodes: 4) == 3_800 + 1_800)
        #expect(rule.reading(50) == 3_800 + 2_400 && rule.microseconds(unread: 50, nodes: 4) == 6_200 + 1_000)
        // 2,000 are 62 passes of 32, and 16 tokens more.
        #expect(rule.reading(2_000) == 62 * 3_800)
    }

    @Test("a helper that lacks 2,000 tokens is not in time, one that lacks none is; half a pass later is still in time")
    func inTime() {
        let rule = Self.rule(perNode: 100)
        #expect(rule.isInTime(unread: 0, nodes: 4, here: 1_000))
        #expect(!rule.isInTime(unread: 2_000, nodes: 4, here: 1_000))
        // t(9) = 1,500 and t(10) = 1,600 against 1,500.
        #expect(rule.isInTime(unread: 5, nodes: 4, here: 1_000) && !rule.isInTime(unread: 6, nodes: 4, here: 1_000))
        // How much may lack depends on how much there is to do here: 4 and 12 beams of four nodes, t(16) and t(48).
        let (few, many) = (Self.cost(perNode: 100).microseconds(nodes: 16), 5_400.0)
        #expect(!rule.isInTime(unread: 30, nodes: 4, here: few) && rule.isInTime(unread: 30, nodes: 4, here: many))
        // Where nodes cost nothing, any pass that reads apart is one too many.
        let free = Self.rule(perNode: 0)
        #expect(free.isInTime(unread: 16, nodes: 4, here: 1_000) && !free.isInTime(unread: 17, nodes: 4, here: 1_000))
        // For drafts that may come later reading alone counts.
        #expect(free.isRead(17, here: 1_000) && free.isRead(48, here: 1_000) && !free.isRead(49, here: 1_000))
    }
}
