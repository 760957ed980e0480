package import NacreAPI
import NacreCore
package import NacreProtocol

// The machine's records as the API's documents.
extension JobDocument {
    package init(_ record: JobRecord) {
        let outcome = record.outcome
        var failure: String?
        if case .failed(let reason) = outcome { failure = reason }
        let text = record.output.reduce(into: [UInt8]()) { $0 += $1.text } + record.tail
        self.init(
            id: record.id.description, state: JobSummary.state(of: record), outcome: outcome?.name, error: failure,
            method: record.specification.method.name, seed: record.specification.seed,
            promptTokens: record.promptTokens.count, outputTokens: record.output.count,
            text: String(decoding: text, as: UTF8.self), tokens: record.output.map(\.token.rawValue),
            verifiers: record.verifiers, contextLimited: record.contextLimited && outcome == .length,
            statistics: StatisticsDocument(record))
        if case .queued = record.state, let setback = record.setback {
            waiting = "\(setback); it goes on when a verifier of the same weights is there"
        }
    }
}

extension JobSummary {
    package init(_ record: JobRecord) {
        self.init(
            id: record.id.description, state: JobSummary.state(of: record), method: record.specification.method.name,
            promptTokens: record.promptTokens.count, outputTokens: record.output.count)
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
        let statistics = record.statistics
        let tokens = Double(record.output.count)
        let elapsed = Double(statistics.elapsedMicroseconds) / 1e6
        func milliseconds(to instant: Instant?) -> Double? {
            instant.map { Double($0 - record.submitted) / 1e3 }
        }
        self.init(
            rounds: Int(statistics.rounds), drafted: Int(statistics.drafted), judged: Int(statistics.judged),
            accepted: Int(statistics.accepted),
            acceptanceRate: statistics.judged == 0
                ? nil : Double(statistics.accepted) / Double(statistics.judged),
            meanAcceptedTokens: statistics.rounds == 0 ? 0 : max(0, tokens / Double(statistics.rounds) - 1),
            tokensPerSecond: elapsed > 0 ? tokens / elapsed : nil,
            verifierBusy: elapsed > 0 ? Double(statistics.passMicroseconds) / 1e6 / elapsed : nil,
            gapMicroseconds: Int(statistics.gapMicroseconds), draftersLost: Int(statistics.draftersLost),
            firstTokenMilliseconds: milliseconds(to: record.firstToken),
            totalMilliseconds: milliseconds(to: record.ended), attempts: Int(record.attempts.rawValue))
    }
}

extension NodeDocument {
    package init(_ node: NodeRecord, problem: String?) {
        self.init(
            name: node.hello.node, role: node.isVerifier ? "verifier" : "drafter",
            address: node.hello.dataAddress.isEmpty ? nil : node.hello.dataAddress, model: node.hello.modelName,
            modelDigest: node.hello.modelDigest.hexadecimal,
            vocabularyDigest: node.hello.vocabularyDigest.hexadecimal, engine: node.hello.engineVersion,
            cores: node.hello.cores, slots: node.hello.capacity.sequences, context: node.hello.capacity.context,
            jobs: node.load.jobs, busy: Double(node.load.busy), stepMicroseconds: Int(node.load.stepMicroseconds),
            problem: problem)
    }
}
