import NacreCore
import NacreProtocol
import Testing

/// What another verifier that lacks much of a job's text is lent, by hand (`LendingRule`).
@Suite struct LendingTests {
    private static let helper = "h:1"

    /// A job whose prompt has so many tokens, with one helper that has greeted. Passes here take a
    /// millisecond.
    private static func begun(
        _ speculation: Speculation, _ sampling: SamplingPolicy, prompt: Int, branches: Int = 8, costs: [Double] = []
    ) -> VerifierRig {
        var rig = VerifierRig(branches: branches, contextMax: 4_096, costs: costs)
        let context = (0..<prompt).map { TokenID(rawValue: UInt32($0 % 64)) }
        var assignment = VerifierRig.assignment(speculation, sampling: sampling, tokensMax: 900, context: context)
        assignment.offers = speculation.method == .beam ? [] : assignment.offers
        assignment.helpers = [Offer(address: helper, incarnation: 3)]
        rig.step(.control(.assignJob(assignment)))
        rig.step(.dialed(address: helper))
        let greeting = Greeting(
            wireMin: 1, wireMax: 1, node: "h", role: .verifier, incarnation: 3, vocabularyDigest: 7)
        rig.step(.data(address: helper, .greeting(greeting)))
        return rig
    }

    private static func shards(_ effects: [VerifierMachine.Effect]) -> [ScoreShard] {
        effects.compactMap { if case .toDrafter(helper, .scoreShard(let shard)) = $0 { shard } else { nil } }
    }

    private static let law = Distribution(weights: (0..<100).map { $0 < 64 ? 1 : 0 })

    /// Ends the pass in flight: rows under which 64 tokens are as likely.
    private static func answer(_ rig: inout VerifierRig) throws -> [VerifierMachine.Effect] {
        let law = try #require(law)
        return rig.answer((rig.pass?.nodes ?? []).compactMap(\.score).map { _ in .law(law) })
    }

    /// The row of a shard without drafts, in so many messages.
    private static func say(_ shard: ScoreShard, _ rig: inout VerifierRig, parts: Int = 1) {
        let row = BeamRow(
            tokens: (0..<64 as Range<UInt32>).map(TokenID.init), probabilities: Array(repeating: 1.0 / 64, count: 64))
        let messages = Scores.parts(
            of: [row], stream: shard.stream, shard: shard.shard, microseconds: 1_000,
            entriesMax: (64 + parts - 1) / parts)
        #expect(messages.count == parts)
        for scores in messages { rig.step(.data(address: helper, .scores(scores))) }
    }

    /// A helper that reads some 20 tokens of a beam by now, and the shard that it was sent for that.
    private static func reading() throws -> (rig: VerifierRig, shard: ScoreShard) {
        // 1,300 tokens are 21 passes here and 40 there: the beams are some 20 tokens further by then.
        var rig = Self.begun(Self.beams(2), SamplingPolicy(temperature: 1), prompt: 1_300)
        var read: ScoreShard?
        while read == nil, rig.now < 60_000 { read = Self.shards(try Self.answer(&rig)).first }
        return (rig, try #require(read))
    }

    private static func beams(_ width: Int) -> Speculation {
        Speculation(.beam, helpers: 1, beams: BeamSettings(width: width))
    }

    @Test("No beam is lent before the helper should have read the prompt; then one is, and the pass waits for its rows")
    func prompt() throws {
        // 400 tokens are 7 passes of 64 here, and 12 of 32 there with 15 tokens that go with the drafts.
        var rig = Self.begun(Self.beams(2), SamplingPolicy(temperature: 1), prompt: 400)
        var lent: (at: Instant, shard: ScoreShard, rows: Int)?
        var rounds = 0
        while lent == nil, rounds < 40 {
            rounds += 1
            let effects = try Self.answer(&rig)
            guard let shard = Self.shards(effects).first else { continue }
            lent = (rig.now, shard, rig.pass?.nodes.count { $0.score != nil } ?? 0)
        }
        let (at, shard, rows) = try #require(lent)
        #expect((12_000..<14_500).contains(at), "12 passes of 1,032 µs")
        // Six tokens of the beam, none of which the helper has.
        #expect(shard.keep == 400 && (4...7).contains(shard.tokens.count) && rows == 1, "\(shard)")
        // The other beam has been scored: nothing goes on before the helper has answered.
        _ = try Self.answer(&rig)
        #expect(rig.pass == nil)
        Self.say(shard, &rig)
        #expect(rig.pass != nil)
    }

    @Test("What a helper lacks when it has read the prompt it reads beside the job, and is lent a beam only then")
    func behind() throws {
        var (rig, shard) = try Self.reading()
        #expect((17...26).contains(shard.tokens.count) && shard.drafts.isEmpty && rig.now >= 40_000, "\(shard)")
        // Both beams are scored here all the same, and nothing waits.
        for _ in 0..<3 {
            #expect(rig.pass?.nodes.count { $0.score != nil } == 2)
            let effects = try Self.answer(&rig)
            #expect(Self.shards(effects).isEmpty, "it has something to do")
        }
        Self.say(shard, &rig)
        var lent: ScoreShard?
        while lent == nil, rig.now < 90_000 {
            let effects = try Self.answer(&rig)
            lent = Self.shards(effects).first
        }
        let next = try #require(lent)
        #expect(next.tokens.count <= 16 && rig.pass?.nodes.count { $0.score != nil } == 1, "\(next)")
    }

    @Test("A helper that never answers a text that it was only to read is given up after a minute")
    func silent() throws {
        var (rig, shard) = try Self.reading()
        func closed(_ effects: [VerifierMachine.Effect]) -> [ScoreClose] {
            effects.compactMap {
                if case .toDrafter(Self.helper, .scoreClose(let close)) = $0 { close } else { nil }
            }
        }
        let sent = rig.now
        for seconds in [2, 30, 60] {
            rig.now = sent + Instant.seconds(seconds)
            #expect(closed(rig.step(.tick)).isEmpty, "\(seconds) s")
        }
        rig.now = sent + 60_000_001
        #expect(closed(rig.step(.tick)) == [ScoreClose(stream: shard.stream, reason: .dismissed)])
        // The job goes on without it, and what comes late is no fault.
        Self.say(shard, &rig)
        for _ in 0..<3 {
            #expect(rig.pass?.nodes.count { $0.score != nil } == 2)
            let effects = try Self.answer(&rig)
            #expect(Self.shards(effects).isEmpty && closed(effects).isEmpty)
        }
    }

    @Test("A trace has the trees that were scored, one in several messages once, and no texts that were only read")
    func trace() throws {
        var (rig, read) = try Self.reading()
        Self.say(read, &rig)
        var lent: ScoreShard?
        while lent == nil, rig.now < 90_000 { lent = Self.shards(try Self.answer(&rig)).first }
        let tree = try #require(lent)
        Self.say(tree, &rig, parts: 3)
        let job = VerifierRig.assignment(Self.beams(2))
        let ended = rig.step(.control(.cancelJob(CancelJob(job: job.job, attempt: job.attempt))))
        let events = ended.compactMap { effect -> [JobTrace.Event]? in
            if case .toCoordinator(.jobTrace(let trace)) = effect { trace.events } else { nil }
        }.joined().filter { $0.kind == .shard }
        #expect(events.count == 1, "\(Array(events))")
    }

    @Test("Drafts of a tree go to a helper with the text it lacks; one that lacks too much gets the text alone before")
    func dividedTree() throws {
        // With no branch for siblings these are what a helper can have.
        let speculation = Speculation(.speculative, shape: .fixed(try TreeShape([2, 1])), helpers: 1)
        var rig = Self.begun(
            speculation, .greedy, prompt: 2, branches: 1, costs: (1...64).map { 1_000 + 100 * Double($0) })
        rig.greet()
        rig.ready(0)
        // So short a prompt goes with the first token.
        if let verdict = rig.choose([60]).verdicts.last { rig.enter(verdict.nextEpoch, root: verdict.committed) }
        /// Drafts 11 21 and 12 22, of which the first two are right: three tokens are committed.
        func round() -> [ScoreShard] {
            rig.say([11, 12], parents: [0, 0], probabilities: [100, 240])
            let begun = Self.shards(
                rig.say([21, 22], parents: [1, 2], probabilities: [150, 150], end: .windowFull))
            let verdict = rig.choose([11, 21, 60]).verdicts.last
            if let verdict { rig.enter(verdict.nextEpoch, root: verdict.committed) }
            return begun
        }
        func answer(_ shard: ScoreShard) {
            let choices = (0...shard.drafts.count).map { _ in Choice(token: 60, margin: 1) }
            let scores = Scores(
                stream: shard.stream, shard: shard.shard, choices: choices, microseconds: 1_000)
            rig.step(.data(address: Self.helper, .scores(scores)))
        }
        let first = round()
        try #require(first.map(\.drafts) == [[12, 22]])
        #expect(first[0].keep == 2 && first[0].tokens == [60])
        for _ in 0..<3 { #expect(round().isEmpty, "it has something to do") }
        answer(first[0])
        // Twelve tokens go with the drafts.
        let second = round()
        try #require(second.map(\.drafts) == [[12, 22]])
        #expect(second[0].keep == 3 && second[0].tokens.count == 12)
        for _ in 0..<7 { #expect(round().isEmpty) }
        answer(second[0])
        // 24 take the helper 3.3 ms to read, and a pass here takes one: no drafts, no answer, and time to read.
        let text = round()
        try #require(text.map(\.drafts) == [[]])
        #expect(text[0].keep == 15 && text[0].tokens.count == 24)
        let waited = (0..<6).map { _ in round() }
        let place = try #require(waited.firstIndex { !$0.isEmpty })
        #expect((2...4).contains(place) && waited[place][0].drafts == [12, 22])
        #expect(waited[place][0].keep == 39 && waited[place][0].tokens.count == 3 * (place + 1))
    }
}
