import NacreCore
import NacreEngine
import NacreProtocol
import Testing

/// One verifier and its drafters, each with an exact engine over a table, joined by links that keep the order of their
/// messages and delay them at random: the whole data path without bytes. Delays and durations depend on no token.
struct MachineLoop {
    struct Setting: Sendable {
        var language: TabularLanguage
        var speculation: Speculation
        var sampling = SamplingPolicy(temperature: 1)
        var prompt: [TokenID] = [0, 1]
        /// Tokens of a job; more than the law is compared of, so that no round is cut short there.
        var length = 6
        var ends: Set<TokenID> = []
        /// Jobs go on behind them.
        var ignoresEnds = false
        /// Sequences for side branches, of verifier and drafters.
        var branches = 16
        var nodesMax = 64
        /// What drafts without a model, and whether there is one too.
        var lookups: [LookupKind] = []
        var hasModel = true
        /// Where the drafters have another vocabulary.
        var bridge: ToyBridge?
        /// Verifiers that may score for the first, and after how many messages the last of them is gone.
        var helpers = 0
        var helperMessages = Int.max
        /// How many of a hundred passes of a drafter of another vocabulary fail; a job that loses it gets it again.
        var faultPercent = 0
        /// After how many of their messages the drafters are gone, for this job and all others.
        var drafterMessages = Int.max
        /// Drops draws that are improbable, which no drafter may.
        var isIllegal = false
    }

    enum Event {
        case verifier(VerifierMachine.Input)
        case drafter(Int, DrafterMachine.Input)
        case helper(Int, VerifierMachine.Input)
    }

    private static let link: LinkID = 1
    let setting: Setting
    private(set) var now: Instant = 0
    private var verifier: VerifierMachine
    var helpers: [HelperLoop] = []
    var drafters: [DrafterMachine]
    private var target: ReferenceEngine
    private var draftEngines: [ReferenceEngine] = []
    private(set) var bridgedEngines: [BridgedEngine<FaultyEngine>] = []
    private var queue: [(at: Instant, number: Int, event: Event)] = []
    private var eventCount = 0
    /// When the last message of each link arrives, by drafter; the links back come after those out.
    private var arrivals: [Instant]
    var dice: Dice
    private var texts: [JobID: [TokenID]] = [:]
    private var openJobs: Set<JobID> = []
    /// The illegal drafter's streams whose epoch was cut, and how many of its nodes went out.
    var cuts: [StreamID: (epoch: Epoch, nodes: Int)] = [:]
    /// Messages of drafters so far.
    private var drafterMessages = 0
    private var areDraftersGone: Bool { drafterMessages > setting.drafterMessages }
    private(set) var adoptions = 0
    private(set) var rowsFetched = 0
    /// Rows that the verifier's own passes were asked for.
    private(set) var rowsAtHome = 0
    private(set) var statistics = JobStatistics()
    /// What was committed at a time, and the text before it.
    private(set) var commits: [(text: [TokenID], tokens: [TokenID])] = []
    private(set) var recordings: [JobRecording] = []
    /// What jobs with beams answered.
    private(set) var answers: [JobID: [BeamAnswer]] = [:]

    init(_ setting: Setting, seed: UInt64) {
        self.setting = setting
        dice = Dice(seed: seed)
        let (vocabulary, most) = (setting.language.vocabulary, setting.nodesMax)
        let contextMax = setting.prompt.count + setting.length + 40
        let drafterCount = setting.speculation.drafters
        verifier = VerifierMachine(
            VerifierMachine.Configuration(
                node: "v", incarnation: 1, vocabularyDigest: 7, vocabularySize: vocabulary, sequences: 2,
                contextMax: contextMax, nodesMax: most, endTokens: setting.ends, canRewind: true,
                branches: setting.branches,
                cost: StepCostModel(nodesMax: most, priorFixed: 1_000, perNode: 20)))
        helpers = (0..<setting.helpers).map { _ in HelperLoop(setting, contextMax: contextMax) }
        drafters = (0..<drafterCount).map { number in
            var configuration = DrafterMachine.Configuration(
                node: "d\(number)", incarnation: 2, vocabularyDigest: 7, vocabularySize: vocabulary, sequences: 2,
                contextMax: contextMax, nodesMax: most, endTokens: setting.ends, branches: setting.branches)
            (configuration.lookups, configuration.hasModel) = (setting.lookups, setting.hasModel)
            return DrafterMachine(configuration)
        }
        func engine(_ model: TabularModel) -> ReferenceEngine {
            ReferenceEngine(
                model: model, contextCells: 1_024, sequences: 2 + setting.branches, nodesMax: most)
        }
        target = engine(setting.language.target)
        if let bridge = setting.bridge {
            bridgedEngines = (0..<drafterCount).map { number in
                BridgedEngine(
                    FaultyEngine(
                        engine(bridge.model(number)), percent: setting.faultPercent, seed: seed &+ UInt64(number)),
                    bridge: bridge.bridge, contextMax: bridge.contextMax)
            }
        } else {
            draftEngines = (0..<drafterCount).map { engine(setting.language.draft($0)) }
        }
        arrivals = Array(repeating: 0, count: 2 * (drafterCount + setting.helpers))
    }

    /// The texts of jobs with these keys, two of which run at a time.
    mutating func run(keys: Range<UInt64>) -> [[TokenID]] {
        for pair in stride(from: keys.lowerBound, to: keys.upperBound, by: 2) {
            for key in pair..<min(pair + 2, keys.upperBound) { assign(key) }
            var steps = 0
            while !openJobs.isEmpty, steps < 20_000, let next = queue.popLast() {
                steps += 1
                now = next.at
                perform(next.event)
            }
            guard openJobs.isEmpty else {
                Issue.record("\(openJobs.map(\.low)) hang after \(steps) events")
                break
            }
        }
        checkTidiness()
        return keys.map { texts[JobID(high: 0, low: $0)] ?? [] }
    }

    private mutating func assign(_ key: UInt64) {
        let job = JobID(high: 0, low: key)
        openJobs.insert(job)
        let count = setting.prompt.count
        schedule(
            .verifier(
                .control(
                    .assignJob(
                        AssignJob(
                            job: job, attempt: 1, speculation: setting.speculation,
                            key: StreamKey(rawValue: key &* 0x9E37_79B9), sampling: setting.sampling,
                            lengthMax: Position(rawValue: count + setting.length),
                            promptLength: Position(rawValue: count), contextTotal: count, contextOffset: 0,
                            context: setting.prompt,
                            offers: offers, helpers: helperOffers, ignoresEnds: setting.ignoresEnds)))),
            in: Int(dice.next() % 400))
    }

    private var offers: [Offer] {
        areDraftersGone ? [] : drafters.indices.map { Offer(address: "\($0)", incarnation: 2) }
    }

    mutating func schedule(_ event: Event, in microseconds: Int) { schedule(event, at: now + microseconds) }

    mutating func schedule(_ event: Event, at time: Instant) {
        eventCount += 1
        // The next event is the last of the array.
        let place = queue.lastIndex { ($0.at, $0.number) > (time, eventCount) }.map { $0 + 1 } ?? 0
        queue.insert((time, eventCount, event), at: place)
    }

    /// A message on its way: links keep the order, and what it says decides nothing about when it comes.
    mutating func send(_ event: Event, on link: Int) {
        let arrival = max(arrivals[link], now + Int(20 + dice.next() % 600))
        arrivals[link] = arrival
        schedule(event, at: arrival)
    }

    private mutating func perform(_ event: Event) {
        switch event {
        case .verifier(let input):
            var effects: [VerifierMachine.Effect] = []
            verifier.step(input, at: now, into: &effects)
            for effect in effects { perform(effect) }
        case .drafter(let number, let input):
            var effects: [DrafterMachine.Effect] = []
            drafters[number].step(input, at: now, into: &effects)
            for effect in effects { perform(effect, of: number) }
        case .helper(let number, let input): step(number, input)
        }
    }

    private mutating func perform(_ effect: VerifierMachine.Effect) {
        switch effect {
        case .toCoordinator(.commit(let commit)):
            commits.append((setting.prompt + texts[commit.job, default: []], commit.tokens))
            texts[commit.job, default: []] += commit.tokens
        case .toCoordinator(.jobEnded(let ended)):
            #expect(ended.reason == .length || ended.reason == .endOfGeneration, "\(ended)")
            statistics.accepted += ended.statistics.accepted
            statistics.drafted += ended.statistics.drafted
            statistics.rounds += ended.statistics.rounds
            statistics.logLikelihood += ended.statistics.logLikelihood
            for (depth, accepted) in ended.statistics.acceptedAt.enumerated() {
                if depth == statistics.acceptedAt.count { statistics.acceptedAt.append(0) }
                statistics.acceptedAt[depth] += accepted
            }
            statistics.tokensScored += ended.statistics.tokensScored
            statistics.judged += ended.statistics.judged
            statistics.verified += ended.statistics.verified
            statistics.shardsSent += ended.statistics.shardsSent
            statistics.shardsUsed += ended.statistics.shardsUsed
            if let best = ended.answers.first {
                texts[ended.job] = best.tokens
                answers[ended.job] = ended.answers
            }
            openJobs.remove(ended.job)
        case .toCoordinator(.jobRecording(let recording)): recordings.append(recording)
        case .toCoordinator(.hire(let hire)):
            guard setting.faultPercent > 0 || areDraftersGone else {
                Issue.record("a drafter was lost")
                return
            }
            let found = Offers(job: hire.job, attempt: hire.attempt, offers: offers)
            schedule(.verifier(.control(.offers(found))), in: 200)
        case .toCoordinator: break
        case .dial(let address) where address.hasPrefix("h"):
            let number = Int(address.dropFirst()) ?? 0
            schedule(.helper(number, .hostOpened(Self.link)), in: 1)
            schedule(.verifier(.dialed(address: address)), in: 2)
        case .toDrafter(let address, let message) where address.hasPrefix("h"):
            let number = Int(address.dropFirst()) ?? 0
            helpers[number].note(message)
            send(.helper(number, .host(Self.link, message)), on: 2 * drafters.count + number)
        case .dial(let address):
            let number = Int(address) ?? 0
            schedule(.drafter(number, .opened(Self.link)), in: 1)
            schedule(.verifier(.dialed(address: address)), in: 2)
        case .toDrafter(let address, let message):
            if case .rowRequest = message { rowsFetched += 1 }
            send(.drafter(Int(address) ?? 0, .received(Self.link, message)), on: Int(address) ?? 0)
        case .closeDrafter(_, let goodbye), .closeCoordinator(let goodbye), .closeHost(_, let goodbye):
            Issue.record("\(goodbye.detail)")
        case .toHost(_, let message): Issue.record("to another verifier: \(message)")
        case .wake(let instant): schedule(.verifier(.tick), at: max(instant, now))
        case .evaluate(let pass):
            adoptions += pass.adoptions.count
            rowsAtHome += pass.nodes.count { $0.score != nil }
            if let scores = evaluate(pass, &target, verifier.cachedTexts) {
                let end = now + Int(100 + dice.next() % 1_500)
                schedule(.verifier(.passed(.done(scores, started: now, ended: end))), at: end)
            }
        }
    }

    private mutating func perform(_ effect: DrafterMachine.Effect, of number: Int) {
        switch effect {
        case .send(_, let message):
            drafterMessages += 1
            guard !areDraftersGone else {
                guard drafterMessages == setting.drafterMessages + 1 else { break }
                for other in drafters.indices {
                    send(.verifier(.drafterLost(address: "\(other)")), on: drafters.count + other)
                    schedule(.drafter(other, .closed(Self.link)), in: 1)
                }
                break
            }
            let sent = setting.isIllegal ? dropImprobable(message) : message
            send(.verifier(.data(address: "\(number)", sent)), on: drafters.count + number)
        case .close(_, let goodbye): Issue.record("\(goodbye.detail)")
        case .evaluate(let pass):
            let end = now + Int(20 + dice.next() % 300)
            if let outcome = draft(pass, number, until: end) { schedule(.drafter(number, .passed(outcome)), at: end) }
        }
    }

    private mutating func draft(_ pass: EnginePass, _ number: Int, until end: Instant) -> PassOutcome? {
        guard let bridge = setting.bridge else {
            return evaluate(pass, &draftEngines[number], drafters[number].cachedTexts).map {
                .done($0, started: now, ended: end)
            }
        }
        do throws(EngineError) {
            let scores = try bridgedEngines[number].run(pass)
            bridge.audit(bridgedEngines[number], drafters[number].cachedTexts)
            return .done(scores, started: now, ended: end)
        } catch {
            if setting.faultPercent == 0 || error.code == .invalidPass { Issue.record("\(error.message)") }
            return error.code == .cacheFull ? .cacheFull : .failed(error.message)
        }
    }

    func evaluate(
        _ pass: EnginePass, _ engine: inout ReferenceEngine, _ beliefs: [CachedText]
    ) -> [Score]? {
        do throws(EngineError) {
            let scores = try engine.run(pass)
            for belief in beliefs {
                let cached = engine.cached(belief.sequence)
                #expect(cached.starts(with: belief.tokens) && cached.count == belief.filled)
            }
            return scores
        } catch {
            Issue.record("\(error.message)")
            return nil
        }
    }

    /// Once the last messages have come, nothing is left of any job.
    private mutating func checkTidiness() {
        while let next = queue.popLast() {
            now = next.at
            perform(next.event)
        }
        #expect(verifier.jobCount == 0 && verifier.freeSequenceCount == 2)
        for helper in helpers where !helper.isGone { #expect(helper.machine.freeSequenceCount == helper.sequences) }
        for drafter in drafters {
            #expect(drafter.streamCount == 0 && drafter.freeSequenceCount == 2 + setting.branches)
        }
    }
}
