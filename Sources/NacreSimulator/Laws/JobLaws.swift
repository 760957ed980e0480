import NacreCore
import NacreEngine
import NacreProtocol

/// What clients may expect of their jobs, checked at every change.
struct JobLaws {
    typealias Breach = (law: Violation.Law, detail: String)

    private struct Case {
        let job: Scenario.Job
        let oracle: Oracle
        /// Of a job of method beam.
        let beams: [[TokenID]]?
        var tokens: [TokenID] = []
        var text: [UInt8] = []
        var outcome: JobOutcome?
        /// It has no text that it must have, token for token, as it goes on.
        var isLossy: Bool { !job.specification.speculation.method.keepsText }
        /// The client cancelled while nothing was decided.
        var mustBeCancelled = false
        var mayBeCancelled = false
    }

    private var cases: [Case]
    private let healed: Instant
    private let isCalm: Bool

    init(_ scenario: Scenario, target: TabularModel) {
        healed = scenario.healed
        isCalm = scenario.isCalm
        let contextMax = scenario.verifiers[0].node.contextMax
        cases = scenario.jobs.map {
            Case(
                job: $0, oracle: Oracle($0.specification, model: target, contextMax: contextMax),
                beams: beamOracle($0.specification, model: target, contextMax: contextMax))
        }
    }

    var areAllOver: Bool { cases.allSatisfy { $0.outcome != nil } }

    func openJobs() -> String {
        cases.filter { $0.outcome == nil }
            .map {
                "\($0.job.id) (\($0.job.specification.speculation.method.name), "
                    + "\($0.tokens.count) of \($0.oracle.tokens.count))"
            }
            .joined(separator: ", ")
    }

    /// The client is about to cancel.
    mutating func willCancel(_ record: JobRecord?) {
        guard let record, let index = cases.firstIndex(where: { $0.job.id == record.id }) else { return }
        cases[index].mayBeCancelled = true
        if record.outcome == nil { cases[index].mustBeCancelled = true }
    }

    /// A verifier commits, for whatever attempt.
    func judgeCommit(_ job: JobID, start: Int, tokens: [TokenID]) -> Breach? {
        guard let own = cases.first(where: { $0.job.id == job }) else {
            return (.commitment, "a commit for \(job), which nobody submitted")
        }
        let first = start - own.job.specification.prompt.count
        guard !own.isLossy else { return judgeBudget(own, first, tokens) }
        // A verifier does not know stop strings: it may go on behind them, where the oracle ends.
        let known = own.oracle.tokens.dropFirst(max(0, first)).prefix(tokens.count)
        guard first >= 0, Array(tokens.prefix(known.count)) == Array(known) else {
            return (.commitment, "\(job) commits \(tokens) at \(first); plain decoding gives \(Array(known))")
        }
        return judgeBudget(own, first, tokens)
    }

    private func judgeBudget(_ own: Case, _ first: Int, _ tokens: [TokenID]) -> Breach? {
        guard first >= 0, first + tokens.count <= own.job.specification.tokensMax else {
            return (
                .commitment,
                "\(own.job.id) commits \(tokens) at \(first), past its \(own.job.specification.tokensMax) tokens"
            )
        }
        return nil
    }

    mutating func judge(_ record: JobRecord, at now: Instant) -> Breach? {
        guard let index = cases.firstIndex(where: { $0.job.id == record.id }) else { return nil }
        let tokens = record.output.map(\.token)
        let text = record.output.flatMap(\.text) + record.tail
        let own = cases[index]
        guard tokens.starts(with: own.tokens) else {
            return (.commitment, "\(record.id) took back tokens: \(own.tokens) became \(tokens)")
        }
        guard own.isLossy || own.oracle.tokens.starts(with: tokens) else {
            return (.commitment, "\(record.id) has \(tokens); plain decoding gives \(own.oracle.tokens)")
        }
        guard text.starts(with: own.text), own.isLossy || own.oracle.text.starts(with: text) else {
            return (.text, "\(record.id) shows \(text) after \(own.text); the final text is \(own.oracle.text)")
        }
        cases[index].tokens = tokens
        cases[index].text = text
        guard case .over(let outcome) = record.state else { return nil }
        if let before = own.outcome, before != outcome {
            return (.outcome, "\(record.id) was \(before.name) and is now \(outcome.name)")
        }
        cases[index].outcome = outcome
        return judgeOutcome(outcome, of: record, cases[index], at: now)
    }

    private func judgeOutcome(_ outcome: JobOutcome, of record: JobRecord, _ own: Case, at now: Instant) -> Breach? {
        switch outcome {
        case .failed(let reason):
            if own.mustBeCancelled { return (.outcome, "\(record.id) was cancelled, then failed: \(reason)") }
            guard !isCalm, record.attemptsLost >= Limits.attemptsMax, now < healed + World.noticed else {
                return (.outcome, "\(record.id) failed after \(record.attemptsLost) lost attempts: \(reason)")
            }
        case .cancelled:
            guard own.mayBeCancelled else { return (.outcome, "\(record.id) was cancelled by nobody") }
        case .endOfGeneration, .length, .stopString:
            if own.mustBeCancelled { return (.outcome, "\(record.id) was cancelled, then ended: \(outcome.name)") }
            if own.isLossy { return judgeLossyEnd(outcome, of: record, own) ?? judgeBeams(record, own) }
            guard outcome == own.oracle.outcome, own.tokens == own.oracle.tokens, own.text == own.oracle.text else {
                return (
                    .outcome,
                    "\(record.id) ended (\(outcome.name)) with \(own.tokens), text \(own.text); plain decoding ends "
                        + "(\(own.oracle.outcome.name)) with \(own.oracle.tokens), text \(own.oracle.text)"
                )
            }
        }
        return nil
    }

    /// A lossy job has no text that it must have, but it ends for the reason that it says.
    private func judgeLossyEnd(_ outcome: JobOutcome, of record: JobRecord, _ own: Case) -> Breach? {
        let specification = own.job.specification
        let isFull = own.tokens.count == specification.tokensMax || record.contextLimited
        let hasEnded = own.tokens.last == Language.end && !specification.ignoresEnds
        let isTrue =
            switch outcome {
            case .endOfGeneration: hasEnded
            case .length: isFull && !hasEnded
            case .stopString: !specification.stops.isEmpty
            case .failed, .cancelled: false
            }
        return isTrue ? nil : (.outcome, "\(record.id) ended (\(outcome.name)) with \(own.tokens)")
    }

    /// Beams that nobody drafts for are a function of the seed, whatever went wrong on the way.
    private func judgeBeams(_ record: JobRecord, _ own: Case) -> Breach? {
        let speculation = own.job.specification.speculation
        guard speculation.method.usesBeams else { return nil }
        guard record.answers.first?.answer.tokens == own.tokens, record.answers.count <= speculation.beams.answers
        else {
            return (.outcome, "\(record.id) ended with \(own.tokens), its answers are \(record.answers)")
        }
        guard speculation.method == .beam, let expected = own.beams else { return nil }
        let answers = record.answers.map(\.answer.tokens)
        return answers == expected
            ? nil : (.outcome, "\(record.id) answers \(answers); its beams end with \(expected)")
    }

    func add(to tally: inout Tally) {
        for own in cases {
            tally.jobs += 1
            tally.tokens += own.tokens.count
            let end = own.tokens.firstIndex(of: Language.end)
            tally.beyondEnds += end.map { own.tokens.count - 1 - $0 } ?? 0
            if own.job.specification.speculation.method.usesBeams,
                own.outcome == .endOfGeneration || own.outcome == .length
            {
                tally.beamJobs += 1
            }
            if let outcome = own.outcome { tally.outcomes[outcome.name, default: 0] += 1 }
        }
    }
}
