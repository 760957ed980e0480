import NacreCore
import NacreProtocol
import Testing

/// A KV cache that does what passes say and refuses what no engine would do.
struct CacheModel {
    private(set) var texts: [SequenceID: [TokenID]] = [:]

    /// What a pass leaves for which there was no room.
    mutating func edit(_ pass: EnginePass) {
        for edit in pass.edits {
            switch edit {
            case .rewind(let sequence, let length):
                texts[sequence] = Array((texts[sequence] ?? []).prefix(length.rawValue))
            case .release(let sequence): texts[sequence] = nil
            case .fork(let source, let target, let length):
                texts[target] = Array((texts[source] ?? []).prefix(length.rawValue))
            }
        }
    }

    mutating func run(_ pass: EnginePass) {
        edit(pass)
        for node in pass.nodes {
            #expect(node.position.rawValue == texts[node.sequence, default: []].count, "a gap in \(node.sequence)")
            texts[node.sequence, default: []].append(node.token)
        }
    }
}

/// A verifier with one drafter at the other end of the test's pencil.
struct VerifierRig {
    static let drafter = "drafter:1"
    static let end: TokenID = 99
    var machine: VerifierMachine
    var cache = CacheModel()
    var now: Instant = 0
    /// The pass in flight.
    private(set) var pass: EnginePass?
    private(set) var effects: [VerifierMachine.Effect] = []
    private var firstNode = 0
    private var epoch: Epoch = 0
    private var root: Position = 0

    /// - Parameter costs: microseconds of passes of 1, 2, ... nodes; none: almost the same for all.
    init(sequences: Int = 4, nodesMax: Int = 64, contextMax: Int = 256, costs: [Double] = []) {
        var cost = StepCostModel(nodesMax: nodesMax, priorFixed: 1_000, perNode: 1)
        for (index, time) in costs.enumerated() { cost.record(nodes: index + 1, microseconds: time) }
        machine = VerifierMachine(
            VerifierMachine.Configuration(
                node: "v", incarnation: 1, vocabularyDigest: 7, vocabularySize: 100, sequences: sequences,
                contextMax: contextMax, nodesMax: nodesMax, endTokens: [VerifierRig.end], canRewind: true,
                cost: cost))
    }

    /// Steps the machine, and notes what it does.
    @discardableResult
    mutating func step(_ input: VerifierMachine.Input) -> [VerifierMachine.Effect] {
        var new: [VerifierMachine.Effect] = []
        machine.step(input, at: now, into: &new)
        effects = new
        for effect in new {
            guard case .evaluate(let next) = effect else { continue }
            #expect(pass == nil, "two passes at once")
            cache.run(next)
            pass = next
        }
        return new
    }

    /// Ends the pass in flight with these tokens, one for each row asked for.
    @discardableResult
    mutating func choose(_ tokens: [TokenID]) -> [VerifierMachine.Effect] {
        #expect(pass?.nodes.count { $0.score != nil } == tokens.count, "rows asked for")
        pass = nil
        now = now + 1_000
        let scores = tokens.map { Score.choice(Choice(token: $0, margin: 1)) }
        return step(.passed(.done(scores, started: now, ended: now)))
    }

    /// Ends the pass in flight otherwise.
    @discardableResult
    mutating func end(_ outcome: PassOutcome) -> [VerifierMachine.Effect] {
        pass = nil
        return step(.passed(outcome))
    }

    /// Assigns a job with the prompt [1, 2] and opens a ready stream before its first decoding pass.
    mutating func begin(_ method: DecodingMethod, gamma: Int, tokensMax: Int = 100) {
        step(.control(.assignJob(VerifierRig.assignment(method, gamma: gamma, tokensMax: tokensMax))))
        greet()
        step(data(.draftReady(DraftReady(stream: 0, microsecondsPerToken: 1_000))))
        choose([])
        root = 2
    }

    mutating func greet() {
        step(.dialed(address: VerifierRig.drafter))
        step(
            data(
                .greeting(
                    Greeting(
                        wireMin: 1, wireMax: 1, node: "d", role: .drafter, incarnation: 2, vocabularyDigest: 7))))
    }

    func data(_ message: Message) -> VerifierMachine.Input { .data(address: VerifierRig.drafter, message) }

    /// The drafter's next tokens in its epoch, as one message each.
    @discardableResult
    mutating func draft(_ tokens: [TokenID], end: DraftEnd = .open) -> [VerifierMachine.Effect] {
        var all: [VerifierMachine.Effect] = []
        for token in tokens {
            let draft = Draft(
                stream: 0, epoch: epoch, root: root, firstNode: firstNode, tokens: [token],
                end: token == tokens.last ? end : .open)
            firstNode += 1
            all += step(data(.draft(draft)))
        }
        effects = all
        return all
    }

    /// The drafter goes on in another epoch.
    mutating func enter(_ epoch: Epoch, root: Position) {
        self.epoch = epoch
        self.root = root
        firstNode = 0
    }

    static func assignment(
        _ method: DecodingMethod, gamma: Int, tokensMax: Int = 100, job: UInt64 = 1, attempt: Attempt = 1
    ) -> AssignJob {
        AssignJob(
            job: JobID(high: 0, low: job), attempt: attempt, method: method, gamma: gamma,
            key: StreamKey(rawValue: job),
            sampling: .greedy, lengthMax: Position(rawValue: 2 + tokensMax), promptLength: 2, contextTotal: 2,
            contextOffset: 0, context: [1, 2], offers: [Offer(address: VerifierRig.drafter, incarnation: 2)])
    }
}

// What the tests ask of a machine's answer.
extension [VerifierMachine.Effect] {
    var commits: [[TokenID]] {
        compactMap { if case .toCoordinator(.commit(let commit)) = $0 { commit.tokens } else { nil } }
    }
    var verdicts: [Verdict] {
        compactMap { if case .toDrafter(_, .verdict(let verdict)) = $0 { verdict } else { nil } }
    }
    var ended: JobEnded? {
        for case .toCoordinator(.jobEnded(let ended)) in self { return ended }
        return nil
    }
    var opens: [DraftOpen] {
        compactMap { if case .toDrafter(_, .draftOpen(let open)) = $0 { open } else { nil } }
    }
    var goodbyes: [GoodbyeCode] {
        compactMap { if case .closeDrafter(_, let goodbye) = $0 { goodbye.code } else { nil } }
    }
    var hires: Int { count { if case .toCoordinator(.hire) = $0 { true } else { false } } }
}

extension EnginePass {
    /// "token@position", with a "?" for a row.
    var line: String {
        nodes.map { "\($0.token)@\($0.position)\($0.score == nil ? "" : "?")" }.joined(separator: " ")
    }
}
