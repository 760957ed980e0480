internal import CNacreProto
import NacreCore
import NacreProtocol

// Between verifiers of one target.

extension ScoreOpen {
    func pack(_ writer: borrowing FieldWriter) throws(WireError) -> UnsafeMutableRawPointer {
        let wire = writer.make(nacre__score_open__init)
        wire.pointee.stream = stream.rawValue
        wire.pointee.job_hi = job.high
        wire.pointee.job_lo = job.low
        wire.pointee.attempt = attempt.rawValue
        wire.pointee.key = key.rawValue
        wire.pointee.sampling = try writer.sampling(sampling)
        wire.pointee.prompt_length = try writer.number(promptLength.rawValue, "promptLength")
        wire.pointee.context_total = try writer.number(contextTotal, "contextTotal")
        wire.pointee.context_offset = try writer.number(contextOffset, "contextOffset")
        wire.pointee.n_context = context.count
        wire.pointee.context = writer.copy(context)
        return UnsafeMutableRawPointer(wire)
    }

    init(_ wire: Nacre__ScoreOpen, _ fields: FieldReader) throws(WireError) {
        let total = try fields.count(wire.context_total, "contextTotal", max: Limits.contextTokensMax)
        self.init(
            stream: StreamID(rawValue: wire.stream), job: JobID(high: wire.job_hi, low: wire.job_lo),
            attempt: try fields.attempt(wire.attempt), key: StreamKey(rawValue: wire.key),
            sampling: try fields.sampling(wire.sampling),
            promptLength: try fields.position(
                wire.prompt_length, "promptLength", max: min(total, Limits.promptTokensMax)),
            contextTotal: total, contextOffset: try fields.count(wire.context_offset, "contextOffset"),
            context: try fields.tokens(wire.context, wire.n_context, "context", max: Limits.contextChunkTokens))
        try fields.within(total, offset: contextOffset, part: context.count, "context")
    }
}

extension ScoreShard {
    func pack(_ writer: borrowing FieldWriter) throws(WireError) -> UnsafeMutableRawPointer {
        let wire = writer.make(nacre__score_shard__init)
        wire.pointee.stream = stream.rawValue
        wire.pointee.shard = shard
        wire.pointee.keep = try writer.number(keep.rawValue, "keep")
        wire.pointee.n_token = tokens.count
        wire.pointee.token = writer.copy(tokens)
        wire.pointee.n_parent = parents.count
        wire.pointee.parent = try writer.numbers(parents, "parents")
        wire.pointee.n_draft = drafts.count
        wire.pointee.draft = writer.copy(drafts)
        return UnsafeMutableRawPointer(wire)
    }

    init(_ wire: Nacre__ScoreShard, _ fields: FieldReader) throws(WireError) {
        let drafts = try fields.tokens(wire.draft, wire.n_draft, "drafts", max: Limits.treeNodesMax)
        self.init(
            stream: StreamID(rawValue: wire.stream), shard: wire.shard,
            keep: try fields.position(wire.keep, "keep", max: Limits.contextTokensMax),
            tokens: try fields.tokens(wire.token, wire.n_token, "tokens", max: Limits.contextChunkTokens),
            parents: try fields.parents(wire.parent, wire.n_parent, of: drafts.count, from: 0), drafts: drafts)
        try fields.within(Limits.contextTokensMax, offset: keep.rawValue, part: tokens.count, "tokens")
    }
}

extension Scores {
    func pack(_ writer: borrowing FieldWriter) -> UnsafeMutableRawPointer {
        let wire = writer.make(nacre__scores__init)
        wire.pointee.stream = stream.rawValue
        wire.pointee.shard = shard
        wire.pointee.n_choice = choices.count
        wire.pointee.choice = writer.copy(choices.map(\.token))
        wire.pointee.n_margin = choices.count
        wire.pointee.margin = writer.copy(choices.map(\.margin))
        wire.pointee.microseconds = microseconds
        return UnsafeMutableRawPointer(wire)
    }

    init(_ wire: Nacre__Scores, _ fields: FieldReader) throws(WireError) {
        // One behind the text, one behind each draft.
        let tokens = try fields.tokens(wire.choice, wire.n_choice, "choices", max: Limits.treeNodesMax + 1)
        let margins = try fields.margins(wire.margin, wire.n_margin, of: tokens.count)
        self.init(
            stream: StreamID(rawValue: wire.stream), shard: wire.shard,
            choices: zip(tokens, margins).map { Choice(token: $0, margin: $1) }, microseconds: wire.microseconds)
    }
}

extension ScoreClose {
    func pack(_ writer: borrowing FieldWriter) -> UnsafeMutableRawPointer {
        let wire = writer.make(nacre__score_close__init)
        wire.pointee.stream = stream.rawValue
        wire.pointee.reason = Nacre__CloseReason(rawValue: reason.rawValue)
        return UnsafeMutableRawPointer(wire)
    }

    init(_ wire: Nacre__ScoreClose, _ fields: FieldReader) throws(WireError) {
        self.init(
            stream: StreamID(rawValue: wire.stream), reason: try fields.choice(wire.reason.rawValue, "reason"))
    }
}
