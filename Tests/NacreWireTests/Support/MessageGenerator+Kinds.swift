import NacreCore
import NacreProtocol
import NacreWire

extension MessageGenerator {
    /// A valid message of type `type`.
    mutating func message(_ type: FrameType) -> Message {
        switch type {
        case .draftOpen: .draftOpen(draftOpen())
        case .draftReady: .draftReady(DraftReady(stream: stream(), microsecondsPerToken: word32()))
        case .draft: .draft(draft())
        case .verdict: .verdict(verdict())
        case .streamPolicy: .streamPolicy(StreamPolicy(stream: stream(), policy: policy()))
        case .draftClose: .draftClose(DraftClose(stream: stream(), reason: choice(CloseReason.self)))
        case .greeting: .greeting(greeting())
        case .rowRequest:
            .rowRequest(RowRequest(stream: stream(), epoch: epoch(), node: number(0...Int(Int32.max))))
        case .draftRow:
            .draftRow(DraftRow(stream: stream(), epoch: epoch(), node: number(0...Int(Int32.max)), row: row()))
        case .scoreOpen: .scoreOpen(scoreOpen())
        case .scoreShard: .scoreShard(scoreShard())
        case .scores: .scores(scores())
        case .scoreClose: .scoreClose(ScoreClose(stream: stream(), reason: choice(CloseReason.self)))
        case .hello: .hello(hello())
        case .welcome: .welcome(welcome())
        case .heartbeat: .heartbeat(heartbeat())
        case .heartbeatAck: .heartbeatAck(HeartbeatAck(number: word64()))
        case .assignJob: .assignJob(assignJob())
        case .jobRefused:
            .jobRefused(JobRefused(job: job(), attempt: attempt(), reason: choice(RefuseReason.self)))
        case .commit: .commit(commit())
        case .jobEnded: .jobEnded(jobEnded())
        case .cancelJob: .cancelJob(CancelJob(job: job(), attempt: attempt()))
        case .hire:
            .hire(
                Hire(
                    job: job(), attempt: attempt(),
                    lost: (0..<number(0...Limits.draftersMax)).map { _ in Incarnation(rawValue: word64()) }))
        case .offers: .offers(Offers(job: job(), attempt: attempt(), offers: offers()))
        case .jobPolicy: .jobPolicy(JobPolicy(job: job(), attempt: attempt(), policy: policy()))
        case .vocabularyChunk: .vocabularyChunk(vocabularyChunk())
        case .tokenize: .tokenize(Tokenize(request: word64(), text: bytes(number(0...2_000))))
        case .tokenized: .tokenized(tokenized())
        case .jobTrace: .jobTrace(jobTrace())
        case .jobRecording: .jobRecording(jobRecording())
        case .goodbye:
            .goodbye(Goodbye(code: choice(GoodbyeCode.self), detail: text(Limits.detailBytesMax)))
        }
    }

    private mutating func jobTrace() -> JobTrace {
        let events = (0..<number(0...50)).map { _ in
            JobTrace.Event(
                choice(JobTrace.Event.Kind.self), lane: number(0...15), start: number(0...Int(Int32.max)),
                duration: number(0...Int(Int32.max)), count: number(0...256))
        }
        return JobTrace(job: job(), attempt: attempt(), events: events)
    }

    private mutating func jobRecording() -> JobRecording {
        let passes = (0..<number(0...4)).map { _ in
            JobRecording.Pass(nodes: number(1...DecisionTrace.nodesMax), microseconds: Float(number(1...1_000_000)))
        }
        let positions = (0..<number(0...50)).map { _ in
            JobRecording.Position(choice(JobRecording.Agreement.self), delay: word32(), measure: measure())
        }
        return JobRecording(
            job: job(), attempt: attempt(), passes: passes, draftMicroseconds: Float(number(0...100_000)),
            roundTripMicroseconds: Float(number(0...100_000)), positions: positions)
    }

    mutating func measure() -> DraftMeasure {
        let shares = (0..<4).map { _ in Float(number(-1...1_000)) / 1_000 }
        func value(_ place: Int, _ most: Float) -> Float { shares[place] < 0 ? -1 : most * shares[place] }
        return DraftMeasure(
            entropy: value(0, 12), top: value(1, 1), margin: value(2, 30), probability: value(3, 1))
    }

    mutating func stream() -> StreamID { StreamID(rawValue: word32()) }

    mutating func epoch() -> Epoch { Epoch(rawValue: word32()) }

    private mutating func draftOpen() -> DraftOpen {
        let context = context()
        var open = DraftOpen(
            stream: stream(), job: job(), attempt: attempt(), epoch: epoch(), key: StreamKey(rawValue: word64()),
            sampling: sampling(), promptLength: context.prompt, positionLimit: position(),
            rule: choice(VerifyRuleKind.self), shape: shape(), branches: number(0...Limits.branchesMax),
            payload: choice(PayloadKind.self), siblings: siblings(), merge: number(0...Limits.mergeMax),
            policy: policy(), isMeasured: word32() % 2 == 0, nodesMax: number(0...Limits.treeNodesMax),
            contextTotal: context.total, contextOffset: context.offset, context: context.tokens)
        open.ignoresEnds = word32() % 2 == 0
        return open
    }

    /// A default, or one with a parameter.
    mutating func policy() -> PolicySpecification {
        let name = PolicySpecification.Name.allCases[number(0...PolicySpecification.Name.allCases.count - 1)]
        let most = number(1...64)
        let given = try? PolicySpecification(parsing: "\(name.rawValue):max=\(most)")
        return word32() % 2 == 0 ? PolicySpecification(name) : given ?? PolicySpecification(name)
    }

    mutating func siblings() -> SiblingDraw { word32() % 2 == 0 ? .withoutReplacement : .independent }

    private mutating func verdict() -> Verdict {
        let tokens = tokens(number(0...(Limits.windowPositionsMax + 1)))
        if next() % 6 == 0 {
            var verdict = Verdict(
                stream: stream(), nextEpoch: epoch(), tokens: [], committed: position(), positionLimit: position())
            verdict.beams = beamSteps()
            return verdict
        }
        return Verdict(
            stream: stream(), nextEpoch: epoch(), tokens: tokens, committed: position(tokens.count...Int(Int32.max)),
            positionLimit: position(), nodesMax: number(0...Limits.treeNodesMax))
    }

    private mutating func greeting() -> Greeting {
        let wireMin = max(1, word32())
        return Greeting(
            wireMin: wireMin, wireMax: max(wireMin, word32()), node: name(), role: choice(Role.self),
            incarnation: Incarnation(rawValue: word64()), vocabularyDigest: word64(),
            modelDigest: word64())
    }

    private mutating func place() -> ComputePlace {
        guard next() % 4 > 0 else { return .unknown }
        return ComputePlace(
            host: word64(), cores: (0..<number(0...64)).map { _ in number(0...8_191) }, threads: number(0...512))
    }

    private mutating func hello() -> Hello {
        let wireMin = max(1, word32())
        return Hello(
            node: name(), incarnation: Incarnation(rawValue: word64()), role: choice(Role.self), wireMin: wireMin,
            wireMax: max(wireMin, word32()), modelDigest: word64(), vocabularyDigest: word64(), dataAddress: text(),
            capacity: Capacity(
                sequences: number(0...Int(Int32.max)), context: number(0...Int(Int32.max)),
                nodesMax: number(0...Int(Int32.max)), shards: number(1...Limits.shardsMax)),
            modelName: text(), engineVersion: text(), cores: text(), place: place(),
            passTimes: (0..<number(0...Limits.passTimesMax)).map { _ in
                PassTime(
                    shards: number(0...Limits.shardsMax), nodes: number(0...Int(Int32.max)), microseconds: word32())
            }, isExact: next() % 2 == 0, disturbance: text(), bridge: choice(BridgeKind.self))
    }

    private mutating func welcome() -> Welcome {
        let heartbeat = max(1, word32())
        return Welcome(
            generation: Generation(rawValue: word64()), wire: word32(), heartbeatMilliseconds: heartbeat,
            leaseMilliseconds: max(heartbeat, word32()), wantsVocabulary: next() % 2 == 0)
    }

    private mutating func heartbeat() -> Heartbeat {
        var clock = NodeClock()
        (clock.passing, clock.waiting) = (word64(), word64())
        return Heartbeat(
            number: word64(),
            load: Load(
                jobs: number(0...Int(Int32.max)), busy: Float(number(0...100)) / 100, stepMicroseconds: word32(),
                roundTripMicroseconds: word32(), clock: clock,
                pairs: (0..<number(0...Limits.pairsMax)).map { _ in pairReport() }))
    }

    private mutating func pairReport() -> PairReport {
        var counts = PairCounts()
        (counts.tokens, counts.rounds, counts.verified, counts.drafted) = (word64(), word64(), word64(), word64())
        (counts.draftMicroseconds, counts.overlapMicroseconds) = (word64(), word64())
        let positions = number(0...JobStatistics.positionsMax)
        counts.judgedAt = (0..<positions).map { _ in word64() }
        counts.acceptedAt = counts.judgedAt.map { min($0, word64()) }
        return PairReport(
            draftModel: word64(), method: DecodingMethod.allCases[number(0...DecodingMethod.allCases.count - 1)],
            policy: text(), tree: text(), state: DraftingState.allCases[number(0...DraftingState.allCases.count - 1)],
            reason: text(), ratio: Float(number(0...300)) / 100, milliseconds: word32(),
            jobs: number(0...Int(Int32.max)), tokensPerSecond: Float(number(0...10_000)) / 8, counts: counts)
    }

    private mutating func assignJob() -> AssignJob {
        let context = context()
        let sampling = sampling()
        var assignment = AssignJob(
            job: job(), attempt: attempt(), speculation: speculation(under: sampling),
            key: StreamKey(rawValue: word64()), sampling: sampling,
            lengthMax: position(context.total...(Limits.promptTokensMax + Limits.outputTokensMax)),
            promptLength: context.prompt, contextTotal: context.total, contextOffset: context.offset,
            context: context.tokens, offers: offers(), helpers: offers())
        assignment.ignoresEnds = word32() % 2 == 0 && !assignment.speculation.method.usesBeams
        return assignment
    }

    private mutating func commit() -> Commit {
        let tokens = tokens(number(0...300))
        return Commit(
            job: job(), attempt: attempt(), start: position(0...(Int(Int32.max) - tokens.count)), tokens: tokens,
            margins: tokens.map { _ in margin() })
    }

    private mutating func jobEnded() -> JobEnded {
        var statistics = JobStatistics()
        statistics.rounds = word64()
        statistics.drafted = word64()
        statistics.judged = word64()
        statistics.accepted = word64()
        statistics.passMicroseconds = word64()
        statistics.elapsedMicroseconds = word64()
        statistics.gapMicroseconds = word64()
        statistics.draftersLost = word64()
        statistics.stale = word64()
        statistics.verified = word64()
        statistics.standing = word64()
        statistics.outcomes = word64()
        statistics.outcomesPrepared = word64()
        let positions = number(0...JobStatistics.positionsMax)
        statistics.judgedAt = (0..<positions).map { _ in word64() }
        statistics.acceptedAt = (0..<positions).map { _ in word64() }
        statistics.queueMicroseconds = word64()
        statistics.draftMicroseconds = word64()
        statistics.wireMicroseconds = word64()
        statistics.shardsSent = word64()
        statistics.shardsUsed = word64()
        statistics.logLikelihood = -Double(number(0...1_000_000)) / 64
        statistics.tokensScored = word64()
        var ended = JobEnded(
            job: job(), attempt: attempt(), length: position(), reason: choice(EndReason.self),
            detail: text(Limits.detailBytesMax), statistics: statistics)
        if next() % 3 == 0 { ended.answers = beamAnswers() }
        return ended
    }

    private mutating func vocabularyChunk() -> VocabularyChunk {
        let entries = (0..<number(0...200)).map { _ in
            VocabularyChunk.Entry(
                piece: bytes(number(0...20)), endsGeneration: next() % 2 == 0, isControl: next() % 2 == 0)
        }
        let total = number(entries.count...Limits.vocabularyEntriesMax)
        return VocabularyChunk(
            digest: word64(), total: total, first: number(0...(total - entries.count)), entries: entries)
    }

    private mutating func tokenized() -> Tokenized {
        if next() % 2 == 0 { return Tokenized(request: word64(), tokens: tokens(number(0...2_000)), error: "") }
        return Tokenized(request: word64(), tokens: [], error: text(Limits.detailBytesMax))
    }
}
