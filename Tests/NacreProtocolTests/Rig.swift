import NacreCore
import NacreProtocol
import Testing

/// A verifier with drafters at the other end of the test's pencil.
struct VerifierRig {
    static let drafter = "drafter:1"
    static let end: TokenID = 99

    /// What a drafter would know of its stream.
    struct Pen {
        var address: String
        var stream: StreamID
        var epoch: Epoch
        var root: Position
        /// The last verdict heard.
        var heard: Epoch
        var nextNode = 0
    }

    var machine: VerifierMachine
    var cache = CacheModel()
    /// The cache if the pass in flight finds no room.
    private var refused = CacheModel()
    var now: Instant = 0
    /// The pass in flight.
    private(set) var pass: EnginePass?
    private(set) var effects: [VerifierMachine.Effect] = []
    /// By the order in which their streams began.
    var pens: [Pen] = []

    /// - Parameter costs: microseconds of passes of 1, 2, ... nodes; none: almost the same for all.
    init(
        sequences: Int = 4, branches: Int = 0, nodesMax: Int = 64, contextMax: Int = 256, costs: [Double] = []
    ) {
        var cost = StepCostModel(nodesMax: nodesMax, priorFixed: 1_000, perNode: 1)
        for (index, time) in costs.enumerated() { cost.record(nodes: index + 1, microseconds: time) }
        machine = VerifierMachine(
            VerifierMachine.Configuration(
                node: "v", incarnation: 1, vocabularyDigest: 7, vocabularySize: 100, sequences: sequences,
                contextMax: contextMax, nodesMax: nodesMax, endTokens: [VerifierRig.end], canRewind: true,
                branches: branches, cost: cost))
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
            refused = cache
            refused.edit(next)
            cache.run(next)
            pass = next
        }
        for text in machine.cachedTexts where pass != nil {
            let held = cache.texts[text.sequence, default: []]
            #expect(held.starts(with: text.tokens) && held.count == text.filled, "the cache is not what is believed")
        }
        return new
    }

    /// Ends the pass in flight with these tokens, one for each row asked for.
    @discardableResult
    mutating func choose(_ tokens: [TokenID]) -> [VerifierMachine.Effect] {
        let requests = (pass?.nodes ?? []).compactMap(\.score)
        return answer(
            tokens.enumerated().map { place, token in
                let choice = Choice(token: token, margin: 1)
                guard place < requests.count, case .likelihood(let asked) = requests[place].kind else {
                    return .choice(choice)
                }
                return .likelihood(Likelihood(choice: choice, ofChoice: -1, ofTokens: asked.map { _ in -1 }))
            })
    }

    /// Ends the pass in flight with these scores, one for each row asked for.
    @discardableResult
    mutating func answer(_ scores: [Score]) -> [VerifierMachine.Effect] {
        #expect(pass?.nodes.count { $0.score != nil } == scores.count, "rows asked for")
        pass = nil
        now = now + 1_000
        return step(.passed(.done(scores, started: now, ended: now)))
    }

    /// Ends the pass in flight, which began then and ends now.
    @discardableResult
    mutating func finish(_ tokens: [TokenID], started: Instant) -> [VerifierMachine.Effect] {
        pass = nil
        let scores = tokens.map { Score.choice(Choice(token: $0, margin: 1)) }
        return step(.passed(.done(scores, started: started, ended: now)))
    }

    /// Ends the pass in flight otherwise.
    @discardableResult
    mutating func end(_ outcome: PassOutcome) -> [VerifierMachine.Effect] {
        pass = nil
        if case .cacheFull = outcome { cache = refused }
        return step(.passed(outcome))
    }

    /// Assigns a job with the prompt [1, 2] and opens a ready stream before its first decoding pass.
    mutating func begin(_ method: DecodingMethod, gamma: Int, tokensMax: Int = 100, ignoresEnds: Bool = false) {
        begin(Speculation(method, gamma: gamma), tokensMax: tokensMax, ignoresEnds: ignoresEnds)
    }

    /// The same with so many drafters as the job asks for.
    mutating func begin(
        _ speculation: Speculation, sampling: SamplingPolicy = .greedy, tokensMax: Int = 100, ignoresEnds: Bool = false
    ) {
        var assignment = VerifierRig.assignment(speculation, sampling: sampling, tokensMax: tokensMax)
        assignment.ignoresEnds = ignoresEnds
        step(.control(.assignJob(assignment)))
        for number in 1...speculation.drafters { greet("drafter:\(number)") }
        for pen in pens.indices { ready(pen) }
        // Without drafters the pass that reads the prompt decides too.
        if pass?.nodes.contains(where: { $0.score != nil }) == false { choose([]) }
    }

    /// The link to a drafter is there.
    mutating func greet(_ address: String = VerifierRig.drafter) {
        step(.dialed(address: address))
        let greeting = Greeting(
            wireMin: 1, wireMax: 1, node: "d", role: .drafter, incarnation: 2, vocabularyDigest: 7)
        step(.data(address: address, .greeting(greeting)))
        for case .toDrafter(address, .draftOpen(let open)) in effects where open.contextOffset == 0 {
            pens.append(
                Pen(
                    address: address, stream: open.stream, epoch: open.epoch,
                    root: Position(rawValue: open.contextTotal), heard: open.epoch))
        }
    }

    mutating func ready(_ pen: Int) {
        let ready = DraftReady(stream: pens[pen].stream, microsecondsPerToken: 1_000)
        step(.data(address: pens[pen].address, .draftReady(ready)))
    }

    func data(_ message: Message) -> VerifierMachine.Input { .data(address: VerifierRig.drafter, message) }

    /// The drafter's next tokens in its epoch, as one message each; `end` is said with the last.
    @discardableResult
    mutating func draft(_ tokens: [TokenID], end: DraftEnd = .open, by pen: Int = 0) -> [VerifierMachine.Effect] {
        var all: [VerifierMachine.Effect] = []
        for (index, token) in tokens.enumerated() {
            all += say([token], end: index == tokens.count - 1 ? end : .open, by: pen)
        }
        effects = all
        return all
    }

    /// One message of a drafter.
    @discardableResult
    mutating func say(
        _ tokens: [TokenID], parents: [Int] = [], probabilities: [UInt8] = [], proposals: [Draft.Proposal] = [],
        references: [Double] = [], end: DraftEnd = .open, by pen: Int = 0
    ) -> [VerifierMachine.Effect] {
        var draft = Draft(
            stream: pens[pen].stream, epoch: pens[pen].epoch, heard: pens[pen].heard, root: pens[pen].root,
            firstNode: pens[pen].nextNode, tokens: tokens, parents: parents, probabilities: probabilities,
            proposals: proposals, end: end)
        draft.references = references
        pens[pen].nextNode += tokens.count
        return step(.data(address: pens[pen].address, .draft(draft)))
    }

    /// The drafter hears of a verdict and goes on in the epoch it offers.
    mutating func enter(_ epoch: Epoch, root: Position, by pen: Int = 0) {
        pens[pen].epoch = epoch
        pens[pen].heard = max(pens[pen].heard, epoch)
        pens[pen].root = root
        pens[pen].nextNode = 0
    }

    /// The drafter hears of a verdict that its drafts cover.
    mutating func hear(_ epoch: Epoch, by pen: Int = 0) { pens[pen].heard = epoch }

    static let policy = SamplingPolicy(temperature: 1)

    static func assignment(
        _ method: DecodingMethod, gamma: Int, tokensMax: Int = 100, job: UInt64 = 1
    ) -> AssignJob {
        assignment(Speculation(method, gamma: gamma), tokensMax: tokensMax, job: job)
    }

    static func assignment(
        _ speculation: Speculation, sampling: SamplingPolicy = .greedy, tokensMax: Int = 100, job: UInt64 = 1,
        attempt: Attempt = 0, context: [TokenID] = [1, 2]
    ) -> AssignJob {
        AssignJob(
            job: JobID(high: 0, low: job), attempt: attempt, speculation: speculation, key: StreamKey(rawValue: job),
            sampling: sampling, lengthMax: Position(rawValue: context.count + tokensMax),
            promptLength: Position(rawValue: context.count), contextTotal: context.count, contextOffset: 0,
            context: context,
            offers: (1...speculation.drafters).map { Offer(address: "drafter:\($0)", incarnation: 2) })
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
    var rowRequests: [RowRequest] {
        compactMap { if case .toDrafter(_, .rowRequest(let request)) = $0 { request } else { nil } }
    }
    var goodbyes: [GoodbyeCode] {
        compactMap { if case .closeDrafter(_, let goodbye) = $0 { goodbye.code } else { nil } }
    }
    var dials: [String] { compactMap { if case .dial(let address) = $0 { address } else { nil } } }
    var hires: Int { count { if case .toCoordinator(.hire) = $0 { true } else { false } } }
}
