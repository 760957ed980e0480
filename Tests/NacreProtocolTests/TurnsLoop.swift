import NacreCore
import NacreProtocol
import Testing

/// A verifier and a drafter that compute on the same cores, both machines as they are, over engines that know what
/// each text goes on with and take the time that tables say. Samples of jobs that begin together, as `nacre bench`
/// takes them; no clock and no chance, so that equal runs are equal.
struct TurnsLoop {
    struct Setting {
        /// Microseconds of a target pass and of a draft pass of so many nodes.
        var target: @Sendable (Int) -> Double
        var draft: @Sendable (Int) -> Double
        /// Passes that the verifier's table was made from.
        var calibrated = [1, 2, 4, 8]
        /// How many of a hundred positions the drafter guesses.
        var agreement = 65
        var sequences = 16
        /// A message's way, in microseconds.
        var way = 150
        /// Between two jobs of a sample, in microseconds.
        var apart = 300
        var nodesMax = 512
    }

    /// What a sample of jobs took.
    struct Sample: CustomStringConvertible {
        var tokens = 0
        var passes = 0
        /// Passes in which drafts took part, and those drafts.
        var drafting = 0
        var drafts = 0
        /// Drafter passes, the nodes in them, and texts that were opened.
        var draftPasses = 0
        var draftNodes = 0
        var opened = 0
        /// In microseconds: from the first commit to the last end, and what of that went into passes of each.
        var elapsed = 0
        var passing = 0
        var draftingTime = 0
        /// Tokens of the first commit.
        var atFirst = 0

        var rate: Double { Double(tokens - atFirst) / Double(max(1, elapsed)) }

        var description: String {
            "\(tokens) tokens in \(elapsed / 1_000) ms: \(passes) passes (\(passing / 1_000) ms), \(drafting) with "
                + "\(drafts) drafts; drafter \(draftPasses) passes of \(draftNodes) nodes "
                + "(\(draftingTime / 1_000) ms), \(opened) texts"
        }
    }

    private enum Event {
        case verifier(VerifierMachine.Input)
        case drafter(DrafterMachine.Input)
    }

    private static let address = "drafter:1"
    private static let link: LinkID = 1

    let setting: Setting
    var verifier: VerifierMachine
    private var drafter: DrafterMachine
    private(set) var now: Instant = 0
    private var queue: [(at: Instant, number: Int, event: Event)] = []
    private var events = 0
    private var arrivals: [Instant] = [0, 0]
    private var jobs: UInt64 = 0
    private var texts: [UInt64: Int] = [:]
    private var open: Set<UInt64> = []
    private var first: Instant?
    private var sample = Sample()
    private var isDrafting = false

    init(_ setting: Setting) {
        self.setting = setting
        var cost = StepCostModel(nodesMax: 64, priorFixed: 1_000, perNode: 100)
        for nodes in setting.calibrated { cost.record(nodes: nodes, microseconds: setting.target(nodes)) }
        verifier = VerifierMachine(
            VerifierMachine.Configuration(
                node: "v", incarnation: 1, vocabularyDigest: 7, vocabularySize: 1_000, sequences: setting.sequences,
                contextMax: 4_096, nodesMax: setting.nodesMax, endTokens: [999], canRewind: true, branches: 16,
                cost: cost))
        drafter = DrafterMachine(
            DrafterMachine.Configuration(
                node: "d", incarnation: 2, vocabularyDigest: 7, vocabularySize: 1_000, sequences: setting.sequences,
                contextMax: 4_096, nodesMax: setting.nodesMax, endTokens: [999], branches: 16))
    }

    /// Jobs with prompts of these lengths, submitted together.
    mutating func run(_ speculation: Speculation, prompts: [Int], tokens: Int) -> Sample {
        sample = Sample()
        first = nil
        for (place, prompt) in prompts.enumerated() {
            jobs += 1
            open.insert(jobs)
            texts[jobs] = place
            var assignment = VerifierRig.assignment(
                speculation, sampling: .greedy, tokensMax: tokens, job: jobs,
                context: (0..<prompt).map { TokenID(rawValue: UInt32(10 + (place % 8) + $0 % 5)) })
            for index in assignment.offers.indices { assignment.offers[index].sharesCores = true }
            schedule(.verifier(.control(.assignJob(assignment))), at: now + place * setting.apart)
        }
        var steps = 0
        while !open.isEmpty, let next = queue.popLast() {
            steps += 1
            guard steps < 200_000 else {
                Issue.record("\(open.sorted()) hang")
                break
            }
            now = next.at
            perform(next.event)
        }
        sample.elapsed = now - (first ?? now)
        // What is still on its way is no part of the next sample.
        while let next = queue.popLast() {
            now = next.at
            perform(next.event)
        }
        now = now + 200_000
        return sample
    }

    private static func isVerdict(_ event: Event) -> Bool {
        if case .drafter(.received(_, .verdict)) = event { true } else { false }
    }

    private mutating func schedule(_ event: Event, at time: Instant) {
        events += 1
        let place = queue.lastIndex { ($0.at, $0.number) > (time, events) }.map { $0 + 1 } ?? 0
        queue.insert((time, events, event), at: place)
    }

    private mutating func send(_ event: Event, back: Int) {
        arrivals[back] = max(arrivals[back], now + setting.way)
        schedule(event, at: arrivals[back])
    }

    private mutating func perform(_ event: Event) {
        switch event {
        case .verifier(let input):
            var effects: [VerifierMachine.Effect] = []
            verifier.step(input, at: now, into: &effects)
            for effect in effects { perform(effect) }
        case .drafter(let input):
            if case .passed = input { isDrafting = false }
            var inputs = [input]
            // Verdicts that come together, as `DrafterNode` hands them on.
            if Self.isVerdict(event) {
                while let next = queue.last, next.at == now, Self.isVerdict(next.event),
                    case .drafter(let more) = next.event
                {
                    inputs.append(more)
                    queue.removeLast()
                }
            }
            var effects: [DrafterMachine.Effect] = []
            drafter.step(inputs, at: now, into: &effects)
            for effect in effects { perform(effect) }
        }
    }

    private mutating func perform(_ effect: VerifierMachine.Effect) {
        switch effect {
        case .toCoordinator(.commit(let commit)):
            sample.tokens += commit.tokens.count
            if first == nil { (first, sample.atFirst) = (now, commit.tokens.count) }
        case .toCoordinator(.jobEnded(let ended)): open.remove(ended.job.low)
        case .dial(let address):
            schedule(.drafter(.opened(Self.link)), at: now + 1)
            schedule(.verifier(.dialed(address: address)), at: now + 2)
        case .toDrafter(_, let message):
            if case .draftOpen = message { sample.opened += 1 }
            send(.drafter(.received(Self.link, message)), back: 0)
        case .wake(let at): schedule(.verifier(.tick), at: max(at, now))
        case .evaluate(let pass): evaluate(pass)
        case .closeDrafter(_, let goodbye), .closeCoordinator(let goodbye): Issue.record("\(goodbye.detail)")
        case .toCoordinator, .toHost, .closeHost: break
        }
    }

    private mutating func evaluate(_ pass: EnginePass) {
        #expect(!isDrafting, "a pass while the drafter computes")
        let time = Int(setting.target(pass.nodes.count))
        let rows = pass.nodes.filter { $0.score != nil }
        let drafts = rows.count - Set(rows.compactMap { $0.score?.key }).count
        sample.passes += 1
        sample.passing += time
        sample.drafts += drafts
        sample.drafting += drafts > 0 ? 1 : 0
        let scores = rows.compactMap(\.score).map { Score.choice(Choice(token: text($0), margin: 1)) }
        schedule(.verifier(.passed(.done(scores, started: now, ended: now + time))), at: now + time)
    }

    private mutating func perform(_ effect: DrafterMachine.Effect) {
        switch effect {
        case .send(_, let message): send(.verifier(.data(address: Self.address, message)), back: 1)
        case .close(_, let goodbye): Issue.record("\(goodbye.detail)")
        case .evaluate(let pass):
            let time = Int(setting.draft(pass.nodes.count))
            isDrafting = true
            sample.draftPasses += 1
            sample.draftNodes += pass.nodes.count
            sample.draftingTime += time
            let scores = pass.nodes.compactMap(\.score).map { request in
                Score.candidates([Candidate(token: guess(request), probability: 0.7)])
            }
            schedule(.drafter(.passed(.done(scores, started: now, ended: now + time))), at: now + time)
        }
    }

    /// What the target says there.
    private func text(_ request: ScoreRequest) -> TokenID {
        TokenID(rawValue: UInt32(20 + (request.index * 7 + texts[request.key.rawValue, default: 0] * 31) % 900))
    }

    private func guess(_ request: ScoreRequest) -> TokenID {
        var dice = Dice(seed: UInt64(request.index) &* 1_000 &+ UInt64(texts[request.key.rawValue, default: 0]))
        return Int(dice.next() % 100) < setting.agreement ? text(request) : 19
    }
}
