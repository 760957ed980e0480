/// One job in the event simulator: what its verifier and its drafter hold of it.
struct SimulatedJob {
    /// A drafter's word: one draft, or none, and whether it goes on.
    struct DraftMessage {
        var epoch: Int
        /// Verdicts heard when it was sent.
        var heard: Int
        var position: Int
        var token: UInt32?
        var isLast: Bool
    }

    /// A verifier's word.
    struct VerdictMessage {
        var tokens: [UInt32]
        /// Positions below this may be drafted.
        var limit: Int
    }

    let text: [TracePosition]
    let salt: UInt32
    var policy: DraftLengthPolicy
    var governor: Governor
    var acceptance: PositionalAcceptance

    // At the verifier.
    var committed: [UInt32] = []
    /// γ of this round, and what the governor was told of it.
    var gamma = 0
    var forecast: Governor.Forecast?
    var roundStarted = 0.0
    /// Drafts in the pass in flight; `isHeld` once it is done and waits (PEARL).
    var inPass: Int?
    var isHeld = false
    var isPostVerify = false
    private(set) var inbox: [UInt32] = []
    private var inboxEpoch = 0
    private var isBroken = false
    private var endHeard = -1
    private(set) var verdicts = 0
    /// Since drafts rest: rounds since some were compared, and how often that was.
    private(set) var rest = (rounds: 0, told: 0)
    /// The same of the pair's job before.
    private let toldBefore: Int

    // At the drafter.
    private var chain: [UInt32] = []
    private var isRight = true
    private(set) var known = 0
    private(set) var epoch = 0
    private var heard = 0
    private var limit = 0
    private var isStopped = false
    /// The policy let the next draft pass; it is asked once.
    private var isCleared = false

    init(text: [TracePosition], salt: UInt32, policy: DraftLengthPolicy, after pair: SimulatedPair) {
        self.text = text
        self.salt = salt
        self.policy = policy
        governor = pair.governor ?? Governor(policy.specification.lengths)
        acceptance = PositionalAcceptance(priorAlpha: pair.acceptance.alpha)
        toldBefore = pair.compared
    }

    var isFinished: Bool { committed.count >= text.count }
    var remaining: Int { text.count - committed.count }

    /// The target's token at a position: any function of it will do.
    func target(_ position: Int) -> UInt32 {
        (UInt32(truncatingIfNeeded: position) &* 2_654_435_761 ^ salt) & ~1
    }

    // MARK: - At the verifier

    /// The drafter will send nothing more before another verdict.
    var isExhausted: Bool { endHeard == verdicts }

    mutating func receive(_ message: DraftMessage) {
        if message.epoch != inboxEpoch {
            inboxEpoch = message.epoch
            inbox = []
            isBroken = false
        }
        if let token = message.token, !isBroken {
            if message.position < committed.count {
                // Late: its position was decided without it.
                isBroken = committed[message.position] != token
            } else if message.position == committed.count + inbox.count {
                inbox.append(token)
            }
        }
        if message.isLast { endHeard = message.heard }
    }

    /// Judges the drafts of the pass: commits those that are the target's tokens, and one more of its own.
    mutating func judge(_ drafts: Int) -> (tokens: [UInt32], judged: Int, accepted: Int) {
        let start = committed.count
        let right = inbox.indices.first { inbox[$0] != target(start + $0) } ?? inbox.count
        let count = min(right, drafts)
        let tokens = (inbox.prefix(count) + [target(start + count)]).prefix(remaining)
        // The row behind the last draft decides one that was not in the pass, too.
        let judged = min(inbox.count, drafts + 1, tokens.count)
        let accepted = min(right, judged)
        isPostVerify = accepted > drafts
        committed += tokens
        if inbox.count > tokens.count, right >= tokens.count {
            inbox.removeFirst(tokens.count)
        } else {
            if right < min(tokens.count, inbox.count) { isBroken = true }
            inbox = []
        }
        verdicts += 1
        return (Array(tokens), judged, accepted)
    }

    /// Drafts that are compared with the text behind the committed one while they rest, as rarely as `JobPace` has it.
    mutating func compared(resting: Bool) -> (accepted: Int, rejected: Bool) {
        rest = resting ? (rest.rounds + 1, rest.told) : (0, 0)
        let told = rest.told == 0 ? 0 : max(rest.told, toldBefore)
        guard resting, rest.rounds >= DraftWindow.restRounds << min(3, told / 4) else { return (0, false) }
        rest = (0, rest.told + 1)
        let next = text.dropFirst(committed.count).prefix(DraftWindow.probe)
        let standing = next.prefix(while: \.agrees).count
        return (standing, standing < next.count)
    }

    // MARK: - At the drafter

    /// The position of the next draft.
    var next: Int { known + chain.count }

    /// Whether a draft may be drawn now. The policy is asked when the place comes up first.
    mutating func mayDraft() -> Bool {
        let position = next
        guard !isStopped, position < min(limit, text.count) else { return false }
        if !isCleared {
            let place = DraftPlace(depth: chain.count)
            isCleared = policy.mayDraw(text[position].statistics, at: place)
            isStopped = !isCleared
        }
        return isCleared
    }

    /// The place for a draft is there but a rule or the limit ends the chain: the verifier is to know.
    var lastWord: DraftMessage {
        DraftMessage(epoch: epoch, heard: heard, position: next, token: nil, isLast: true)
    }

    /// Draws the next draft.
    mutating func draft() -> DraftMessage {
        let position = next
        let here = text[position]
        let token = isRight && here.agrees ? target(position) : target(position) | 1
        let place = DraftPlace(depth: chain.count)
        let step = policy.drew(here.statistics, probability: here.probability, at: place)
        isCleared = false
        isStopped = step != .goOn
        guard step != .dropThenStop else { return lastWord }
        isRight = isRight && here.agrees
        chain.append(token)
        let isLast = isStopped || position + 1 >= min(limit, text.count)
        return DraftMessage(epoch: epoch, heard: heard, position: position, token: token, isLast: isLast)
    }

    /// Hears a verdict; `true` if it must start anew at the committed text.
    mutating func receive(_ verdict: VerdictMessage) -> Bool {
        heard += 1
        limit = verdict.limit
        isStopped = false
        isCleared = false
        let compared = min(chain.count, verdict.tokens.count)
        let isSame = chain.prefix(compared).elementsEqual(verdict.tokens.prefix(compared))
        known += verdict.tokens.count
        guard !isSame else {
            chain.removeFirst(compared)
            return false
        }
        chain = []
        isRight = true
        epoch += 1
        return true
    }

    /// The first verdict, known to both without a message.
    mutating func open(limit: Int) { self.limit = limit }
}
