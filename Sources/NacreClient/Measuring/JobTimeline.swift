package import NacreAPI

/// A job as it went: when its verifier and its drafters computed, and what came of it. In microseconds from the
/// start of its first pass.
package struct JobTimeline: Sendable, Codable, Equatable {
    /// A time of computing.
    package struct Span: Sendable, Codable, Equatable {
        package let start: Int
        package let end: Int
        /// Drafts that were verified or drawn.
        package let drafts: Int

        package init(start: Int, end: Int, drafts: Int) {
            self.start = start
            self.end = end
            self.drafts = drafts
        }
    }

    /// How it was decoded, as `DecodingVariant` writes it.
    package let name: String
    package let method: String
    package let passes: [Span]
    /// Tokens committed after each pass.
    package let committed: [Int]
    /// Of all drafters, by their starts; placed where the drafts arrived, so later than they were by their way.
    package let drafting: [Span]

    private static let passesMax = 400

    /// `nil` for a job without passes.
    package init?(_ trace: TraceDocument, of variant: DecodingVariant) {
        // Tracks as NacreCoordinator's TraceDocument numbers them.
        func spans(_ tracks: some RangeExpression<Int>, _ drafts: (Int) -> Int) -> [Span] {
            trace.traceEvents.compactMap { event in
                guard event.ph == "X", tracks.contains(event.tid), let start = event.ts, let duration = event.dur
                else { return nil }
                return Span(start: start, end: start + duration, drafts: drafts(Self.count(event)))
            }.sorted { $0.start < $1.start }
        }
        let passes = Array(spans(1...1) { max(0, $0 - 1) }.prefix(Self.passesMax))
        guard let origin = passes.first?.start, let last = passes.last else { return nil }
        let commits = trace.traceEvents.filter { $0.ph == "i" && $0.tid == 2 }.sorted { ($0.ts ?? 0) < ($1.ts ?? 0) }
        func moved(_ span: Span) -> Span {
            Span(start: span.start - origin, end: span.end - origin, drafts: span.drafts)
        }
        name = variant.description
        method = variant.method
        self.passes = passes.map(moved)
        committed = commits.prefix(passes.count).map(Self.count)
        drafting = spans(10..<50) { $0 }.filter { $0.end > origin && $0.start < last.end }.map(moved)
    }

    private static func count(_ event: TraceDocument.Event) -> Int { event.args["count"].flatMap { Int($0) } ?? 0 }

    /// From the first pass's start to the last one's end.
    package var duration: Int { passes.last?.end ?? 0 }

    /// Share of the time that the verifier computed passes.
    package var verifierBusy: Double { share(Self.union(passes), of: duration) }
    /// The same of the drafters, those that computed at one time counted once.
    package var drafterBusy: Double { share(Self.union(drafting), of: duration) }

    /// Share of the drafters' time in which the verifier computed too; `nil` if nothing was drafted.
    package var overlap: Double? {
        let (drafts, passes) = (Self.union(drafting), Self.union(passes))
        let total = drafts.reduce(0) { $0 + $1.count }
        guard total > 0 else { return nil }
        let shared = drafts.reduce(0) { sum, draft in
            sum + passes.reduce(0) { $0 + $1.clamped(to: draft).count }
        }
        return Double(shared) / Double(total)
    }

    private func share(_ ranges: [Range<Int>], of duration: Int) -> Double {
        guard duration > 0 else { return 0 }
        return Double(ranges.reduce(0) { $0 + $1.clamped(to: 0..<duration).count }) / Double(duration)
    }

    /// Times in which at least one of `spans`, sorted by their starts, ran.
    private static func union(_ spans: [Span]) -> [Range<Int>] {
        var ranges: [Range<Int>] = []
        for span in spans where span.end > span.start {
            if let last = ranges.last, span.start <= last.upperBound {
                ranges[ranges.count - 1] = last.lowerBound..<max(last.upperBound, span.end)
            } else {
                ranges.append(span.start..<span.end)
            }
        }
        return ranges
    }
}
