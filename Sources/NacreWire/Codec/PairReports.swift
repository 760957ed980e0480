internal import CNacreProto
import NacreCore
import NacreProtocol

// What a heartbeat tells of the drafts of a verifier's jobs.

extension PairReport {
    func pack(_ writer: borrowing FieldWriter) throws(WireError) -> UnsafeMutablePointer<Nacre__PairReport> {
        let wire = writer.make(nacre__pair_report__init)
        wire.pointee.draft_model = draftModel
        wire.pointee.method = Nacre__DecodingMethod(rawValue: method.rawValue)
        wire.pointee.policy = writer.prose(policy, bytesMax: Limits.nameBytesMax)
        wire.pointee.tree = writer.prose(tree, bytesMax: Limits.nameBytesMax)
        wire.pointee.state = Nacre__DraftingState(rawValue: state.rawValue)
        wire.pointee.reason = writer.prose(reason, bytesMax: Limits.nameBytesMax)
        wire.pointee.ratio = ratio
        wire.pointee.since_ms = milliseconds
        wire.pointee.jobs = try writer.number(jobs, "pairs.jobs")
        wire.pointee.tokens_per_second = tokensPerSecond
        wire.pointee.tokens = counts.tokens
        wire.pointee.rounds = counts.rounds
        wire.pointee.verified = counts.verified
        wire.pointee.drafted = counts.drafted
        wire.pointee.draft_us = counts.draftMicroseconds
        wire.pointee.overlap_us = counts.overlapMicroseconds
        wire.pointee.n_judged_at = counts.judgedAt.count
        wire.pointee.judged_at = writer.copy(counts.judgedAt)
        wire.pointee.n_accepted_at = counts.acceptedAt.count
        wire.pointee.accepted_at = writer.copy(counts.acceptedAt)
        return wire
    }

    init(_ wire: Nacre__PairReport, _ fields: FieldReader) throws(WireError) {
        guard wire.n_judged_at == wire.n_accepted_at, wire.n_judged_at <= JobStatistics.positionsMax else {
            throw fields.invalid(
                "pairs.judgedAt",
                "has \(wire.n_judged_at) counts and \(wire.n_accepted_at) accepted, not the same number of at most "
                    + "\(JobStatistics.positionsMax)")
        }
        func amount(_ value: Float, _ field: StaticString) throws(WireError) -> Float {
            guard value >= 0, value.isFinite else { throw fields.invalid(field, "is \(value), not a positive number") }
            return value
        }
        var counts = PairCounts()
        counts.tokens = wire.tokens
        counts.rounds = wire.rounds
        counts.verified = wire.verified
        counts.drafted = wire.drafted
        counts.draftMicroseconds = wire.draft_us
        counts.overlapMicroseconds = wire.overlap_us
        counts.judgedAt = Array(UnsafeBufferPointer(start: wire.judged_at, count: wire.n_judged_at))
        counts.acceptedAt = Array(UnsafeBufferPointer(start: wire.accepted_at, count: wire.n_accepted_at))
        for (depth, (judged, accepted)) in zip(counts.judgedAt, counts.acceptedAt).enumerated()
        where accepted > judged {
            throw fields.invalid(
                "pairs.acceptedAt", "has \(accepted) accepted at depth \(depth), where \(judged) were judged")
        }
        self.init(
            draftModel: wire.draft_model, method: try fields.choice(wire.method.rawValue, "pairs.method"),
            policy: try fields.prose(wire.policy, "pairs.policy", bytesMax: Limits.nameBytesMax),
            tree: try fields.prose(wire.tree, "pairs.tree", bytesMax: Limits.nameBytesMax),
            state: try fields.choice(wire.state.rawValue, "pairs.state"),
            reason: try fields.prose(wire.reason, "pairs.reason", bytesMax: Limits.nameBytesMax),
            ratio: try amount(wire.ratio, "pairs.ratio"), milliseconds: wire.since_ms,
            jobs: try fields.count(wire.jobs, "pairs.jobs"),
            tokensPerSecond: try amount(wire.tokens_per_second, "pairs.tokensPerSecond"), counts: counts)
    }

    static func list(
        _ start: UnsafeMutablePointer<UnsafeMutablePointer<Nacre__PairReport>?>?, _ count: Int, _ fields: FieldReader
    ) throws(WireError) -> [PairReport] {
        guard count <= Limits.pairsMax else {
            throw fields.invalid("pairs", "has \(count) items, at most \(Limits.pairsMax) are allowed")
        }
        var reports: [PairReport] = []
        for pointer in UnsafeBufferPointer(start: start, count: count) {
            reports.append(try PairReport(fields.part(pointer, "pairs"), fields))
        }
        return reports
    }
}
