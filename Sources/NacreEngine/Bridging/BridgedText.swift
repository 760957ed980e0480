import NacreCore

/// What one sequence holds, in the target's tokens and in the drafter's.
///
/// | part | in the target's tokens | in the drafter's |
/// |---|---|---|
/// | beginning, and what cannot be aligned | `before` | `head` |
/// | the aligned text | `text.targetTrack` | `text.draftTrack` |
/// | SLEM: drafts of ours that were taken up | `pending` | a part of `rollout` |
/// | SLEM: what the drafter goes on with | – | the rest of `rollout` |
///
/// Under SLEM the target's next token is known only some tokens of the drafter later. What was drafted for it stays,
/// and is moved into the text where tokens of both end together, so that a chain of n tokens costs about as many passes
/// as its text has tokens of the drafter's.
struct BridgedText: Sendable {
    /// A token that the drafter went on with, and what else it thought of there.
    struct Step: Sendable {
        let token: TokenID
        /// q of it.
        let probability: Double
        /// The best few, the token first.
        let candidates: [Candidate]
        let statistics: TokenStatistics
    }

    private let bridge: VocabularyBridge
    /// The target's.
    private(set) var tokens: [TokenID] = []
    private var before = 0
    private var head: [TokenID]
    private var text: AlignedText
    private(set) var rollout: [Step] = []
    /// The target's tokens that text and rollout come to, behind `text`.
    private(set) var matches: [Candidate] = []
    /// `tli` takes tokens over as they are where both have them.
    var mode: BridgeKind {
        didSet { if mode == .tli, oldValue != .tli { endRollout() } }
    }
    /// What the engine's cache holds.
    var cached: [TokenID] = []

    /// Tokens up to which a part of a text is taken over token by token; a longer one is a prompt's, for which the
    /// drafter's own tokenization is the better context.
    private static let stepMax = 8
    /// Pending tokens after which a rollout is given up that never ends where one of the target's tokens does.
    private static let pendingMax = 32

    init(_ bridge: VocabularyBridge) {
        self.bridge = bridge
        mode = bridge.kind == .tli ? .tli : .slem
        head = bridge.draftBeginning
        text = AlignedText(target: bridge.target, draft: bridge.draft, intersection: bridge.intersection)
    }

    /// What the drafter has to have read, rollout included.
    var context: [TokenID] { head + text.draftTokens + rollout.map(\.token) }
    /// Bytes that it has not read: of a character that is not complete.
    var held: [UInt8] { Array(text.bytes.suffix(text.held)) }
    private var start: Int { before + text.targetTrack.tokens.count }
    private var pending: ArraySlice<TokenID> { tokens[start...] }

    // MARK: - The target's tokens

    mutating func append(_ new: some Collection<TokenID>) {
        tokens += new
        if !rollout.isEmpty, matches.map(\.token).starts(with: pending), pending.count <= Self.pendingMax {
            absorb()
        } else {
            align()
        }
    }

    mutating func rewind(to count: Int) {
        guard count < tokens.count else { return }
        tokens.removeLast(tokens.count - count)
        // What is drafted behind the text may come to pending tokens that are gone: that is no loss.
        guard count < start else { return }
        forgetRollout()
        if count >= before {
            text.rewind(to: count - before, by: mode)
        } else {
            before = 0
            head = bridge.draftBeginning
            text.restart()
            align()
        }
    }

    /// Whether the target's tokens have come to the middle of what the drafter goes on with.
    var isMidway: Bool { !rollout.isEmpty && !pending.isEmpty }

    /// The drafter goes on with nothing of its own.
    mutating func endRollout() {
        if !rollout.isEmpty { align() }
    }

    private mutating func forgetRollout() {
        rollout = []
        matches = []
    }

    /// Takes all tokens into the text.
    private mutating func align() {
        forgetRollout()
        if before == 0, text.targetTrack.tokens.isEmpty, !bridge.targetBeginning.isEmpty,
            tokens.starts(with: bridge.targetBeginning)
        {
            before = bridge.targetBeginning.count
        }
        let mode = pending.count <= Self.stepMax ? mode : .slem
        var part: [TokenID] = []
        for token in Array(pending) {
            part.append(token)
            guard bridge.target.isCommand(token), bridge.intersection.draftToken(of: token) == nil else { continue }
            commit(part, by: mode)
            part = []
        }
        commit(part, by: mode)
    }

    /// A command that the drafter lacks, or bytes that it cannot spell, it does not get to see: it goes on behind them.
    /// What was held back before these, and what of them it can read, it reads.
    private mutating func commit(_ part: [TokenID], by mode: BridgeKind) {
        guard let last = part.last else { return }
        let saved = part.count > 1 ? text : nil
        _ = text.commit(part, by: mode)
        guard text.isLost else { return }
        if let saved {
            // One of them is to be left out, not all.
            text = saved
            commit(Array(part.prefix(part.count / 2)), by: mode)
            commit(Array(part.dropFirst(part.count / 2)), by: mode)
        } else {
            head += text.draftTokens + bridge.draft.readable(held)
            // A shared command is lost to the text only by the bytes before it.
            if bridge.target.isCommand(last), let command = bridge.intersection.draftToken(of: last) {
                head.append(command)
            }
            before += text.targetTrack.tokens.count
            text.restart()
        }
    }

    // MARK: - SLEM

    /// Moves pending tokens into the text if they end where a token of the rollout does, and the text then reads the
    /// same to the drafter.
    private mutating func absorb() {
        let length = pending.reduce(0) { $0 + bridge.target.text(of: $1).count } + text.held
        var covered = 0
        var count = 0
        while covered < length, count < rollout.count {
            covered += bridge.draft.text(of: rollout[count].token).count
            count += 1
        }
        guard covered == length, !pending.contains(where: bridge.target.isCommand) else { return }
        var next = text
        _ = next.commit(Array(pending))
        guard !next.isLost, next.held == 0,
            next.draftTokens == text.draftTokens + rollout.prefix(count).map(\.token)
        else { return }
        text = next
        rollout.removeFirst(count)
        study()
    }

    /// Whether the target's next token is known, or nothing will make it known.
    var isSettled: Bool { matches.count > pending.count || hasEnded || isAstray }
    private var hasEnded: Bool { rollout.last.map { bridge.draft.isCommand($0.token) } ?? false }
    /// Behind the beginning of a character the drafter, which has not seen it, goes on with something else.
    private var isAstray: Bool {
        text.held > 0 && zip(held, rollout.lazy.flatMap { bridge.draft.text(of: $0.token) }).contains { $0 != $1 }
    }

    mutating func roll(_ step: Step) {
        rollout.append(step)
        study()
        // More text can, rarely, make the tokenizer think again of what was taken up.
        if !matches.map(\.token).starts(with: pending.prefix(matches.count)) { align() }
    }

    private mutating func study() {
        matches = text.exactMatches(
            of: rollout.map { Candidate(token: $0.token, probability: $0.probability) })
    }

    /// What may come next in the target's tokens, at most `count`, the likeliest first.
    func candidates(_ count: Int) -> [Candidate] {
        guard matches.count > pending.count else { return [] }
        var found = [matches[pending.count]]
        guard count > 1, let place = place, place < rollout.count else { return found }
        let path = rollout.prefix(place).map { Candidate(token: $0.token, probability: $0.probability) }
        for other in rollout[place].candidates.dropFirst() where found.count < count {
            guard let token = guess(behind: path, other), !found.contains(where: { $0.token == token }) else {
                continue
            }
            found.append(Candidate(token: token, probability: other.probability))
        }
        return found
    }

    /// The statistics of the row that the target's next token begins with.
    var statistics: TokenStatistics {
        place.flatMap { $0 < rollout.count ? rollout[$0].statistics : nil } ?? TokenStatistics()
    }

    /// How many tokens of the rollout say the pending ones; `nil` if none ends where they do.
    private var place: Int? {
        var rest = pending.reduce(text.held) { $0 + bridge.target.text(of: $1).count }
        for (count, step) in rollout.enumerated() {
            if rest <= 0 { return rest == 0 ? count : nil }
            rest -= bridge.draft.text(of: step.token).count
        }
        return nil
    }

    /// The target's token behind the pending ones if the drafter went on with `other` and then ended: more text could
    /// merge with it, so this is less sure than what a rollout says.
    private func guess(behind path: [Candidate], _ other: Candidate) -> TokenID? {
        guard let end = bridge.draftEnd else { return nil }
        let whole = text.exactMatches(of: path + [other, Candidate(token: end, probability: 1)])
        return whole.count > pending.count + 1 || bridge.draft.isCommand(other.token) && whole.count > pending.count
            ? whole[pending.count].token : nil
    }
}
