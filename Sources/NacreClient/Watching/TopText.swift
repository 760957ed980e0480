import NacreAPI

/// `TopDocument` as text.
package enum TopText {
    /// Lines for a person: `width` columns, at most `height` lines.
    package static func lines(
        _ top: TopDocument, of address: String, width: Int, height: Int
    ) -> [(text: String, isBold: Bool)] {
        var lines: [(text: String, isBold: Bool)] = [(headline(top, address), true)]
        for warning in warnings(top) { lines.append(("! " + warning, true)) }
        for table in [pairs(top), nodes(top), jobs(top)] where !table.rows.isEmpty {
            lines.append(("", false))
            lines += folded(table, width: width)
        }
        if lines.count > height { lines = lines.prefix(max(1, height - 1)) + [("...", false)] }
        return lines.map { (String($0.text.prefix(width)), $0.isBold) }
    }

    /// A table as wide as the screen: columns at its end that have no room follow below their row, with their names.
    static func folded(_ table: Table, width: Int) -> [(text: String, isBold: Bool)] {
        var shown = table.columns.count
        while shown > 1, table.aligned(columns: shown).contains(where: { $0.count > width }) { shown -= 1 }
        return table.aligned(columns: shown).enumerated().flatMap { index, line in
            guard index > 0, shown < table.columns.count else { return [(line, index == 0)] }
            let rest = zip(table.columns, table.rows[index - 1]).dropFirst(shown).map { "\($0) \(Table.escaped($1))" }
            return [(line, false)] + wrapped(rest, width: width).map { ($0, false) }
        }
    }

    /// Parts on indented lines of `width` columns, broken between words.
    private static func wrapped(_ parts: [String], width: Int) -> [String] {
        var lines: [String] = []
        for word in parts.joined(separator: "; ").split(separator: " ") {
            if let last = lines.last, last.count + 1 + word.count <= width {
                lines[lines.count - 1] += " " + word
            } else {
                lines.append("    " + word)
            }
        }
        return lines
    }

    /// Rows for a program, each with its kind in front.
    package static func rows(_ top: TopDocument) -> [[String]] {
        [pairs(top), nodes(top), jobs(top)].enumerated().flatMap { place, table in
            table.rows.map { [["pair", "node", "job"][place]] + $0 }
        } + warnings(top).map { ["warning", $0] }
    }

    static func headline(_ top: TopDocument, _ address: String) -> String {
        [
            "nacre top", address, top.ready ? "ready" : "not ready",
            "up \(Figures.decimal(top.uptimeSeconds, digits: 0)) s",
            "\(top.jobsOpen) jobs open, \(top.jobsFinished) finished",
            "\(Figures.decimal(top.tokensPerSecond, digits: 1)) tokens/s",
        ].joined(separator: "  ")
    }

    static func warnings(_ top: TopDocument) -> [String] {
        var warnings = top.pairs.compactMap { pair in
            pair.warning.map { "\(pair.verifier), \(pair.method) with \(pair.draftModel ?? "no drafter"): \($0)" }
        }
        if top.allRest { warnings.insert("all drafts rest: every job decodes without", at: 0) }
        return warnings + top.nodes.compactMap { node in node.problem.map { "\(node.name): \($0)" } }
    }

    private static func jobs(_ top: TopDocument) -> Table {
        var table = Table("job", "state", "target", "drafts", "method", "policy", "tree", "tokens", "tokens/s")
        for job in top.jobs {
            table.add(
                String(job.id.prefix(8)), job.state, job.targetModel ?? "-",
                job.draftModels.isEmpty ? "-" : job.draftModels.joined(separator: "+"), job.method, job.policy,
                job.tree, "\(job.outputTokens)", Figures.decimal(job.tokensPerSecond, digits: 1))
        }
        return table
    }

    private static func nodes(_ top: TopDocument) -> Table {
        var table = Table("node", "role", "model", "cores", "shards", "jobs", "busy", "bubble")
        for node in top.nodes {
            table.add(
                node.name, node.role, node.model, node.cores, "\(node.shards)", "\(node.jobs)",
                Figures.percent(node.busy), Figures.percent(node.bubble))
        }
        return table
    }

    private static func pairs(_ top: TopDocument) -> Table {
        var table = Table(
            "drafter", "method", "policy", "state", "jobs", "tokens/s", "drafts", "over time", "accepted by position",
            "overlap", "why")
        for pair in top.pairs {
            let accepted = pair.acceptanceByPosition.prefix(8).map { share in
                share.map { Figures.decimal(100 * $0, digits: 0) } ?? "-"
            }
            table.add(
                pair.draftModel ?? "-", pair.method, pair.policy, pair.state, "\(pair.jobs)",
                Figures.decimal(pair.tokensPerSecond, digits: 1),
                Figures.decimal(pair.draftLengths.last ?? nil, digits: 1), sparkline(pair.draftLengths.suffix(30)),
                accepted.isEmpty ? "-" : accepted.joined(separator: " "), Figures.percent(pair.overlap), pair.reason)
        }
        return table
    }

    /// A column for each value, as high as it is beside the largest; a space where there is none.
    package static func sparkline(_ values: some Collection<Double?>) -> String {
        let bars: [Character] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]
        let most = max(1, values.compactMap(\.self).max() ?? 0)
        let columns = values.map { value -> Character in
            guard let value else { return " " }
            return bars[min(bars.count - 1, max(0, Int((value / most * Double(bars.count - 1)).rounded())))]
        }
        return columns.isEmpty ? "-" : String(columns)
    }
}
