import Foundation
package import NacreAPI
import NacreCore
package import NacreProtocol

// The machine's records as the API's documents.
extension JobDocument {
    package init(_ record: JobRecord) {
        let outcome = record.outcome
        var failure: String?
        if case .failed(let reason) = outcome { failure = reason }
        let speculation = record.specification.speculation
        let text = record.output.reduce(into: [UInt8]()) { $0 += $1.text } + record.tail
        self.init(
            id: record.id.description, state: JobSummary.state(of: record), outcome: outcome?.name, error: failure,
            method: speculation.method.name, rule: Self.rule(of: speculation),
            tree: speculation.shape.description,
            branches: speculation.branches, drafters: speculation.drafters, helpers: speculation.helpers,
            seed: record.specification.seed, promptTokens: record.promptTokens.count, outputTokens: record.output.count,
            text: String(decoding: text, as: UTF8.self), tokens: record.output.map(\.token.rawValue),
            verifiers: record.verifiers, exact: record.isExact,
            contextLimited: record.contextLimited && outcome == .length,
            statistics: StatisticsDocument(record))
        candidates = speculation.method == .dsbd ? "independent" : speculation.siblings.name
        merge = speculation.merge
        lossy = speculation.isLossy
        if speculation.method.isLossy { tau = speculation.tau }
        if speculation.method.usesBeams { describeBeams(speculation, record.answers) }
        draftModels = record.draftModels.sorted()
        sharesCores = record.sharesCores
        pairing = record.pairing
        policy = record.policyName
        policySetBy =
            speculation.method.keepsText ? record.policy.setBy + (record.policy.isAuto ? " (auto)" : "") : "the method"
        if case .queued = record.state, let setback = record.setback {
            waiting = "\(setback); it goes on when a verifier of the same weights is there"
        }
    }
}

extension JobDocument {
    private static func rule(of speculation: Speculation) -> String {
        if speculation.method.isLossy { return "lossy-joint" }
        return speculation.method.usesBeams ? "beams" : speculation.rule.name
    }

    private mutating func describeBeams(_ speculation: Speculation, _ found: [JobAnswer]) {
        beams = speculation.beams.width
        if case .forest(let draws) = speculation.shape { draftBeams = draws }
        widthThreshold = speculation.beams.dynamic?.threshold
        minBeams = speculation.beams.dynamic?.widthMin
        keepOne = speculation.beams.survivor?.name
        guard !found.isEmpty else { return }
        answers = found.map {
            AnswerDocument(
                text: String(decoding: $0.text, as: UTF8.self), tokens: $0.answer.tokens.map(\.rawValue),
                logLikelihood: $0.answer.logLikelihood, ended: $0.answer.hasEnded, copies: $0.answer.copies)
        }
    }
}

extension JobRecord {
    /// The draft-length policy in force; methods whose beams are what they are have none.
    fileprivate var policyName: String {
        specification.speculation.method.keepsText ? policy.policy.description : "none"
    }
}

extension JobSummary {
    package init(_ record: JobRecord) {
        self.init(
            id: record.id.description, state: JobSummary.state(of: record),
            method: record.specification.speculation.method.name,
            promptTokens: record.promptTokens.count, outputTokens: record.output.count)
        policy = record.policyName
        tree = record.specification.speculation.shape.description
        targetModel = record.modelName.isEmpty ? nil : Hello.fileName(of: record.modelName)
        draftModels = record.draftModels.map(Hello.fileName(of:)).sorted()
        if case .running = record.state { verifier = record.verifiers.last }
    }

    static func state(of record: JobRecord) -> String {
        switch record.state {
        case .queued, .tokenizing: "queued"
        case .running, .ending: "running"
        case .over(.failed): "failed"
        case .over(.cancelled): "cancelled"
        case .over(.endOfGeneration), .over(.length), .over(.stopString): "done"
        }
    }
}

extension StatisticsDocument {
    package init(_ record: JobRecord) {
        self.init()
        let statistics = record.statistics
        count(statistics)
        let (tokens, passes) = (Double(record.output.count), Double(statistics.rounds))
        func ratio(_ part: UInt64, _ whole: UInt64) -> Double? { whole == 0 ? nil : Double(part) / Double(whole) }
        acceptanceRate = ratio(statistics.accepted, statistics.judged)
        acceptanceByPosition = zip(statistics.acceptedAt, statistics.judgedAt).map { ratio($0, $1) }
        meanAcceptedTokens = passes == 0 ? 0 : max(0, tokens / passes - 1)
        meanDraftsInFlight = passes == 0 ? 0 : Double(statistics.standing) / passes
        outcomesPredicted = ratio(statistics.outcomesPrepared, statistics.outcomes)
        if statistics.tokensScored > 0 {
            let mean = statistics.logLikelihood / Double(statistics.tokensScored)
            (meanLogLikelihood, perplexity) = (mean, Foundation.exp(-mean))
        }
        let elapsed = statistics.elapsedMicroseconds
        tokensPerSecond = elapsed > 0 ? tokens / (Double(elapsed) / 1e6) : nil
        verifierBusy = ratio(statistics.passMicroseconds, elapsed)
        drafterBusy = ratio(statistics.draftMicroseconds, elapsed)
        func milliseconds(to instant: Instant?) -> Double? {
            instant.map { Double($0 - record.submitted) / 1e3 }
        }
        firstTokenMilliseconds = milliseconds(to: record.firstToken)
        totalMilliseconds = milliseconds(to: record.ended)
        attempts = Int(record.attempts.rawValue)
    }

    /// What is only counted. Verifiers report 64 bits, whatever they hold.
    private mutating func count(_ statistics: JobStatistics) {
        rounds = Int(clamping: statistics.rounds)
        drafted = Int(clamping: statistics.drafted)
        verified = Int(clamping: statistics.verified)
        judged = Int(clamping: statistics.judged)
        accepted = Int(clamping: statistics.accepted)
        judgedAt = statistics.judgedAt.map { Int(clamping: $0) }
        acceptedAt = statistics.acceptedAt.map { Int(clamping: $0) }
        stale = Int(clamping: statistics.stale)
        wasted = max(0, drafted - accepted)
        gapMicroseconds = Int(clamping: statistics.gapMicroseconds)
        queueMicroseconds = Int(clamping: statistics.queueMicroseconds)
        draftMicroseconds = Int(clamping: statistics.draftMicroseconds)
        wireMicroseconds = Int(clamping: statistics.wireMicroseconds)
        shardsSent = Int(clamping: statistics.shardsSent)
        shardsUsed = Int(clamping: statistics.shardsUsed)
        draftersLost = Int(clamping: statistics.draftersLost)
    }
}

extension NodeDocument {
    package init(_ node: NodeRecord, problem: String?) {
        self.init(
            name: node.hello.node, role: node.isVerifier ? "verifier" : "drafter",
            address: node.hello.dataAddress.isEmpty ? nil : node.hello.dataAddress, model: node.hello.modelName,
            modelDigest: node.hello.modelDigest.hexadecimal,
            vocabularyDigest: node.hello.vocabularyDigest.hexadecimal, engine: node.hello.engineVersion,
            cores: node.hello.cores, shards: node.hello.capacity.shards,
            passTimes: node.hello.passTimes.map {
                PassTimeDocument(shards: $0.shards, nodes: $0.nodes, microseconds: Int($0.microseconds))
            },
            disturbance: node.hello.disturbance.isEmpty ? nil : node.hello.disturbance,
            exact: node.isVerifier ? node.hello.isExact : nil, slots: node.hello.capacity.sequences,
            context: node.hello.capacity.context,
            jobs: node.load.jobs, busy: Double(node.load.busy), stepMicroseconds: Int(node.load.stepMicroseconds),
            problem: problem)
        let way = Int(node.load.roundTripMicroseconds)
        roundTripMicroseconds = way > 0 ? way : nil
        bridge = node.hello.bridge == .none ? nil : node.hello.bridge.rawValue
        passingMicroseconds = Int(clamping: node.load.clock.passing)
        waitingMicroseconds = Int(clamping: node.load.clock.waiting)
    }
}
