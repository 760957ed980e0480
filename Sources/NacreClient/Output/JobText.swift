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
        parts.append(job.method)
        parts.append("seed \(job.seed)")
        if job.contextLimited { parts.append("cut at the context's end") }
        if job.state == "cancelled" { parts.append("cancelled") }
        return parts.joined(separator: ", ")
    }

    /// Everything about a job, as names and values; the text is last.
    package static func write(_ job: JobDocument, to terminal: Terminal) throws(NacreError) {
        let statistics = job.statistics
        var rows = [
            ("id", job.id), ("state", job.state), ("outcome", job.outcome ?? "-"), ("error", job.error ?? "-"),
            ("method", job.method), ("seed", "\(job.seed)"), ("prompt_tokens", "\(job.promptTokens)"),
            ("output_tokens", "\(job.outputTokens)"), ("rounds", "\(statistics.rounds)"),
            ("acceptance_rate", Figures.decimal(statistics.acceptanceRate, digits: 3)),
            ("mean_accepted_tokens", Figures.decimal(statistics.meanAcceptedTokens, digits: 2)),
            ("tokens_per_second", Figures.decimal(statistics.tokensPerSecond, digits: 1)),
            ("verifier_busy", Figures.decimal(statistics.verifierBusy, digits: 3)),
            ("gap_microseconds", "\(statistics.gapMicroseconds)"), ("attempts", "\(statistics.attempts)"),
            ("drafters_lost", "\(statistics.draftersLost)"), ("verifiers", job.verifiers.joined(separator: ",")),
        ]
        if let waiting = job.waiting { rows.insert(("waiting", waiting), at: 2) }
        if !terminal.isInteractive { rows.append(("text", job.text)) }
        try write(rows, to: terminal)
        if terminal.isInteractive { try terminal.write("\n\(job.text)\n") }
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
