import NacreCore
import NacreEngine
import NacreProtocol
import Testing

/// A verifier that scores for another one, in a `MachineLoop`.
struct HelperLoop {
    let sequences: Int
    var machine: VerifierMachine
    var engine: ReferenceEngine
    /// What it has said so far.
    var messages = 0
    var isGone = false
    /// Trees that it was lent, and tokens that came with them for want of them in its cache.
    private(set) var lent = (trees: 0, tokens: 0)

    init(_ setting: MachineLoop.Setting, contextMax: Int) {
        sequences = 12
        machine = VerifierMachine(
            VerifierMachine.Configuration(
                node: "h", incarnation: 3, vocabularyDigest: 7, vocabularySize: setting.language.vocabulary,
                sequences: sequences, contextMax: contextMax, nodesMax: setting.nodesMax, endTokens: setting.ends,
                canRewind: true, branches: setting.branches,
                cost: StepCostModel(nodesMax: setting.nodesMax, priorFixed: 1_000, perNode: 20)))
        engine = ReferenceEngine(
            model: setting.language.target, contextCells: 2_048, sequences: sequences + setting.branches,
            nodesMax: setting.nodesMax)
    }

    mutating func note(_ message: Message) {
        guard case .scoreShard(let shard) = message else { return }
        lent = (lent.trees + 1, lent.tokens + shard.tokens.count)
    }

    mutating func step(_ input: VerifierMachine.Input, at now: Instant) -> [VerifierMachine.Effect] {
        var effects: [VerifierMachine.Effect] = []
        machine.step(input, at: now, into: &effects)
        return effects
    }
}

extension MachineLoop {
    var helperOffers: [Offer] {
        helpers.indices.filter { !helpers[$0].isGone }.map { Offer(address: "h\($0)", incarnation: 3) }
    }

    mutating func step(_ number: Int, _ input: VerifierMachine.Input) {
        for effect in helpers[number].step(input, at: now) { perform(effect, ofHelper: number) }
    }

    /// A helper's answers go home; the last of them is gone after some.
    private mutating func perform(_ effect: VerifierMachine.Effect, ofHelper number: Int) {
        switch effect {
        case .toHost(_, let message):
            guard !helpers[number].isGone else { break }
            helpers[number].messages += 1
            let link = 2 * drafters.count + helpers.count + number
            let isLast = helpers[number].messages > setting.helperMessages && number == helpers.count - 1
            helpers[number].isGone = isLast
            send(
                .verifier(
                    isLast ? .drafterLost(address: "h\(number)") : .data(address: "h\(number)", message)), on: link)
        case .evaluate(let pass):
            let helper = helpers[number]
            guard let scores = evaluate(pass, &helpers[number].engine, helper.machine.cachedTexts) else { break }
            let end = now + Int(100 + dice.next() % 1_500)
            schedule(.helper(number, .passed(.done(scores, started: now, ended: end))), at: end)
        case .closeHost(_, let goodbye): Issue.record("\(goodbye.detail)")
        case .wake(let instant): schedule(.helper(number, .tick), at: max(instant, now))
        default: break
        }
    }
}
