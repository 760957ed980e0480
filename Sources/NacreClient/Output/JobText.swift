package import NacreAPI
package import NacreNode

/// Jobs in words.
package enum JobText {
    /// One line about a finished job: "83 tokens at 41.2/s, 71 % of drafts accepted (2.4 per verify), stream, seed 9".
    package static func summary(of job: JobDocument) -> String {
        let statistics = job.statistics
        var parts = ["\(job.outputTokens) tokens"]
        if let speed = statistics.tokensPerSecond { parts[0] += " at \(Figures.decimal(speed, digits: 1))/s" }
        if let rate = statistics.acceptanceRate {
            let mean = Figures.decimal(statistics.meanAcceptedTokens, digits: 1)
            parts.append("\(Figures.percent(rate)) of draft tokens accepted (\(mean) per verify)")
        }
        parts.append(job.sharesCores ? "\(job.method) (in turns)" : job.method)
        if job.rule != "coupled", !job.lossy, job.beams == nil { parts.append(job.rule) }
        if job.tree != "chain", job.beams == nil { parts.append("tree \(job.tree)") }
        parts += beams(of: job)
        if job.lossy { parts.append(job.tau == nil ? "LOSSY" : "LOSSY with τ \(Figures.short(job.tau))") }
        if let perplexity = statistics.perplexity {
            parts.append("perplexity \(Figures.decimal(perplexity, digits: 2))")
        }
        parts.append("seed \(job.seed)")
        if !job.exact { parts.append("inexact rounding") }
        if job.contextLimited { parts.append("cut at the context's end") }
        if job.state == "cancelled" { parts.append("cancelled") }
        return parts.joined(separator: ", ")
    }

    /// Everything about a job, as names and values; the text is last.
    package static func write(_ job: JobDocument, to terminal: Terminal) throws(NacreError) {
        var rows = settings(of: job) + figures(of: job.statistics)
        rows.append(("verifiers", job.verifiers.joined(separator: ",")))
        rows.append(("rounding", job.exact ? "exact" : "inexact"))
        if let waiting = job.waiting { rows.insert(("waiting", waiting), at: 2) }
        if !terminal.isInteractive {
            rows.append(("text", job.text))
            for (place, answer) in (job.answers ?? []).enumerated() {
                rows.append(("answer_\(place + 1)", "\(likelihood(of: answer)) \(answer.text)"))
            }
        }
        try write(rows, to: terminal)
        guard terminal.isInteractive else { return }
        try terminal.write("\n\(job.text)\n")
        for text in otherAnswers(of: job) { try terminal.write(text + "\n") }
    }

    private static func likelihood(of answer: AnswerDocument) -> String {
        "ln p \(Figures.decimal(answer.meanLogLikelihood, digits: 3)) per token"
    }

    /// The texts of a job with beams behind the best one, each under a line that says how likely it is.
    package static func otherAnswers(of job: JobDocument) -> [String] {
        (job.answers ?? []).enumerated().dropFirst().map { place, answer in
            "--- \(place + 1): \(likelihood(of: answer))\n" + answer.text
        }
    }

    /// Writes them behind the best one, each on a line of its own.
    ///
    /// - Parameter endsLine: whether what was written before ends its line; whether what was written last does, then.
    package static func writeOtherAnswers(
        of job: JobDocument, to terminal: Terminal, _ endsLine: inout Bool
    ) throws(NacreError) {
        for text in otherAnswers(of: job) {
            if !endsLine { try terminal.write("\n") }
            try terminal.write(text)
            endsLine = text.hasSuffix("\n")
        }
    }

    private static func beams(of job: JobDocument) -> [String] {
        guard let beams = job.beams else { return [] }
        let width = job.widthThreshold.map { "width by threshold \(Figures.short($0))" } ?? "\(beams) beams"
        return [width] + (job.draftBeams.map { ["\($0) draws a layer"] } ?? [])
    }

    /// What was asked for and what became of it, as names and values; of the rarer settings only what is no default.
    package static func settings(of job: JobDocument) -> [(String, String)] {
        var rows: [(String, String)] = [
            ("id", job.id), ("state", job.state), ("outcome", job.outcome ?? "-"), ("error", job.error ?? "-"),
            ("method", job.method), ("rule", job.rule), ("tree", job.tree), ("branches", "\(job.branches)"),
            ("drafters", "\(job.drafters)"), ("helpers", "\(job.helpers)"),
        ]
        if job.lossy { rows.append(("lossy", job.tau == nil ? "yes" : "yes, tau \(Figures.short(job.tau))")) }
        if let beams = job.beams { rows.append(("beams", "\(beams)")) }
        if let draws = job.draftBeams { rows.append(("draft_beams", "\(draws)")) }
        if let threshold = job.widthThreshold {
            rows.append(("width", "threshold \(Figures.short(threshold)), at least \(job.minBeams ?? 1)"))
        }
        if let kept = job.keepOne { rows.append(("keep_one", kept)) }
        if job.candidates != "distinct" { rows.append(("candidates", job.candidates)) }
        if job.merge > 0 { rows.append(("merge", "\(job.merge)")) }
        if job.sharesCores { rows.append(("cores", "shared: drafter and verifier take turns")) }
        if let pairing = job.pairing { rows.append(("pairing", pairing)) }
        if !job.draftModels.isEmpty { rows.append(("draft_models", job.draftModels.joined(separator: ","))) }
        rows += [
            ("seed", "\(job.seed)"), ("prompt_tokens", "\(job.promptTokens)"), ("output_tokens", "\(job.outputTokens)"),
        ]
        return rows
    }

    private static func figures(of statistics: StatisticsDocument) -> [(String, String)] {
        let positions = statistics.acceptanceByPosition.map { Figures.decimal($0, digits: 2) }
        return [
            ("rounds", "\(statistics.rounds)"), ("drafted", "\(statistics.drafted)"),
            ("verified", "\(statistics.verified)"), ("wasted", "\(statistics.wasted)"),
            ("stale", "\(statistics.stale)"),
            ("acceptance_rate", Figures.decimal(statistics.acceptanceRate, digits: 3)),
            ("acceptance_by_position", positions.isEmpty ? "-" : positions.joined(separator: " ")),
            ("mean_accepted_tokens", Figures.decimal(statistics.meanAcceptedTokens, digits: 2)),
            ("mean_drafts_in_flight", Figures.decimal(statistics.meanDraftsInFlight, digits: 2)),
            ("outcomes_predicted", Figures.decimal(statistics.outcomesPredicted, digits: 3)),
            ("tokens_per_second", Figures.decimal(statistics.tokensPerSecond, digits: 1)),
            ("verifier_busy", Figures.decimal(statistics.verifierBusy, digits: 3)),
            ("drafter_busy", Figures.decimal(statistics.drafterBusy, digits: 3)),
            ("gap_microseconds", "\(statistics.gapMicroseconds)"),
            ("queue_microseconds", "\(statistics.queueMicroseconds)"),
            ("wire_microseconds", "\(statistics.wireMicroseconds)"),
            ("shards_sent", "\(statistics.shardsSent)"), ("shards_used", "\(statistics.shardsUsed)"),
            ("perplexity", Figures.decimal(statistics.perplexity, digits: 3)),
            ("attempts", "\(statistics.attempts)"), ("drafters_lost", "\(statistics.draftersLost)"),
        ]
    }

    /// Names and values, one pair a line.
    package static func write(_ rows: [(String, String)], to terminal: Terminal) throws(NacreError) {
        let width = rows.map(\.0.count).max() ?? 0
        for (name, value) in rows {
            let gap = terminal.isInteractive ? String(repeating: " ", count: width - name.count + 2) : "\t"
            try terminal.line(name + gap + Table.escaped(value))
        }
    }
}
