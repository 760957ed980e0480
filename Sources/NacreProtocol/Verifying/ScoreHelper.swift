package import NacreCore

/// Another verifier of the same target that scores parts of a job's drafts: its home's view of it.
///
/// It holds the job's text and has at most one shard at a time. What it scores decides nothing by itself: the home's
/// walk goes on over it where its own rows end. A shard that comes late, or never, changes nothing but speed.
package struct ScoreHelper: Sendable {
    /// Drafts given away, and what came of them.
    package struct Shard: Sendable {
        package let number: UInt32
        /// The length of the text that the drafts stand on.
        package let base: Position
        package let drafts: DraftTree
        package let sent: Instant
        /// The text was to be read, for drafts of a later shard: no pass waits for what comes of it.
        package let isReading: Bool
        /// Behind the text, then behind each draft; `nil` while they are on their way.
        package var choices: [Choice]?
        /// In their place where rows are wanted; complete or `nil`.
        package var rows: [DraftBeams.Row]?
        /// Rows of which the others are on their way, the last one perhaps in part.
        fileprivate var parts: [BeamRow] = []
        fileprivate var isRowOpen = false

        package init(number: UInt32, base: Position, drafts: DraftTree, sent: Instant, isReading: Bool = false) {
            self.isReading = isReading
            self.number = number
            self.base = base
            self.drafts = drafts
            self.sent = sent
        }

        package var isAnswered: Bool { choices != nil || rows != nil }
    }

    package let address: String
    package let stream: StreamID
    /// The text was sent.
    package var isOpen = false
    /// Length of the text that it holds.
    package var told: Position = 0
    /// When it will have read what it was told, as forecast (`LendingRule`).
    package var readBy: Instant = 0
    package var shard: Shard?
    package var nextNumber: UInt32 = 0
    /// From a shard to its scores, in microseconds; 0 unknown.
    package private(set) var response = 0.0
    /// It scores for beams: rows of the law, behind this text after the prompt.
    package let wantsRows: Bool
    package var text: [TokenID] = []

    package init(address: String, stream: StreamID, wantsRows: Bool = false) {
        self.address = address
        self.stream = stream
        self.wantsRows = wantsRows
    }

    /// Whether it can take a shard: it should have read what it was told, and scores that are here and of no use any
    /// more do not keep it from that.
    package func isIdle(at now: Instant) -> Bool { isOpen && readBy <= now && shard?.isAnswered != false }

    /// Since when it owes an answer, and to how many drafts; `nil` if it owes none.
    var debt: (since: Instant, drafts: Int, isReading: Bool)? {
        guard let shard, !shard.isAnswered else { return nil }
        return (shard.sent, shard.drafts.count, shard.isReading)
    }

    package mutating func receive(_ scores: Scores, at now: Instant) throws(ProtocolFault) {
        // Scores of a shard that was given up are late, and that is all.
        guard let out = shard, out.number == scores.shard, out.choices == nil else { return }
        guard scores.choices.count == out.drafts.count + 1 else {
            throw ProtocolFault("Scores has \(scores.choices.count) choices for \(out.drafts.count) drafts")
        }
        shard?.choices = scores.choices
        noteResponse(to: out, at: now)
    }

    /// The same for rows, which may come in several parts.
    package mutating func receiveRows(
        _ scores: Scores, at now: Instant, vocabularySize: Int, _ sampling: SamplingPolicy
    ) throws(ProtocolFault) {
        guard var out = shard, out.number == scores.shard, out.rows == nil else { return }
        guard scores.choices.isEmpty, !scores.rows.isEmpty else {
            throw ProtocolFault("Scores has \(scores.choices.count) choices where rows are wanted")
        }
        // Held once only, so that the rows of earlier parts are not copied.
        shard = nil
        for (place, row) in scores.rows.enumerated() {
            if place == 0, out.isRowOpen {
                out.parts[out.parts.count - 1].tokens += row.tokens
                out.parts[out.parts.count - 1].probabilities += row.probabilities
            } else {
                out.parts.append(row)
            }
            guard out.parts.count <= out.drafts.count + 1, out.parts[out.parts.count - 1].tokens.count <= vocabularySize
            else { throw ProtocolFault("Scores has more rows, or longer ones, than were asked for") }
        }
        out.isRowOpen = scores.goesOn
        if !out.isRowOpen, out.parts.count == out.drafts.count + 1 {
            do throws(PayloadFault) {
                var rows: [DraftBeams.Row] = []
                for part in out.parts {
                    rows.append(try part.row(vocabularySize: vocabularySize, sampling))
                }
                out.rows = rows
            } catch {
                throw ProtocolFault("Scores: \(error)")
            }
            out.parts = []
            noteResponse(to: out, at: now)
        }
        shard = out
    }

    private mutating func noteResponse(to out: Shard, at now: Instant) {
        let sample = Double(now - out.sent)
        response = response == 0 ? sample : response + 0.125 * (min(sample, 8 * response) - response)
    }
}

extension ScoreHelper.Shard {
    /// What the target chooses behind `text` and then `path`, if this shard knows.
    func choice(behind text: [TokenID], _ path: [TokenID]) -> Choice? {
        guard let choices, let node = place(of: text, path) else { return nil }
        return choices[node.map { $0.rawValue + 1 } ?? 0]
    }

    /// The node that `text` and then `path` lead to; the outer `nil` if they leave the shard.
    func place(of text: [TokenID], _ path: [TokenID]) -> NodeIndex?? {
        guard base.rawValue <= text.count else { return nil }
        let tokens = text[base.rawValue...] + path
        let (node, matched) = drafts.follow(tokens)
        return matched == tokens.count ? .some(node) : nil
    }
}

/// A text held for another verifier, and the shard of it that is to be scored.
package struct GuestStream: Sendable {
    package let link: LinkID
    package let stream: StreamID
    let key: StreamKey
    let sampling: SamplingPolicy
    let promptLength: Position
    let contextTotal: Int
    let wantsRows: Bool
    private(set) var tokens: [TokenID]
    var cursor: CacheCursor
    /// The shard that waits for a pass.
    private(set) var shard: (number: UInt32, drafts: DraftTree)?
    /// The shard in the pass in flight.
    var inFlight: (number: UInt32, cover: PathCover)?

    init(_ open: ScoreOpen, link: LinkID, sequence: SequenceID) {
        self.link = link
        stream = open.stream
        key = open.key
        sampling = open.sampling
        promptLength = open.promptLength
        contextTotal = open.contextTotal
        wantsRows = open.wantsRows
        tokens = open.context
        cursor = CacheCursor(sequence: sequence)
    }

    var length: Position { Position(rawValue: tokens.count) }
    var hasContext: Bool { tokens.count >= contextTotal }
    /// Text to read ahead of any shard: all but its last token.
    var unread: Int { hasContext ? max(0, tokens.count - 1 - cursor.valid.rawValue) : 0 }

    func request(behind position: Position) -> ScoreRequest {
        ScoreRequest(
            key: key, index: position.next - promptLength, policy: wantsRows ? sampling.jointScoring : sampling,
            kind: wantsRows ? .law : .choice)
    }

    mutating func receive(_ open: ScoreOpen) throws(ProtocolFault) {
        guard open.contextOffset == tokens.count, tokens.count + open.context.count <= contextTotal else {
            throw ProtocolFault("ScoreOpen part at \(open.contextOffset) does not continue \(tokens.count) tokens")
        }
        tokens += open.context
    }

    /// Takes what the text is now, and drafts in the place of those that wait.
    ///
    /// - Returns: whether text and drafts fit into the context; if not, nothing of this stream can be scored any more.
    mutating func receive(_ shard: ScoreShard, vocabularySize: Int, contextMax: Int) throws(ProtocolFault) -> Bool {
        guard hasContext, shard.keep <= length, shard.keep.rawValue + shard.tokens.count >= promptLength.rawValue,
            shard.keep.rawValue + shard.tokens.count > 0
        else { throw ProtocolFault("ScoreShard keeps \(shard.keep) of \(length) tokens") }
        guard shard.keep.rawValue + shard.tokens.count < contextMax else { return false }
        tokens.removeSubrange(shard.keep.rawValue...)
        tokens += shard.tokens
        // The last token is evaluated again: a pass needs a row behind the text.
        cursor.cut(to: min(shard.keep, Position(rawValue: tokens.count - 1)))
        self.shard = nil
        guard !shard.drafts.isEmpty || wantsRows else { return true }
        var drafts = DraftTree(root: length)
        let limits = DraftTree.Limits(
            nodesMax: TreeShape.nodesMax, depthMax: min(TreeShape.nodesMax, contextMax - tokens.count), widthMax: 64,
            vocabularySize: vocabularySize)
        do throws(DraftTreeFault) {
            try drafts.receive(parents: shard.parents.map { UInt32($0) }, tokens: shard.drafts, limits: limits)
        } catch {
            // No path has more drafts than the tree may: what is too deep is so for the context.
            if case .tooDeep = error { return false }
            throw ProtocolFault("ScoreShard: \(error.description)")
        }
        self.shard = (shard.shard, drafts)
        return true
    }

    /// The shard that waits goes into a pass.
    mutating func take() -> (number: UInt32, drafts: DraftTree)? {
        defer { shard = nil }
        return shard
    }
}
