internal import CNacreProto
import NacreCore
import NacreProtocol

// The messages that both ends of a draft stream have, to and from their C form. Values out of range are refused here;
// how messages relate to each other (is this stream open, is that epoch known) is the state machines' business.

extension Limits {
    /// Tokens of a job's context: prompt and output.
    static let contextTokensMax = promptTokensMax + outputTokensMax
    /// New tokens of one verdict: the whole window, and the target's own token of each round that it tells of.
    static let verdictTokensMax = windowPositionsMax + DraftWindow.restRounds
}

extension DraftOpen {
    func pack(_ writer: borrowing FieldWriter) throws(WireError) -> UnsafeMutableRawPointer {
        let wire = writer.make(nacre__draft_open__init)
        wire.pointee.stream = stream.rawValue
        wire.pointee.job_hi = job.high
        wire.pointee.job_lo = job.low
        wire.pointee.attempt = attempt.rawValue
        wire.pointee.epoch = epoch.rawValue
        wire.pointee.key = key.rawValue
        wire.pointee.sampling = try writer.sampling(sampling)
        wire.pointee.prompt_length = try writer.number(promptLength.rawValue, "promptLength")
        wire.pointee.position_limit = try writer.number(positionLimit.rawValue, "positionLimit")
        wire.pointee.rule = Nacre__VerifyRule(rawValue: rule.rawValue)
        wire.pointee.shape = try writer.shape(shape)
        wire.pointee.branches = try writer.number(branches, "branches")
        wire.pointee.payload = Nacre__PayloadKind(rawValue: payload.rawValue)
        wire.pointee.policy = writer.policy(policy)
        wire.pointee.siblings = siblings.wire
        wire.pointee.merge = try writer.number(merge, "merge")
        wire.pointee.measured = isMeasured ? 1 : 0
        wire.pointee.ignore_ends = ignoresEnds ? 1 : 0
        wire.pointee.nodes_max = try writer.number(nodesMax, "nodesMax")
        wire.pointee.context_total = try writer.number(contextTotal, "contextTotal")
        wire.pointee.context_offset = try writer.number(contextOffset, "contextOffset")
        wire.pointee.n_context = context.count
        wire.pointee.context = writer.copy(context)
        return UnsafeMutableRawPointer(wire)
    }

    init(_ wire: Nacre__DraftOpen, _ fields: FieldReader) throws(WireError) {
        let total = try fields.count(wire.context_total, "contextTotal", max: Limits.contextTokensMax)
        self.init(
            stream: StreamID(rawValue: wire.stream), job: JobID(high: wire.job_hi, low: wire.job_lo),
            attempt: try fields.attempt(wire.attempt), epoch: Epoch(rawValue: wire.epoch),
            key: StreamKey(rawValue: wire.key), sampling: try fields.sampling(wire.sampling),
            promptLength: try fields.position(
                wire.prompt_length, "promptLength", max: min(total, Limits.promptTokensMax)),
            positionLimit: try fields.position(wire.position_limit, "positionLimit"),
            rule: try fields.choice(wire.rule.rawValue, "rule"), shape: try fields.shape(wire.shape),
            branches: try fields.count(wire.branches, "branches", max: Limits.branchesMax),
            payload: try fields.choice(wire.payload.rawValue, "payload"),
            siblings: try fields.siblings(wire.siblings),
            merge: try fields.count(wire.merge, "merge", max: Limits.mergeMax),
            policy: try fields.policy(wire.policy, "policy"), isMeasured: wire.measured != 0,
            ignoresEnds: wire.ignore_ends != 0,
            nodesMax: try fields.count(wire.nodes_max, "nodesMax", max: Limits.treeNodesMax), contextTotal: total,
            contextOffset: try fields.count(wire.context_offset, "contextOffset"),
            context: try fields.tokens(
                wire.context, wire.n_context, "context", max: Limits.contextChunkTokens))
        try fields.within(total, offset: contextOffset, part: context.count, "context")
    }
}

extension DraftReady {
    func pack(_ writer: borrowing FieldWriter) -> UnsafeMutableRawPointer {
        let wire = writer.make(nacre__draft_ready__init)
        wire.pointee.stream = stream.rawValue
        wire.pointee.microseconds_per_token = microsecondsPerToken
        return UnsafeMutableRawPointer(wire)
    }

    init(_ wire: Nacre__DraftReady) {
        self.init(stream: StreamID(rawValue: wire.stream), microsecondsPerToken: wire.microseconds_per_token)
    }
}

extension Verdict {
    func pack(_ writer: borrowing FieldWriter) throws(WireError) -> UnsafeMutableRawPointer {
        let wire = writer.make(nacre__verdict__init)
        wire.pointee.stream = stream.rawValue
        wire.pointee.next_epoch = nextEpoch.rawValue
        wire.pointee.n_token = tokens.count
        wire.pointee.token = writer.copy(tokens)
        wire.pointee.committed = try writer.number(committed.rawValue, "committed")
        wire.pointee.position_limit = try writer.number(positionLimit.rawValue, "positionLimit")
        wire.pointee.nodes_max = try writer.number(nodesMax, "nodesMax")
        try writer.pack(beams, into: wire)
        return UnsafeMutableRawPointer(wire)
    }

    init(_ wire: Nacre__Verdict, _ fields: FieldReader) throws(WireError) {
        self.init(
            stream: StreamID(rawValue: wire.stream), nextEpoch: Epoch(rawValue: wire.next_epoch),
            tokens: try fields.tokens(wire.token, wire.n_token, "tokens", max: Limits.verdictTokensMax),
            committed: try fields.position(wire.committed, "committed"),
            positionLimit: try fields.position(wire.position_limit, "positionLimit"),
            nodesMax: try fields.count(wire.nodes_max, "nodesMax", max: Limits.treeNodesMax))
        try fields.within(committed.rawValue, offset: 0, part: tokens.count, "tokens")
        beams = try fields.beams(wire)
    }
}

extension DraftClose {
    func pack(_ writer: borrowing FieldWriter) -> UnsafeMutableRawPointer {
        let wire = writer.make(nacre__draft_close__init)
        wire.pointee.stream = stream.rawValue
        wire.pointee.reason = Nacre__CloseReason(rawValue: reason.rawValue)
        return UnsafeMutableRawPointer(wire)
    }

    init(_ wire: Nacre__DraftClose, _ fields: FieldReader) throws(WireError) {
        self.init(
            stream: StreamID(rawValue: wire.stream), reason: try fields.choice(wire.reason.rawValue, "reason"))
    }
}

extension Greeting {
    func pack(_ writer: borrowing FieldWriter) -> UnsafeMutableRawPointer {
        let wire = writer.make(nacre__greeting__init)
        wire.pointee.wire_min = wireMin
        wire.pointee.wire_max = wireMax
        wire.pointee.node = writer.name(node)
        wire.pointee.role = Nacre__Role(rawValue: role.rawValue)
        wire.pointee.incarnation = incarnation.rawValue
        wire.pointee.vocabulary_digest = vocabularyDigest
        wire.pointee.model_digest = modelDigest
        return UnsafeMutableRawPointer(wire)
    }

    init(_ wire: Nacre__Greeting, _ fields: FieldReader) throws(WireError) {
        let versions = try fields.versions(wire.wire_min, wire.wire_max)
        self.init(
            wireMin: versions.low, wireMax: versions.high, node: try fields.name(wire.node, "node"),
            role: try fields.choice(wire.role.rawValue, "role"),
            incarnation: Incarnation(rawValue: wire.incarnation), vocabularyDigest: wire.vocabulary_digest,
            modelDigest: wire.model_digest)
    }
}

extension Goodbye {
    func pack(_ writer: borrowing FieldWriter) -> UnsafeMutableRawPointer {
        let wire = writer.make(nacre__goodbye__init)
        wire.pointee.code = Nacre__GoodbyeCode(rawValue: code.rawValue)
        wire.pointee.detail = writer.prose(detail, bytesMax: Limits.detailBytesMax)
        return UnsafeMutableRawPointer(wire)
    }

    init(_ wire: Nacre__Goodbye, _ fields: FieldReader) throws(WireError) {
        self.init(
            code: try fields.choice(wire.code.rawValue, "code"),
            detail: try fields.prose(wire.detail, "detail", bytesMax: Limits.detailBytesMax))
    }
}
