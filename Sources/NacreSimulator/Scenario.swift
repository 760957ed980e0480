import NacreCore
import NacreEngine
import NacreProtocol

/// Everything that one seed decides before the first event.
struct Scenario: Sendable {
    /// How a drafter behaves for its whole life.
    enum Character: Sendable, CaseIterable {
        case honest
        /// Draws its tokens at random.
        case guesser
        /// Says that it is ready, then nothing.
        case mute
        /// Sends what no honest drafter could.
        case breaker
    }

    struct Node: Sendable {
        var sequences: Int
        /// Sequences for side branches.
        var branches: Int
        var contextMax: Int
        var contextCells: Int
        var nodesMax: Int
        /// Time of a pass: fixed + perNode · nodes, in microseconds.
        var passFixed: Int
        var passPerNode: Int
        var vocabularyChunk: Int
    }

    struct Verifier: Sendable {
        var node: Node
        /// Keeps its jobs when the coordinator is lost, as no verifier should: its commits are of attempts long over.
        var isZombie: Bool
        /// How many share its sequences.
        var shards = 1

        /// What each shard has.
        var parts: [Node] {
            (0..<shards).map { shard in
                var part = node
                part.sequences = node.sequences / shards + (shard < node.sequences % shards ? 1 : 0)
                return part
            }
        }
    }

    struct Drafter: Sendable {
        var node: Node
        var character: Character
        /// Share of contexts in which its model is the target.
        var agreement: Double
        var modelSeed: UInt64
        /// The verifier on whose cores it computes.
        var sharesCoresOf: Int?
        /// What drafts without its model, and whether the model drafts too.
        var lookups: [LookupKind] = []
        var hasModel = true
        /// How what it thinks in another vocabulary becomes the target's tokens; `nil` if it has the target's.
        var bridge: VocabularyBridge?
    }

    struct Job: Sendable {
        var id: JobID
        var specification: JobSpecification
        var submitted: Instant
        var cancelled: Instant?
    }

    /// Probabilities of faults while they are on.
    struct Faults: Sendable {
        /// Per process and 100 ms.
        var crash = 0.0
        var freeze = 0.0
        /// Per message.
        var reset = 0.0
        var halfOpen = 0.0
        var stall = 0.0
        /// Per dial.
        var dialFails = 0.0
        /// Per pass.
        var engineFails = 0.0
        var cacheFull = 0.0
        /// One-way delay of a connection and jitter of each message, in microseconds.
        var delayMax = 500
        var jitter = 200
    }

    let seed: UInt64
    var targetSeed: UInt64
    var verifiers: [Verifier] = []
    var drafters: [Drafter] = []
    var jobs: [Job] = []
    /// The default policy at these times; `nil` is the built-in one.
    var policies: [(at: Instant, policy: PolicySpecification?)] = []
    var faults = Faults()
    /// From then on nothing new goes wrong.
    var healed: Instant

    /// One in eight runs is without faults and lies.
    let isCalm: Bool

    init(seed: UInt64) {
        var chance = Chance(seed: seed &* 0xD134_2543_DE82_EF95 &+ 1)
        self.seed = seed
        targetSeed = chance.next()
        isCalm = chance.happens(0.125)
        healed = isCalm ? 0 : Instant(rawValue: chance.int(1_500_000...5_000_000))
        let contextMax = chance.happens(0.15) ? chance.int(14...30) : 64
        for _ in 0..<(chance.happens(0.2) ? 1 : 2) {
            verifiers.append(
                Verifier(
                    node: Scenario.node(
                        contextMax: contextMax, slow: chance.pick([2_000, 10_000, 40_000]), mayLackCells: false, &chance
                    ),
                    isZombie: !isCalm && chance.happens(0.3)))
        }
        for _ in 0..<chance.pick([0, 1, 2, 2, 2, 2]) {
            let isHonest = isCalm || chance.happens(0.75)
            drafters.append(
                Drafter(
                    node: Scenario.node(
                        contextMax: chance.happens(0.15) ? 20 : 96, slow: 4_000, mayLackCells: true, &chance),
                    character: isHonest ? .honest : chance.pick([.guesser, .mute, .breaker]),
                    agreement: chance.pick([0, 0.5, 0.8, 0.95, 1]), modelSeed: chance.next()))
        }
        if !isCalm { faults = Scenario.faults(&chance) }
        // Long texts that begin alike share cells.
        let alike = contextMax == 64 && chance.happens(0.15) ? chance.int(32...35) : nil
        for index in 0..<3 {
            jobs.append(Scenario.job(index, &chance))
            if let alike { jobs[index].specification.prompt.insert(contentsOf: repeatElement(97, count: alike), at: 0) }
        }
        // Of a chance of its own, so that all else is as without shards.
        var division = Chance(seed: seed ^ 0x5A4D)
        for index in verifiers.indices where verifiers[index].node.sequences > 1 {
            verifiers[index].shards = division.pick([1, 1, 2])
        }
        for _ in 0..<division.pick([0, 0, 1, 4]) {
            let policy = Scenario.policy(&division)
            policies.append((Instant(rawValue: division.int(0...2_000_000)), policy == .goodput ? nil : policy))
        }
        for index in drafters.indices where division.happens(0.4) {
            drafters[index].sharesCoresOf = division.int(0...verifiers.count - 1)
        }
        for index in drafters.indices where division.happens(0.3) {
            drafters[index].lookups = division.pick([[.ngram], [.suffix], [.phrases], [.suffix, .phrases, .ngram]])
            drafters[index].hasModel = division.happens(0.5)
        }
        addLossyJobs()
        addBeamJobs()
        addBridges()
        // Of a chance of its own as well. A finished beam has no text behind its end.
        var ending = Chance(seed: seed ^ 0xE0D)
        for index in jobs.indices where ending.happens(0.25) {
            jobs[index].specification.ignoresEnds = !jobs[index].specification.speculation.method.usesBeams
        }
    }

    /// Jobs of the lossy method, of a chance of their own too.
    private mutating func addLossyJobs() {
        var chance = Chance(seed: seed ^ 0x7A0D)
        for index in jobs.indices where chance.happens(0.15) {
            jobs[index].specification.speculation = Speculation(
                .mtad, gamma: chance.pick([0, 1, 2, 5, 32]),
                shape: .beams(width: chance.int(1...4), onePath: chance.happens(0.3)),
                siblings: chance.pick([.withoutReplacement, .independent]), tau: chance.pick([0.05, 0.5, 0.9, 1]))
            jobs[index].specification.namesPolicy = false
        }
    }

    private static func node(contextMax: Int, slow: Int, mayLackCells: Bool, _ chance: inout Chance) -> Node {
        let sequences = chance.int(1...4)
        // One drafter in eight has less room than its sequences may ask for. A verifier never: its jobs would fail.
        let cells = sequences * contextMax / (mayLackCells && chance.happens(0.125) ? 2 : 1)
        let nodesMax = chance.pick([6, 16, 64])
        return Node(
            sequences: sequences, branches: chance.pick([0, 1, 4, 16, 16]), contextMax: contextMax,
            contextCells: max(cells, contextMax) + nodesMax, nodesMax: nodesMax,
            // In one node of five a pass costs as much as its nodes: there drafts rest.
            passFixed: chance.happens(0.2) ? 1 : chance.int(slow / 4...slow),
            passPerNode: chance.int(0...500),
            vocabularyChunk: chance.pick([8, 32]))
    }

    private static func faults(_ chance: inout Chance) -> Faults {
        /// Half of the kinds are off in a run, some are extreme.
        func rate(_ usual: Double, extreme: Double) -> Double {
            let draw = chance.fraction()
            return draw < 0.5 ? 0 : draw < 0.93 ? usual * chance.fraction() : extreme
        }
        var faults = Faults()
        faults.crash = rate(0.01, extreme: 0.05)
        faults.freeze = rate(0.01, extreme: 0.05)
        faults.reset = rate(0.004, extreme: 0.05)
        faults.halfOpen = rate(0.002, extreme: 0.02)
        faults.stall = rate(0.01, extreme: 0.1)
        faults.dialFails = rate(0.2, extreme: 0.8)
        faults.engineFails = rate(0.01, extreme: 0.1)
        faults.cacheFull = rate(0.01, extreme: 0.1)
        faults.delayMax = chance.pick([500, 5_000, 40_000])
        faults.jitter = chance.pick([0, 500, 20_000])
        return faults
    }

    /// A draw that leaves no choice: rules that draw their own tokens have an oracle under it, and judge rows of q.
    private static let certain = SamplingPolicy(temperature: 1, topK: 1)

    /// A way to speculate that is allowed. Under the rules that draw their own tokens only jobs whose tokens are
    /// certain have an oracle.
    private static func speculation(_ sampling: SamplingPolicy, _ chance: inout Chance) -> Speculation {
        while true {
            var speculation = Speculation(
                chance.pick(DecodingMethod.allCases.filter(\.keepsText)),
                gamma: chance.pick([0, 1, 2, 3, 5, 8, 32]),
                rule: sampling.isGreedy || sampling == certain ? chance.pick(VerifyRuleKind.allCases) : .coupled,
                payload: chance.pick(PayloadKind.allCases),
                drafters: chance.pick([1, 1, 2]), helpers: chance.pick([0, 0, 1]))
            let shapes: [DraftShape] = [
                .chain, .chain, .best(nodesMax: 0, width: 4),
                .best(nodesMax: chance.int(1...20), width: chance.int(1...4)),
            ]
            speculation.shape = chance.pick(shapes)
            if chance.happens(0.25), let shape = try? TreeShape(chance.pick([[2, 2, 1], [4, 2, 2, 1], [1, 3], [3]])) {
                speculation.shape = .fixed(shape)
            }
            speculation.branches = chance.pick([0, 0, 3, 12])
            speculation.policy = policy(&chance)
            speculation.merge = chance.pick([0, 0, 1, 2])
            speculation.siblings = chance.pick([.withoutReplacement, .withoutReplacement, .independent])
            // No draw of its own, so that seeds keep their meaning.
            speculation.isRecorded = speculation.gamma == 8
            if speculation.complaint(under: sampling) == nil { return speculation }
        }
    }

    /// The default twice as often as each other one; thresholds that stop at once and never.
    private static func policy(_ chance: inout Chance) -> PolicySpecification {
        let texts = [
            "goodput", "goodput", "fixed:gamma=3", "ratio", "threshold:theta=0.3", "threshold:theta=0.6,keep=0",
            "threshold:theta=0.9,min=1,max=2", "heuristic", "adaedl:lambda=0.4", "svip", "thompson", "ema",
        ]
        return (try? PolicySpecification(parsing: chance.pick(texts))) ?? .goodput
    }

    private static func job(_ index: Int, _ chance: inout Chance) -> Job {
        let alphabet = Array("abcdexyz ".utf8)
        func letters(_ count: Int) -> [UInt8] { (0..<count).map { _ in chance.pick(alphabet) } }
        let sampling = chance.pick([
            .greedy, SamplingPolicy(temperature: 1), SamplingPolicy(temperature: 0.7, topK: 8),
            SamplingPolicy(temperature: 1.3, topP: 0.9), SamplingPolicy(temperature: 2, topK: 20, minP: 0.05), certain,
        ])
        let stops: [[UInt8]] =
            chance.happens(0.4)
            ? (0..<chance.int(1...3)).map { _ in
                chance.happens(0.3) ? Array("é".utf8) : letters(chance.int(1...3))
            } : []
        var specification = JobSpecification(
            prompt: letters(chance.int(1...10)), speculation: speculation(sampling, &chance), sampling: sampling,
            seed: chance.next(), tokensMax: chance.pick([1, 2, 8, 16, 24, 24]), stops: stops)
        specification.namesPolicy = specification.speculation.policy != .goodput
        let submitted = Instant(rawValue: chance.int(0...1_500_000))
        return Job(
            id: JobID(high: chance.next(), low: UInt64(index)), specification: specification, submitted: submitted,
            cancelled: chance.happens(0.12) ? submitted + chance.int(0...1_000_000) : nil)
    }
}
