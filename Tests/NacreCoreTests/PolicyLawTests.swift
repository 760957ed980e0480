import NacreCore
import TestStatistics
import Testing

/// ALGORITHMS 7 and 0.5: every policy inside speculative decoding, on models small enough to know the law of.
@Suite("Draft-length policies keep the target's law")
struct PolicyLawTests {
    /// Settings under which the stop rules stop, within three drafts, on tables of two and three tokens.
    private static func specification(_ name: PolicySpecification.Name) throws -> PolicySpecification {
        let settings =
            switch name {
            case .adaedl: "adaedl:lambda=0.65,epsilon=0.5,max=3"
            case .ema: "ema:max=3"
            case .fixed: "fixed:gamma=2"
            case .goodput: "goodput:max=3"
            case .heuristic: "heuristic:start=2,max=3"
            case .ratio: "ratio:max=3"
            case .svip: "svip:h=0.3,max=3"
            case .thompson: "thompson:worth=0.4,max=3"
            case .threshold: "threshold:theta=0.5,max=3,adapt=1,epsilon=0.5"
            }
        return try PolicySpecification(parsing: settings)
    }

    private static func conditions(_ acceptance: PositionalAcceptance) -> RoundConditions {
        RoundConditions(
            .turns, cost: StepCostModel(nodesMax: 8, priorFixed: 90, perNode: 10), draftMicroseconds: 20,
            roundTripMicroseconds: 0, acceptance: acceptance, most: 3)
    }

    /// Speculative decoding (ALGORITHMS 1.2) whose rounds are ended by a policy that learns from every verdict.
    private func decode<Rule: VerifyRule, Source: ChanceSource>(
        _ tables: Tables, _ specification: PolicySpecification, _ rule: Rule, length: Int, lengths: inout Set<Int>,
        chance: inout Source
    ) -> [TokenID] {
        var policy = DraftLengthPolicy(specification, key: StreamKey(rawValue: 5))
        var acceptance = PositionalAcceptance()
        var committed: [TokenID] = []
        var epoch = 0
        while committed.count < length {
            let conditions = Self.conditions(acceptance)
            let limit = policy.draftLength(conditions)
            var tree = ProposedTree(behind: committed)
            var isOpen = true
            while isOpen, tree.drafts.count < limit {
                let q = tables.row(after: committed + tree.drafts.tokens(to: tree.drafts.indices.last))
                let place = DraftPlace(depth: tree.drafts.count)
                let statistics = TokenStatistics(q)
                guard policy.mayDraw(statistics, at: place) else { break }
                var longer = tree
                longer.grow(tree.drafts.indices.last, 1, .row(q, .independent), epoch, &chance)
                let drawn = longer.drafts[NodeIndex(rawValue: tree.drafts.count)].token
                switch policy.drew(statistics, probability: q[drawn], at: place) {
                case .goOn: tree = longer
                case .keepThenStop:
                    tree = longer
                    isOpen = false
                case .dropThenStop: isOpen = false
                }
            }
            lengths.insert(tree.drafts.count)
            let selection = verify(rule, tree, tables, after: committed, chance: &chance)
            let outcome = RoundOutcome(
                drafted: tree.drafts.count, accepted: selection.path.count, hitLimit: tree.drafts.count == limit)
            policy.observe(outcome)
            acceptance.record(accepted: outcome.accepted, rejected: outcome.isRejected)
            committed += selection.tokens(of: tree)
            epoch += 1
        }
        return Array(committed.prefix(length))
    }

    /// How far the exact law of three tokens is from the target's, and which draft lengths were seen.
    private func bias<Rule: VerifyRule>(
        _ tables: Tables, _ specification: PolicySpecification, _ rule: Rule
    ) -> (bias: Double, lengths: Set<Int>) {
        var lengths: Set<Int> = []
        let law = EnumeratedChance.law {
            decode(tables, specification, rule, length: 3, lengths: &lengths, chance: &$0)
        }
        return (totalVariation(law, tables.autoregressiveLaw(length: 3)), lengths)
    }

    @Test(
        "Every policy, as set here, is exact under rejection and under block verification",
        arguments: PolicySpecification.Name.allCases)
    func exact(name: PolicySpecification.Name) throws {
        let specification = try Self.specification(name)
        let policy = DraftLengthPolicy(specification, key: StreamKey(rawValue: 0))
        #expect(policy.isNonAnticipating && policy.complaint(draftsAreDrawn: true) == nil)
        var lengths: Set<Int> = []
        for seed in 0..<3 {
            let tables = Tables(vocabulary: 3, seed: UInt64(seed))
            let rejection = bias(tables, specification, RejectionRule())
            let block = bias(tables, specification, BlockRule())
            #expect(rejection.bias < 1e-12 && block.bias < 1e-12, "seed \(seed)")
            lengths.formUnion(rejection.lengths)
        }
        // A rule that never varied would be exact for the wrong reason.
        let isStopRule = specification.manual.decidesPerToken
        #expect(lengths.count > (isStopRule ? 1 : 0), "draft lengths \(lengths)")
    }

    @Test("Dropping a draft for its own probability is caught, by the law and by the policy's own word")
    func offender() throws {
        let tables = Tables(p: distribution(0.5, 0.5), q: distribution(0.9, 0.1))
        let specification = try PolicySpecification(parsing: "threshold:theta=0.5,keep=0,max=2")
        let policy = DraftLengthPolicy(specification, key: StreamKey(rawValue: 0))
        #expect(!policy.isNonAnticipating)
        #expect(policy.complaint(draftsAreDrawn: true)?.contains("threshold:keep=1") == true)
        #expect(policy.complaint(draftsAreDrawn: false) == nil)
        #expect(bias(tables, specification, RejectionRule()).bias > 0.04)
        // The same threshold, the token kept, is right on the same tables.
        let keeping = try PolicySpecification(parsing: "threshold:theta=0.5,max=2")
        #expect(bias(tables, keeping, RejectionRule()).bias < 1e-12)
    }

    @Test("Drawn with keyed noise, the law holds for every policy and is lost for the offender")
    func sampled() throws {
        let tables = Tables(p: distribution(0.5, 0.5), q: distribution(0.9, 0.1))
        func pValue(_ specification: PolicySpecification) -> Double {
            var counts: [[TokenID]: Int] = [:]
            var lengths: Set<Int> = []
            for key in 0..<20_000 {
                var chance = KeyedChance(key: StreamKey(rawValue: UInt64(key)))
                let tokens = decode(
                    tables, specification, RejectionRule(), length: 2, lengths: &lengths, chance: &chance)
                counts[tokens, default: 0] += 1
            }
            return chiSquarePValue(counts: counts, expected: tables.autoregressiveLaw(length: 2))
        }
        for name in PolicySpecification.Name.allCases {
            #expect(try pValue(Self.specification(name)) > 1e-4, "\(name)")
        }
        #expect(try pValue(PolicySpecification(parsing: "threshold:theta=0.5,keep=0,max=2")) < 1e-9)
    }
}
