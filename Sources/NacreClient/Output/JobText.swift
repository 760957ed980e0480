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
        if job.rule != "coupled", !job.lossy { parts.append(job.rule) }
        if job.tree != "chain" { parts.append("tree \(job.tree)") }
        if job.lossy { parts.append("LOSSY with τ \(Figures.short(job.tau))") }
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
        if !terminal.isInteractive { rows.append(("text", job.text)) }
        try write(rows, to: terminal)
        if terminal.isInteractive { try terminal.write("\n\(job.text)\n") }
    }

    /// What was asked for and what became of it, as names and values; of the rarer settings only what is no default.
    package static func settings(of job: JobDocument) -> [(String, String)] {
        var rows: [(String, String)] = [
            ("id", job.id), ("state", job.state), ("outcome", job.outcome ?? "-"), ("error", job.error ?? "-"),
            ("method", job.method), ("rule", job.rule), ("tree", job.tree), ("branches", "\(job.branches)"),
            ("drafters", "\(job.drafters)"), ("helpers", "\(job.helpers)"),
        ]
        if job.lossy { rows.append(("lossy", "yes, tau \(Figures.short(job.tau))")) }
        if job.candidates != "distinct" { rows.append(("candidates", job.candidates)) }
        if job.merge > 0 { rows.append(("merge", "\(job.merge)")) }
        if job.sharesCores { rows.append(("cores", "shared: drafter and verifier take turns")) }
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
