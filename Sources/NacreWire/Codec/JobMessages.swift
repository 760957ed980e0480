internal import CNacreProto
import NacreCore
import NacreProtocol

// The control plane's messages about jobs.

extension Offer {
    fileprivate static func pack(
        _ offers: [Offer], _ writer: borrowing FieldWriter
    ) -> UnsafeMutablePointer<UnsafeMutablePointer<Nacre__Offer>?> {
        let list = writer.room(for: offers.count, of: UnsafeMutablePointer<Nacre__Offer>?.self)
        for (index, offer) in offers.enumerated() {
            let wire = writer.make(nacre__offer__init)
            wire.pointee.address = writer.name(offer.address)
            wire.pointee.incarnation = offer.incarnation.rawValue
            wire.pointee.shares_cores = offer.sharesCores ? 1 : 0
            list[index] = wire
        }
        return list
    }

    fileprivate static func read(
        _ list: UnsafeMutablePointer<UnsafeMutablePointer<Nacre__Offer>?>?, _ count: Int, _ field: StaticString,
        _ fields: FieldReader
    ) throws(WireError) -> [Offer] {
        guard count <= Limits.offersMax else {
            throw fields.invalid(field, "has \(count) items, at most \(Limits.offersMax) are allowed")
        }
        var offers: [Offer] = []
        for pointer in UnsafeBufferPointer(start: list, count: count) {
            let wire = try fields.part(pointer, field)
            offers.append(
                Offer(
                    address: try fields.name(wire.address, "offers.address"),
                    incarnation: Incarnation(rawValue: wire.incarnation), sharesCores: wire.shares_cores != 0))
        }
        return offers
    }
}

extension AssignJob {
    func pack(_ writer: borrowing FieldWriter) throws(WireError) -> UnsafeMutableRawPointer {
        let wire = writer.make(nacre__assign_job__init)
        wire.pointee.job_hi = job.high
        wire.pointee.job_lo = job.low
        wire.pointee.attempt = attempt.rawValue
        try speculation.pack(into: wire, writer)
        wire.pointee.key = key.rawValue
        wire.pointee.sampling = try writer.sampling(sampling)
        wire.pointee.length_max = try writer.number(lengthMax.rawValue, "lengthMax")
        wire.pointee.prompt_length = try writer.number(promptLength.rawValue, "promptLength")
        wire.pointee.context_total = try writer.number(contextTotal, "contextTotal")
        wire.pointee.context_offset = try writer.number(contextOffset, "contextOffset")
        wire.pointee.n_context = context.count
        wire.pointee.context = writer.copy(context)
        wire.pointee.n_offer = offers.count
        wire.pointee.offer = Offer.pack(offers, writer)
        wire.pointee.n_helper = helpers.count
        wire.pointee.helper = Offer.pack(helpers, writer)
        wire.pointee.ignore_ends = ignoresEnds ? 1 : 0
        return UnsafeMutableRawPointer(wire)
    }

    init(_ wire: Nacre__AssignJob, _ fields: FieldReader) throws(WireError) {
        let total = try fields.count(wire.context_total, "contextTotal", max: Limits.contextTokensMax)
        self.init(
            job: JobID(high: wire.job_hi, low: wire.job_lo), attempt: try fields.attempt(wire.attempt),
            speculation: try Speculation(wire, fields), key: StreamKey(rawValue: wire.key),
            sampling: try fields.sampling(wire.sampling),
            lengthMax: try fields.position(wire.length_max, "lengthMax", max: Limits.contextTokensMax),
            promptLength: try fields.position(
                wire.prompt_length, "promptLength", max: min(total, Limits.promptTokensMax)),
            contextTotal: total, contextOffset: try fields.count(wire.context_offset, "contextOffset"),
            context: try fields.tokens(wire.context, wire.n_context, "context", max: Limits.contextChunkTokens),
            offers: try Offer.read(wire.offer, wire.n_offer, "offers", fields),
            helpers: try Offer.read(wire.helper, wire.n_helper, "helpers", fields), ignoresEnds: wire.ignore_ends != 0)
        try fields.within(total, offset: contextOffset, part: context.count, "context")
        try fields.within(lengthMax.rawValue, offset: 0, part: total, "contextTotal")
        if ignoresEnds, speculation.method.usesBeams {
            throw fields.invalid("ignoreEnds", "is set, but the method's beams are finished by their ends")
        }
        // Some combinations would bias the output: nobody may ask for them, not even a coordinator.
        if let complaint = speculation.complaint(under: sampling) {
            throw fields.invalid("speculation", "is unusable, \(complaint)")
        }
    }
}

extension JobRefused {
    func pack(_ writer: borrowing FieldWriter) -> UnsafeMutableRawPointer {
        let wire = writer.make(nacre__job_refused__init)
        wire.pointee.job_hi = job.high
        wire.pointee.job_lo = job.low
        wire.pointee.attempt = attempt.rawValue
        wire.pointee.reason = Nacre__RefuseReason(rawValue: reason.rawValue)
        return UnsafeMutableRawPointer(wire)
    }

    init(_ wire: Nacre__JobRefused, _ fields: FieldReader) throws(WireError) {
        self.init(
            job: JobID(high: wire.job_hi, low: wire.job_lo), attempt: try fields.attempt(wire.attempt),
            reason: try fields.choice(wire.reason.rawValue, "reason"))
    }
}

extension Commit {
    func pack(_ writer: borrowing FieldWriter) throws(WireError) -> UnsafeMutableRawPointer {
        let wire = writer.make(nacre__commit__init)
        wire.pointee.job_hi = job.high
        wire.pointee.job_lo = job.low
        wire.pointee.attempt = attempt.rawValue
        wire.pointee.start = try writer.number(start.rawValue, "start")
        wire.pointee.n_token = tokens.count
        wire.pointee.token = writer.copy(tokens)
        wire.pointee.n_margin = margins.count
        wire.pointee.margin = writer.copy(margins)
        return UnsafeMutableRawPointer(wire)
    }

    init(_ wire: Nacre__Commit, _ fields: FieldReader) throws(WireError) {
        self.init(
            job: JobID(high: wire.job_hi, low: wire.job_lo), attempt: try fields.attempt(wire.attempt),
            start: try fields.position(wire.start, "start"),
            tokens: try fields.tokens(wire.token, wire.n_token, "tokens", max: Limits.outputTokensMax),
            margins: try fields.margins(wire.margin, wire.n_margin, of: wire.n_token))
        try fields.within(Int(Int32.max), offset: start.rawValue, part: tokens.count, "tokens")
    }
}

extension JobEnded {
    func pack(_ writer: borrowing FieldWriter) throws(WireError) -> UnsafeMutableRawPointer {
        let wire = writer.make(nacre__job_ended__init)
        wire.pointee.job_hi = job.high
        wire.pointee.job_lo = job.low
        wire.pointee.attempt = attempt.rawValue
        wire.pointee.length = try writer.number(length.rawValue, "length")
        wire.pointee.reason = Nacre__EndReason(rawValue: reason.rawValue)
        wire.pointee.detail = writer.prose(detail, bytesMax: Limits.detailBytesMax)
        wire.pointee.statistics = statistics.pack(writer)
        try writer.pack(answers, into: wire)
        return UnsafeMutableRawPointer(wire)
    }

    init(_ wire: Nacre__JobEnded, _ fields: FieldReader) throws(WireError) {
        self.init(
            job: JobID(high: wire.job_hi, low: wire.job_lo), attempt: try fields.attempt(wire.attempt),
            length: try fields.position(wire.length, "length"),
            reason: try fields.choice(wire.reason.rawValue, "reason"),
            detail: try fields.prose(wire.detail, "detail", bytesMax: Limits.detailBytesMax),
            statistics: try JobStatistics(fields.part(wire.statistics, "statistics"), fields))
        answers = try fields.answers(wire)
    }
}

extension JobStatistics {
    fileprivate func pack(_ writer: borrowing FieldWriter) -> UnsafeMutablePointer<Nacre__JobStatistics> {
        let wire = writer.make(nacre__job_statistics__init)
        wire.pointee.rounds = rounds
        wire.pointee.drafted = drafted
        wire.pointee.judged = judged
        wire.pointee.accepted = accepted
        wire.pointee.pass_us = passMicroseconds
        wire.pointee.elapsed_us = elapsedMicroseconds
        wire.pointee.gap_us = gapMicroseconds
        wire.pointee.drafters_lost = draftersLost
        wire.pointee.stale = stale
        wire.pointee.verified = verified
        wire.pointee.standing = standing
        wire.pointee.outcomes = outcomes
        wire.pointee.outcomes_prepared = outcomesPrepared
        wire.pointee.n_judged_at = judgedAt.count
        wire.pointee.judged_at = writer.copy(judgedAt)
        wire.pointee.n_accepted_at = acceptedAt.count
        wire.pointee.accepted_at = writer.copy(acceptedAt)
        wire.pointee.queue_us = queueMicroseconds
        wire.pointee.draft_us = draftMicroseconds
        wire.pointee.wire_us = wireMicroseconds
        wire.pointee.shards_sent = shardsSent
        wire.pointee.shards_used = shardsUsed
        wire.pointee.log_likelihood = logLikelihood
        wire.pointee.tokens_scored = tokensScored
        return wire
    }

    fileprivate init(_ wire: Nacre__JobStatistics, _ fields: FieldReader) throws(WireError) {
        guard wire.n_judged_at == wire.n_accepted_at, wire.n_judged_at <= JobStatistics.positionsMax else {
            throw fields.invalid(
                "statistics.judgedAt",
                "has \(wire.n_judged_at) counts and \(wire.n_accepted_at) accepted, not the same number of at most "
                    + "\(JobStatistics.positionsMax)")
        }
        // Written so that NaN fails.
        guard wire.log_likelihood <= 0, wire.log_likelihood > -.infinity else {
            throw fields.invalid(
                "statistics.logLikelihood", "is \(wire.log_likelihood), no sum of logarithms of probabilities")
        }
        self.init()
        logLikelihood = wire.log_likelihood
        tokensScored = wire.tokens_scored
        rounds = wire.rounds
        drafted = wire.drafted
        judged = wire.judged
        accepted = wire.accepted
        passMicroseconds = wire.pass_us
        elapsedMicroseconds = wire.elapsed_us
        gapMicroseconds = wire.gap_us
        draftersLost = wire.drafters_lost
        stale = wire.stale
        verified = wire.verified
        standing = wire.standing
        outcomes = wire.outcomes
        outcomesPrepared = wire.outcomes_prepared
        judgedAt = Array(UnsafeBufferPointer(start: wire.judged_at, count: wire.n_judged_at))
        acceptedAt = Array(UnsafeBufferPointer(start: wire.accepted_at, count: wire.n_accepted_at))
        queueMicroseconds = wire.queue_us
        draftMicroseconds = wire.draft_us
        wireMicroseconds = wire.wire_us
        shardsSent = wire.shards_sent
        shardsUsed = wire.shards_used
    }
}

extension CancelJob {
    func pack(_ writer: borrowing FieldWriter) -> UnsafeMutableRawPointer {
        let wire = writer.make(nacre__cancel_job__init)
        wire.pointee.job_hi = job.high
        wire.pointee.job_lo = job.low
        wire.pointee.attempt = attempt.rawValue
        return UnsafeMutableRawPointer(wire)
    }

    init(_ wire: Nacre__CancelJob, _ fields: FieldReader) throws(WireError) {
        self.init(job: JobID(high: wire.job_hi, low: wire.job_lo), attempt: try fields.attempt(wire.attempt))
    }
}

extension Hire {
    func pack(_ writer: borrowing FieldWriter) -> UnsafeMutableRawPointer {
        let wire = writer.make(nacre__hire__init)
        wire.pointee.job_hi = job.high
        wire.pointee.job_lo = job.low
        wire.pointee.attempt = attempt.rawValue
        wire.pointee.n_lost = lost.count
        wire.pointee.lost = writer.copy(lost.map(\.rawValue))
        return UnsafeMutableRawPointer(wire)
    }

    init(_ wire: Nacre__Hire, _ fields: FieldReader) throws(WireError) {
        guard wire.n_lost <= Limits.draftersMax else {
            throw fields.invalid("lost", "has \(wire.n_lost) items, at most \(Limits.draftersMax) are allowed")
        }
        self.init(
            job: JobID(high: wire.job_hi, low: wire.job_lo), attempt: try fields.attempt(wire.attempt),
            lost: UnsafeBufferPointer(start: wire.lost, count: wire.n_lost).map { Incarnation(rawValue: $0) })
    }
}

extension Offers {
    func pack(_ writer: borrowing FieldWriter) -> UnsafeMutableRawPointer {
        let wire = writer.make(nacre__offers__init)
        wire.pointee.job_hi = job.high
        wire.pointee.job_lo = job.low
        wire.pointee.attempt = attempt.rawValue
        wire.pointee.n_offer = offers.count
        wire.pointee.offer = Offer.pack(offers, writer)
        return UnsafeMutableRawPointer(wire)
    }

    init(_ wire: Nacre__Offers, _ fields: FieldReader) throws(WireError) {
        self.init(
            job: JobID(high: wire.job_hi, low: wire.job_lo), attempt: try fields.attempt(wire.attempt),
            offers: try Offer.read(wire.offer, wire.n_offer, "offers", fields))
    }
}
