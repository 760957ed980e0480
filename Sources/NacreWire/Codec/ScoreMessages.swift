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
        wire.pointee.wants_rows = wantsRows ? 1 : 0
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
            context: try fields.tokens(wire.context, wire.n_context, "context", max: Limits.contextChunkTokens),
            wantsRows: wire.wants_rows != 0)
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
    func pack(_ writer: borrowing FieldWriter) throws(WireError) -> UnsafeMutableRawPointer {
        let wire = writer.make(nacre__scores__init)
        wire.pointee.stream = stream.rawValue
        wire.pointee.shard = shard
        wire.pointee.n_choice = choices.count
        wire.pointee.choice = writer.copy(choices.map(\.token))
        wire.pointee.n_margin = choices.count
        wire.pointee.margin = writer.copy(choices.map(\.margin))
        wire.pointee.microseconds = microseconds
        wire.pointee.n_row_size = rows.count
        wire.pointee.row_size = try writer.numbers(rows.map(\.tokens.count), "rowSizes")
        let (tokens, probabilities) = (rows.flatMap(\.tokens), rows.flatMap(\.probabilities))
        wire.pointee.n_row_token = tokens.count
        wire.pointee.row_token = writer.copy(tokens)
        wire.pointee.n_row_probability = probabilities.count
        wire.pointee.row_probability = writer.copy(probabilities)
        wire.pointee.goes_on = goesOn ? 1 : 0
        return UnsafeMutableRawPointer(wire)
    }

    init(_ wire: Nacre__Scores, _ fields: FieldReader) throws(WireError) {
        // One behind the text, one behind each draft.
        let tokens = try fields.tokens(wire.choice, wire.n_choice, "choices", max: Limits.treeNodesMax + 1)
        let margins = try fields.margins(wire.margin, wire.n_margin, of: tokens.count)
        self.init(
            stream: StreamID(rawValue: wire.stream), shard: wire.shard,
            choices: zip(tokens, margins).map { Choice(token: $0, margin: $1) }, microseconds: wire.microseconds,
            rows: try Self.rows(wire, fields), goesOn: wire.goes_on != 0)
        guard !goesOn || !rows.isEmpty else { throw fields.invalid("rows", "go on, but there are none") }
    }

    private static func rows(_ wire: Nacre__Scores, _ fields: FieldReader) throws(WireError) -> [BeamRow] {
        let tokens = try fields.tokens(wire.row_token, wire.n_row_token, "rowTokens", max: Limits.lawEntriesMax)
        guard wire.n_row_probability == tokens.count else {
            throw fields.invalid("rowProbabilities", "has \(wire.n_row_probability) items for \(tokens.count) tokens")
        }
        guard wire.n_row_size <= Limits.treeNodesMax + 1 else {
            throw fields.invalid(
                "rowSizes", "has \(wire.n_row_size) items, at most \(Limits.treeNodesMax + 1) are allowed")
        }
        let probabilities = Array(UnsafeBufferPointer(start: wire.row_probability, count: tokens.count))
        // Written so that NaN fails.
        if let odd = probabilities.first(where: { !($0 > 0 && $0 <= 1) }) {
            throw fields.invalid("rowProbabilities", "has \(odd); they are above 0, at most 1")
        }
        var rows: [BeamRow] = []
        var start = 0
        for size in UnsafeBufferPointer(start: wire.row_size, count: wire.n_row_size) {
            guard size > 0, Int(size) <= tokens.count - start else {
                throw fields.invalid("rowSizes", "has \(size), with \(tokens.count - start) entries left")
            }
            let part = start..<start + Int(size)
            rows.append(BeamRow(tokens: Array(tokens[part]), probabilities: Array(probabilities[part])))
            start = part.upperBound
        }
        guard start == tokens.count else { throw fields.invalid("rowSizes", "leave \(tokens.count - start) entries") }
        return rows
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
