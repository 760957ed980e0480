import NacreCore

/// A benchmark as one page of HTML: no script, nothing from elsewhere, light and dark.
package struct BenchmarkPage {
    private let report: BenchmarkReport
    /// By number of jobs at once, without plain decoding.
    private let groups: [(jobs: Int, cells: [BenchmarkCell], plain: BenchmarkCell?)]

    package init(_ report: BenchmarkReport) {
        self.report = report
        var numbers: [Int] = []
        for cell in report.cells where !numbers.contains(cell.jobs) { numbers.append(cell.jobs) }
        groups = numbers.map { jobs in
            let cells = report.cells.filter { $0.jobs == jobs }
            return (
                jobs, cells.filter { $0.method != Comparison.plainMethod },
                cells.first { $0.method == Comparison.plainMethod }
            )
        }
    }

    /// The page; also well-formed XML.
    package var html: String {
        """
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8"/>
        <meta name="viewport" content="width=device-width, initial-scale=1"/>
        <title>Nacre benchmark, \(Markup.escaped(report.machine.date))</title>
        <style>\(PageStyle.css)</style>
        </head>
        <body>
        <main>
        <header>
        <h1>Nacre benchmark</h1>
        <p class="lead"><b>\(Markup.escaped(report.target))</b> with drafts of \
        <b>\(Markup.escaped(report.draft))</b></p>
        <p class="muted">\(Markup.escaped("\(report.machine)")), \(Markup.escaped(report.machine.date))</p>
        </header>
        \(tiles)
        \(section("Speed against plain decoding", speed))
        \(section("Figures", figures))
        \(section("Accepted drafts by position", acceptance))
        \(section("Draft length over time", lengths))
        \(section("Overlap of drafting and verifying", overlap))
        \(section("How this was measured", conditions))
        </main>
        </body>
        </html>

        """
    }

    private func section(_ title: String, _ body: String) -> String {
        body.isEmpty ? "" : "<section>\n<h2>\(title)</h2>\n\(body)\n</section>"
    }

    private func best(_ cells: [BenchmarkCell]) -> BenchmarkCell? {
        cells.filter(\.isCompared).max { ($0.ratio?.median ?? 0) < ($1.ratio?.median ?? 0) }
    }

    private static func times(_ ratio: Double?) -> String {
        ratio.map { Figures.decimal($0, digits: 2) + "×" } ?? "–"
    }

    private static func jobs(_ count: Int) -> String { "\(count) job\(count == 1 ? "" : "s") at once" }

    // MARK: parts

    private var tiles: String {
        func tile(_ value: String, _ name: String, _ detail: String) -> String {
            """
            <div class="tile"><span class="muted">\(Markup.escaped(name))</span>\
            <strong>\(Markup.escaped(value))</strong>\
            <span class="muted">\(Markup.escaped(detail))</span></div>
            """
        }
        var tiles = groups.prefix(4).compactMap { group -> String? in
            guard let best = best(group.cells), let ratio = best.ratio else { return nil }
            return tile(
                Self.times(ratio.median), "fastest, \(Self.jobs(group.jobs))",
                "\(best.name); quartiles \(Figures.range(ratio, digits: 2)), n = \(ratio.count)")
        }
        if let plain = groups.first?.plain?.tokensPerSecond {
            tiles.append(
                tile(
                    Figures.decimal(plain.median, digits: 1), "plain decoding, tokens/s",
                    "\(Self.jobs(groups[0].jobs)); quartiles \(Figures.range(plain, digits: 1))"))
        }
        tiles.append(
            tile(
                report.differing == 0 ? "identical" : "\(report.differing) differ", "outputs", report.identity))
        return "<div class=\"tiles\">\(tiles.joined(separator: "\n"))</div>"
    }

    private var speed: String {
        let scale = SpeedChart.scale(groups.flatMap(\.cells))
        let pictures = groups.filter { !$0.cells.isEmpty }.map { group in
            let plain = group.plain?.tokensPerSecond
            let rate = Figures.decimal(plain?.median, digits: 1)
            let samples = group.cells.first?.ratios.count ?? 0
            return """
                <h3>\(Self.jobs(group.jobs))</h3>
                <p class="muted">plain decoding: \(rate) tokens/s (\(Figures.range(plain, digits: 1))); n = \(samples) \
                samples each</p>
                \(SpeedChart.picture(group.cells, scale: scale))
                """
        }
        guard !pictures.isEmpty else { return "" }
        let legend =
            "<p class=\"muted\">Bars are medians of paired ratios, whiskers quartiles, dots the samples themselves, "
            + "the last \(SpeedChart.dotsMax) of each; those at the right edge lie beyond it.</p>"
        func warning(_ kind: String, _ isMeant: (BenchmarkCell) -> Bool) -> String? {
            let names = Set(groups.flatMap(\.cells).filter(isMeant).map(\.name)).sorted()
            return names.isEmpty
                ? nil
                : "<p class=\"muted\">\(kind), with other text than plain decoding's: "
                    + "\(Markup.escaped(names.joined(separator: ", "))). They are not among the fastest above.</p>"
        }
        let warnings = [
            warning("Lossy", \.lossy), warning("Likeliest of several texts") { $0.drawsBeams && !$0.lossy },
            warning("Drawn anew from the same law", \.drawsAnew),
        ]
        let notes = report.notes.map { "<p class=\"muted\">\(Markup.escaped($0)).</p>" }
        return (pictures + [legend] + warnings.compactMap(\.self) + notes).joined(separator: "\n")
    }

    private var figures: String {
        let rows = groups.flatMap { group in
            ([group.plain].compactMap { $0 } + group.cells).map { cell in
                let output = cell.differing == 0 ? cell.identity : "<b>\(cell.identity)</b>"
                let cells = [
                    "\(cell.jobs)", Markup.escaped(cell.name), Figures.decimal(cell.tokensPerSecond?.median, digits: 1),
                    Figures.range(cell.tokensPerSecond, digits: 1), Self.times(cell.ratio?.median),
                    Figures.range(cell.ratio, digits: 2), Figures.percent(cell.acceptanceRate),
                    Figures.decimal(cell.meanAcceptedTokens, digits: 2), Figures.percent(cell.verifierBusy),
                    Figures.percent(cell.drafterBusy), Figures.decimal(cell.firstTokenMilliseconds?.median, digits: 0),
                    "\(cell.rates.count)", output,
                ]
                return "<tr>\(cells.map { "<td>\($0)</td>" }.joined())</tr>"
            }
        }
        let heads = [
            "jobs", "method", "tokens/s", "quartiles", "ratio", "quartiles", "drafts accepted", "accepted per pass",
            "verifier busy", "drafter busy", "first token, ms", "n", "output",
        ]
        return """
            <div class="scroll"><table><thead><tr>\(heads.map { "<th>\($0)</th>" }.joined())</tr></thead>
            <tbody>
            \(rows.joined(separator: "\n"))
            </tbody></table></div>
            """
    }

    private var acceptance: String {
        guard let cells = groups.first?.cells, let picture = AcceptanceChart.picture(ranked(cells)) else { return "" }
        let left = cells.filter { !$0.acceptanceByPosition.isEmpty }.count - AcceptanceChart.linesMax
        let note = left > 0 ? " The \(AcceptanceChart.linesMax) fastest are shown." : ""
        return picture + """
            <p class="muted">Of all jobs together (\(Self.jobs(groups[0].jobs))) the drafts that were judged; \
            a draft is judged only if all before it were accepted. In brackets: of all drafts judged.\(note)</p>
            """
    }

    private func ranked(_ cells: [BenchmarkCell]) -> [BenchmarkCell] {
        cells.sorted { ($0.ratio?.median ?? 0) > ($1.ratio?.median ?? 0) }
    }

    /// Of each method the fastest way, as one job of it went.
    private var shown: [JobTimeline] {
        var methods: Set<String> = []
        return ranked(groups.first?.cells ?? []).filter { methods.insert($0.method).inserted }.compactMap { cell in
            report.timelines.first { $0.name == cell.name && !$0.passes.isEmpty }
        }
    }

    private var lengths: String {
        shown.map { "<h3>\(Markup.escaped($0.name))</h3>\n\(DraftLengthChart.picture($0))" }.joined(separator: "\n")
    }

    private var overlap: String {
        let window = OverlapChart.window(shown)
        let pictures = shown.map { timeline in
            """
            <h3>\(Markup.escaped(timeline.name))</h3>
            <p class="muted">\(Markup.escaped(OverlapChart.sentence(timeline)))</p>
            \(OverlapChart.picture(timeline, window: window))
            """
        }
        guard !pictures.isEmpty else { return "" }
        let note =
            "<p class=\"muted\">One job of the last repetition, of each method the fastest way. Times are the "
            + "verifier's; a drafter's pass is placed where its drafts arrived, so later than it was by their way.</p>"
        return (pictures + [note]).joined(separator: "\n")
    }

    private var conditions: String {
        let machine = report.machine
        var rows: [(String, String)] = [
            ("command", report.command), ("machine", "\(machine)"), ("system", machine.system),
            ("load at the start", Figures.decimal(machine.load, digits: 2)),
            ("processes", report.placing ?? "a cluster that was running"),
            ("versions", "Nacre \(report.version), \(report.engine)"), ("date", machine.date),
            ("time taken", "\(Figures.decimal(report.seconds, digits: 0)) s"),
            (
                "jobs",
                "\(report.prompts) prompts, \(report.repetitions) repetitions, \(report.length), "
                    + "temperature \(report.temperature)"
            ),
            (
                "sample",
                "as many prompts as there are jobs at once, from the first token of the first job (of beams from its "
                    + "first pass) to the end of the last; every sample in each way before the next, another way first "
                    + "each time"
            ),
            ("ratio", "of a sample, to plain decoding of the same prompts in the same repetition"),
            ("fastest", "chosen by the samples shown, which flatters it a little where several are close"),
            ("outputs", report.identity),
        ]
        for refusal in report.refusals { rows.append(("left out: \(refusal.name)", refusal.reason)) }
        return "<dl>"
            + rows.map { "<dt>\(Markup.escaped($0))</dt><dd>\(Markup.escaped($1))</dd>" }.joined(separator: "\n")
            + "</dl>"
    }
}
