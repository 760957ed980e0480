import NacreCore
import TestStatistics
import Testing

/// ALGORITHMS 11, T1, T2 and T8, for trees of every payload.
@Suite("Trees have the target's law")
struct TreeLawTests {
    typealias Shape = Proposing.Shape

    private static let draws = [SiblingDraw.independent, .withoutReplacement]

    /// Vocabulary, shape and tokens of output.
    static let cases: [(Int, Shape, Int)] = [
        (2, .layers([1, 1, 1]), 4), (2, .layers([2, 2]), 4), (3, .layers([2, 2]), 3), (3, .layers([3]), 2),
        (3, .layers([1, 3]), 3), (4, .layers([2]), 2), (3, .afterToken(depth: 2), 3),
    ]

    private func expectExact<Rule: VerifyRule>(
        _ rule: Rule, _ kind: Proposing.Kind, _ shape: Shape, vocabulary: Int, length: Int
    ) {
        for seed in 0..<2 {
            let tables = Tables(vocabulary: vocabulary, seed: UInt64(seed), agreement: 0.3)
            let law = composedLaw(length: length) { context, chance in
                treeRound(rule, Proposing(kind, shape), tables, after: context, chance: &chance)
            }
            let distance = totalVariation(law, tables.autoregressiveLaw(length: length))
            #expect(distance < 1e-12, "seed \(seed) \(kind) \(shape)")
        }
    }

    @Test("Recursive rejection over rows, cut rows and rows fetched late", arguments: cases)
    func rejection(vocabulary: Int, shape: Shape, length: Int) {
        for draw in Self.draws {
            for kind in [
                Proposing.Kind.row(draw, entriesMax: vocabulary), .row(draw, entriesMax: 2),
                .lazy(draw, entriesMax: vocabulary), .mixed(draw),
            ] {
                expectExact(RejectionRule(), kind, shape, vocabulary: vocabulary, length: length)
            }
        }
    }

    @Test("Greedy top-k as point masses", arguments: cases)
    func pointMasses(vocabulary: Int, shape: Shape, length: Int) {
        expectExact(RejectionRule(), .greedy, shape, vocabulary: vocabulary, length: length)
    }

    @Test("The coupled rule, whatever the payload", arguments: cases)
    func coupled(vocabulary: Int, shape: Shape, length: Int) {
        for kind in [Proposing.Kind.greedy, .row(.withoutReplacement, entriesMax: 2)] {
            expectExact(CoupledRule(), kind, shape, vocabulary: vocabulary, length: length)
        }
    }

    @Test("Three layers of two, exactly")
    func threeLayers() {
        for draw in Self.draws {
            expectExact(
                RejectionRule(), .row(draw, entriesMax: 2), .layers([2, 2, 2]), vocabulary: 2, length: 4)
        }
    }

    /// ALGORITHMS 11, T3 on tables.
    @Test("At temperature 0 every rule commits the target's own tokens, whatever was drafted")
    func greedyIdentity() {
        for seed in 0..<6 {
            let tables = Tables(vocabulary: 3, seed: UInt64(seed), agreement: 0.6).greedy
            let expected = tables.autoregressiveLaw(length: 4)
            func check<Rule: VerifyRule>(_ rule: Rule, _ kind: Proposing.Kind, _ shape: Shape) {
                let law = composedLaw(length: 4) { context, chance in
                    treeRound(rule, Proposing(kind, shape), tables, after: context, chance: &chance)
                }
                #expect(law.count == 1 && totalVariation(law, expected) < 1e-12, "\(rule) \(kind) \(shape)")
            }
            for shape in [Shape.layers([1, 1]), .layers([2, 2]), .afterToken(depth: 2)] {
                for draw in Self.draws {
                    check(RejectionRule(), .row(draw, entriesMax: 3), shape)
                    check(RejectionRule(), .lazy(draw, entriesMax: 3), shape)
                }
                check(RejectionRule(), .greedy, shape)
                check(CoupledRule(), .row(.withoutReplacement, entriesMax: 3), shape)
            }
            check(BlockRule(), .row(.independent, entriesMax: 3), .layers([1, 1, 1]))
            check(BlockRule(), .greedy, .layers([1, 1, 1]))
        }
    }

    @Test("No place decides twice over many rounds, the drafter's draws included")
    func places() {
        func repeated<Rule: VerifyRule>(
            _ rule: Rule, _ kind: Proposing.Kind, _ shape: Shape,
            move: @escaping @Sendable (ChancePlace) -> ChancePlace = { $0 }
        ) -> Set<ChancePlace> {
            (0..<50).reduce(into: []) { places, key in
                var chance = WatchedChance(key: StreamKey(rawValue: UInt64(key)), move: move)
                let tables = Tables(vocabulary: 4, seed: 2, agreement: 0.6)
                _ = treeDecoding(rule, Proposing(kind, shape), tables, length: 20, chance: &chance)
                places.formUnion(chance.repeated)
            }
        }
        for draw in Self.draws {
            #expect(repeated(RejectionRule(), .row(draw, entriesMax: 4), .afterToken(depth: 4)).isEmpty)
            #expect(repeated(RejectionRule(), .lazy(draw, entriesMax: 4), .layers([3, 1])).isEmpty)
        }
        #expect(repeated(RejectionRule(), .greedy, .layers([2, 2])).isEmpty)
        #expect(repeated(BlockRule(), .row(.independent, entriesMax: 4), .layers([1, 1, 1])).isEmpty)
        // Without epochs, nodes of trees of different shapes meet.
        let meeting = repeated(RejectionRule(), .row(.independent, entriesMax: 4), .afterToken(depth: 4)) {
            ChancePlace($0.index, $0.lane, sibling: $0.sibling)
        }
        #expect(!meeting.isEmpty)
    }

    /// A rule and what its drafter proposes, without their types.
    struct Sampled: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let decode: @Sendable (Tables, StreamKey) -> [TokenID]

        init<Rule: VerifyRule>(_ rule: Rule, _ kind: Proposing.Kind, _ shape: Shape) {
            let proposing = Proposing(kind, shape)
            testDescription = "\(rule) \(proposing)"
            decode = { tables, key in
                var chance = KeyedChance(key: key)
                return treeDecoding(rule, proposing, tables, length: 3, chance: &chance)
            }
        }
    }

    private static let tables = [example, Tables(vocabulary: 3, seed: 21, agreement: 0.2)]

    /// With both tables; with these in turn where tests are not thorough.
    private static let sampled: [(Sampled, Int)] = {
        let ways = [
            Sampled(RejectionRule(), .row(.independent, entriesMax: 3), .layers([2, 2])),
            Sampled(RejectionRule(), .row(.withoutReplacement, entriesMax: 2), .layers([2, 1])),
            Sampled(RejectionRule(), .lazy(.independent, entriesMax: 3), .layers([1, 1])),
            Sampled(RejectionRule(), .lazy(.withoutReplacement, entriesMax: 3), .layers([3, 2])),
            Sampled(RejectionRule(), .mixed(.independent), .afterToken(depth: 2)),
            Sampled(RejectionRule(), .greedy, .layers([2, 1])),
            Sampled(BlockRule(), .row(.independent, entriesMax: 3), .layers([1, 1])),
            Sampled(BlockRule(), .greedy, .layers([1, 1, 1])),
            Sampled(CoupledRule(), .row(.independent, entriesMax: 3), .layers([2, 2])),
        ]
        return ways.enumerated().flatMap { place, way in
            tables.indices.covering { $0 == place % 2 }.map { (way, $0) }
        }
    }()

    @Test("Drawn with keyed noise, three tokens have the target's joint law", arguments: sampled)
    func samples(sampled: Sampled, number: Int) {
        let tables = Self.tables[number]
        var counts: [[TokenID]: Int] = [:]
        for key in 0..<50_000 { counts[sampled.decode(tables, StreamKey(rawValue: UInt64(key))), default: 0] += 1 }
        #expect(chiSquarePValue(counts: counts, expected: tables.autoregressiveLaw(length: 3)) > 1e-4)
    }
}
