package import NacreCore

/// One job's drafting: the context it stands on, the chain drafted beyond it, and what of both is cached.
///
/// | state | leaves on | to |
/// |---|---|---|
/// | receiving | the last part of the context | drafting |
/// | drafting | limit reached, end of generation, context full | waiting (derived: `canDraft` is false) |
/// | drafting, waiting | a verdict whose tokens are in the chain | drafting, same epoch |
/// | drafting, waiting | a verdict with a token that is not | drafting, the verdict's `nextEpoch`, cache cut |
package struct DraftStream: Sendable {
    package let key: StreamKey
    package let sampling: SamplingPolicy
    package let promptLength: Position
    package let contextTotal: Int
    /// Committed tokens, then this epoch's chain.
    package private(set) var tokens: [TokenID]
    /// Length of the part of `tokens` that the verifier has committed.
    package private(set) var committed: Position
    package private(set) var epoch: Epoch
    /// Where this epoch's chain begins: its node 0 is at this position.
    package private(set) var root: Position
    package private(set) var positionLimit: Position
    /// The chain cannot grow: its last node ends the generation, or the model's context is full.
    package private(set) var stopped = false
    package var cursor: CacheCursor
    /// Raised by every rollback: a choice drawn before it belongs to a chain that is no more.
    package private(set) var rollbacks = 0
    /// Whether `DraftReady` was sent.
    package private(set) var isReady = false

    package init(_ open: DraftOpen, sequence: SequenceID) {
        key = open.key
        sampling = open.sampling
        promptLength = open.promptLength
        contextTotal = open.contextTotal
        tokens = open.context
        committed = Position(rawValue: open.contextTotal)
        epoch = open.epoch
        root = committed
        positionLimit = open.positionLimit
        cursor = CacheCursor(sequence: sequence)
    }

    package var length: Position { Position(rawValue: tokens.count) }
    package var hasContext: Bool { tokens.count >= contextTotal }
    package var canDraft: Bool { hasContext && !stopped && length < positionLimit }
    /// Tokens that must be evaluated before the next one can be drawn.
    package var uncached: ArraySlice<TokenID> { tokens[cursor.valid.rawValue...] }
    /// The noise index of the next token to draw.
    package var nextIndex: Int { length - promptLength }

    /// Takes the next part of the context.
    package mutating func receive(_ open: DraftOpen) throws(ProtocolFault) {
        guard open.contextOffset == tokens.count, tokens.count + open.context.count <= contextTotal else {
            throw ProtocolFault("DraftOpen part at \(open.contextOffset) does not continue \(tokens.count) tokens")
        }
        tokens += open.context
    }

    /// Takes what the target decided: stays in the epoch if the chain holds every committed token, else adopts them
    /// and goes on in `nextEpoch`.
    package mutating func receive(_ verdict: Verdict) throws(ProtocolFault) {
        guard hasContext, committed + verdict.tokens.count == verdict.committed else {
            throw ProtocolFault(
                "Verdict commits up to \(verdict.committed) with \(verdict.tokens.count) tokens, at \(committed)")
        }
        positionLimit = max(positionLimit, verdict.positionLimit)
        let start = committed.rawValue
        committed = verdict.committed
        for (offset, token) in verdict.tokens.enumerated() {
            let position = start + offset
            if position < tokens.count && tokens[position] == token { continue }
            tokens.replaceSubrange(position..., with: verdict.tokens[offset...])
            cursor.cut(to: Position(rawValue: position))
            epoch = verdict.nextEpoch
            root = verdict.committed
            stopped = false
            rollbacks += 1
            return
        }
    }

    /// Appends a drawn token and returns the message that carries it.
    package mutating func append(
        _ token: TokenID, as stream: StreamID, endsGeneration: Bool, contextMax: Int
    ) -> Draft {
        let node = length - root
        tokens.append(token)
        let end: DraftEnd =
            if endsGeneration { .endOfGeneration } else if tokens.count >= contextMax {
                .contextFull
            } else if length >= positionLimit { .windowFull } else { .open }
        stopped = end == .endOfGeneration || end == .contextFull
        return Draft(stream: stream, epoch: epoch, heard: 0, root: root, firstNode: node, tokens: [token], end: end)
    }

    package mutating func markReady() { isReady = true }
}
