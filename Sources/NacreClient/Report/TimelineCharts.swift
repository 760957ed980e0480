/// How many drafts each pass of a job verified, and how many of them were accepted.
enum DraftLengthChart {
    private static let (width, height) = (880.0, 150.0)
    private static let (left, right, top, foot) = (56.0, 16.0, 10.0, 44.0)

    static func picture(_ timeline: JobTimeline) -> String {
        var picture = Picture(width: width, height: height)
        let (end, bottom) = (width - right, height - foot)
        let time = Axis(upTo: Double(timeline.duration) / 1_000, ticks: 8)
        let most = max(4, timeline.passes.map(\.drafts).max() ?? 0)
        func x(_ microseconds: Int) -> Double { left + (end - left) * Double(microseconds) / 1_000 / time.end }
        func y(_ drafts: Int) -> Double { bottom - (bottom - top) * Double(drafts) / Double(most) }
        for tick in [0, most / 2, most] {
            picture.line(left, y(tick), end, y(tick), style: "grid")
            picture.text("\(tick)", left - 8, y(tick) + 4, style: "t small", anchor: .end)
        }
        for tick in time.ticks where tick <= time.end {
            picture.text(time.text(tick), x(Int(tick * 1_000)), bottom + 16, style: "t small", anchor: .middle)
        }
        for (number, pass) in timeline.passes.enumerated() {
            let committed = number < timeline.committed.count ? timeline.committed[number] : 1
            let accepted = min(pass.drafts, max(0, committed - 1))
            let wide = max(1.5, x(pass.end) - x(pass.start) - 0.5)
            let tip = "pass \(number + 1): \(pass.drafts) drafts verified, \(accepted) accepted"
            picture.rectangle(
                x(pass.start), y(pass.drafts), width: wide, height: bottom - y(pass.drafts),
                style: "f faint \(timeline.method)", tip: tip)
            picture.rectangle(
                x(pass.start), y(accepted), width: wide, height: bottom - y(accepted), style: "f \(timeline.method)",
                tip: tip)
        }
        picture.line(left, bottom, end, bottom, style: "base")
        picture.text(
            "milliseconds from the first pass; pale: drafts verified by a pass, full: of them accepted",
            (left + end) / 2, bottom + 36, style: "t small", anchor: .middle)
        return picture.svg(label: "Draft length over time, \(timeline.name)")
    }
}

/// When drafter and verifier of a job computed.
enum OverlapChart {
    private static let (width, height) = (880.0, 128.0)
    private static let (left, right, top, lane) = (92.0, 16.0, 6.0, 24.0)

    /// The part of each timeline that is shown: as long for all, from a third of the way on.
    static func window(_ timelines: [JobTimeline]) -> Int {
        timelines.map { timeline in
            let start = timeline.passes.count / 3
            let end = min(timeline.passes.count - 1, start + 12)
            return timeline.passes[end].end - timeline.passes[start].start
        }.max() ?? 1
    }

    /// - Parameter window: the microseconds that are shown.
    static func picture(_ timeline: JobTimeline, window: Int) -> String {
        var picture = Picture(width: width, height: height)
        let latest = max(0, timeline.duration - window)
        let origin = min(timeline.passes[timeline.passes.count / 3].start, latest)
        let shown = origin..<origin + max(1, window)
        let (end, bottom) = (width - right, top + 3 * lane)
        func x(_ microseconds: Int) -> Double {
            left + (end - left) * Double(microseconds - origin) / Double(shown.count)
        }
        for (number, name) in ["drafter", "verifier", "committed"].enumerated() {
            picture.text(name, left - 10, top + lane * (Double(number) + 0.5) + 4, anchor: .end)
            picture.line(left, top + lane * Double(number + 1), end, top + lane * Double(number + 1), style: "grid")
        }
        func spans(_ spans: [JobTimeline.Span], lane number: Int, style: String, _ verb: String) {
            for span in spans where span.end > shown.lowerBound && span.start < shown.upperBound {
                let part = (start: max(span.start, shown.lowerBound), end: min(span.end, shown.upperBound))
                let wide = max(1, x(part.end) - x(part.start) - 0.6)
                let milliseconds = Figures.decimal(Double(span.end - span.start) / 1_000, digits: 2)
                picture.rectangle(
                    x(part.start), top + lane * Double(number) + 3, width: wide, height: lane - 6, style: style,
                    radius: 1.5, tip: "\(span.drafts) drafts \(verb) in \(milliseconds) ms")
                if wide > 14, number == 1 {
                    picture.text(
                        "\(span.drafts)", x(part.start) + wide / 2, top + lane * 1.5 + 4, style: "t on",
                        anchor: .middle)
                }
            }
        }
        spans(timeline.drafting, lane: 0, style: "f drafter", "drawn")
        spans(timeline.passes, lane: 1, style: "f verifier", "verified")
        var free = left
        for (number, pass) in timeline.passes.enumerated()
        where shown.contains(pass.end) && number < timeline.committed.count {
            picture.line(x(pass.end), top + lane * 2, x(pass.end), top + lane * 2 + 5, style: "base")
            guard x(pass.end) >= free else { continue }
            picture.text(
                "+\(timeline.committed[number])", x(pass.end), top + lane * 2.5 + 7, style: "t small", anchor: .middle)
            free = x(pass.end) + 24
        }
        let time = Axis(upTo: Double(shown.count) / 1_000, ticks: 8)
        for tick in time.ticks where tick <= time.end {
            picture.text(
                time.text(tick), x(origin + Int(tick * 1_000)), bottom + 16, style: "t small", anchor: .middle)
        }
        picture.text(
            "milliseconds, from a third of the job on; in a pass: the drafts that it verified", (left + end) / 2,
            bottom + 36, style: "t small", anchor: .middle)
        return picture.svg(label: "Overlap of drafting and verifying, \(timeline.name)")
    }

    /// How busy both were.
    static func sentence(_ timeline: JobTimeline) -> String {
        var text =
            "verifier busy \(Figures.percent(timeline.verifierBusy)), drafter busy "
            + Figures.percent(timeline.drafterBusy)
        if let overlap = timeline.overlap {
            text += "; \(Figures.percent(overlap)) of the drafter's time lies within a pass"
        }
        return text
    }
}
