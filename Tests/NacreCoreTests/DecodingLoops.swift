import NacreCore

/// Where the decoding loops get their chance from: drawn (`KeyedChance`) or enumerated (`EnumeratedChance`).
protocol Chance {
    /// A token from `law` for position `index`.
    mutating func draw(_ law: Distribution, at index: Int, lane: PositionalRandom.Lane) -> TokenID
    /// Whether the drafted `token` passes at position `index`.
    mutating func passes(_ token: TokenID, p: Distribution, q: Distribution, at index: Int, in phase: Phase) -> Bool
}

/// PEARL's two kinds of check; vanilla speculative decoding has the second only.
enum Phase { case preVerify, postVerify }

/// When a drafter stops before its γ tokens are full.
enum StopRule {
    case never
    /// Legal: stop after including a token that q finds improbable.
    case keepThenStop(below: Double)
    /// Illegal: drop such a token. Its own value then decides whether it is verified (ALGORITHMS 0.5).
    case dropThenStop(below: Double)
}

/// Vanilla speculative decoding (ALGORITHMS 1.2) until `length` tokens are committed.
func speculativeDecoding<Source: Chance>(
    _ tables: Tables, gamma: Int, length: Int, stop: StopRule = .never, chance: inout Source
) -> [TokenID] {
    var committed: [TokenID] = []
    while committed.count < length {
        let base = committed.count
        var drafts: [TokenID] = []
        drafting: while drafts.count < gamma {
            let q = tables.q(after: committed + drafts)
            let token = chance.draw(q, at: base + drafts.count, lane: .draft)
            switch stop {
            case .dropThenStop(let threshold) where q[token] < threshold: break drafting
            case .keepThenStop(let threshold) where q[token] < threshold:
                drafts.append(token)
                break drafting
            case .never, .keepThenStop, .dropThenStop: drafts.append(token)
            }
        }
        var law: Distribution?
        for token in drafts {
            let p = tables.p(after: committed)
            let q = tables.q(after: committed)
            guard chance.passes(token, p: p, q: q, at: committed.count, in: .postVerify) else {
                law = RejectionRule.residual(p: p, q: q)
                break
            }
            committed.append(token)
        }
        // The correction after a failure, the bonus otherwise.
        committed.append(
            chance.draw(law ?? tables.p(after: committed), at: committed.count, lane: .correction))
    }
    return Array(committed.prefix(length))
}

/// PEARL (ALGORITHMS 2.1) until `length` tokens are committed.
///
/// `window` is empty in PRE; in POST it holds the drafts w_2 ... w_γ behind the committed w_1.
func pearl<Source: Chance>(_ tables: Tables, gamma: Int, length: Int, chance: inout Source) -> [TokenID] {
    var committed: [TokenID] = []
    var window: [TokenID] = []
    while committed.count < length {
        let phase = window.isEmpty ? Phase.preVerify : .postVerify
        // In parallel with the verification below, the drafter adds the next window behind what it drafted so far.
        var next: [TokenID] = []
        for _ in 0..<gamma {
            let context = committed + window + next
            next.append(chance.draw(tables.q(after: context), at: context.count, lane: .draft))
        }
        // PRE checks the first draft of the next window alone; POST checks its own window, then that draft.
        var failed = false
        for token in window + [next[0]] {
            let p = tables.p(after: committed)
            let q = tables.q(after: committed)
            guard chance.passes(token, p: p, q: q, at: committed.count, in: phase) else {
                committed.append(
                    chance.draw(RejectionRule.residual(p: p, q: q), at: committed.count, lane: .correction))
                failed = true
                break
            }
            committed.append(token)
        }
        // No bonus token: the last row was spent on the first draft of the next window.
        window = failed ? [] : Array(next.dropFirst())
    }
    return Array(committed.prefix(length))
}

/// Chance from the production generator.
struct KeyedChance: Chance {
    let random: PositionalRandom
    /// The published defect of ALGORITHMS 2.3-1: post-verification takes the uniform of the position before.
    var reusesUniforms = false

    init(key: StreamKey, reusesUniforms: Bool = false) {
        random = PositionalRandom(key: key)
        self.reusesUniforms = reusesUniforms
    }

    func draw(_ law: Distribution, at index: Int, lane: PositionalRandom.Lane) -> TokenID {
        law.token(at: random.uniform(at: index, lane: lane))
    }

    func passes(_ token: TokenID, p: Distribution, q: Distribution, at index: Int, in phase: Phase) -> Bool {
        let place = reusesUniforms && phase == .postVerify ? index - 1 : index
        return RejectionRule.accepts(token, p: p, q: q, u: random.uniform(at: place, lane: .accept))
    }
}

/// Walks every branch that chance could take, one run after another, and knows the probability of each.
struct EnumeratedChance: Chance {
    /// The choices of this run so far: which branch, and the branches' probabilities.
    private var path: [(branch: Int, of: [Double])] = []
    private var depth = 0
    private var probability = 1.0

    mutating func draw(_ law: Distribution, at index: Int, lane: PositionalRandom.Lane) -> TokenID {
        TokenID(rawValue: UInt32(branch(law.probabilities)))
    }

    mutating func passes(
        _ token: TokenID, p: Distribution, q: Distribution, at index: Int, in phase: Phase
    ) -> Bool {
        let passing = min(1, p[token] / q[token])
        return branch([passing, 1 - passing]) == 0
    }

    private mutating func branch(_ probabilities: [Double]) -> Int {
        if depth == path.count {
            let first = probabilities.firstIndex { $0 > 0 } ?? 0
            path.append((first, probabilities))
        }
        defer { depth += 1 }
        probability *= probabilities[path[depth].branch]
        return path[depth].branch
    }

    /// Moves to the next path, depth first; false after the last one.
    private mutating func advance() -> Bool {
        while let (branch, probabilities) = path.popLast() {
            if let next = probabilities[(branch + 1)...].firstIndex(where: { $0 > 0 }) {
                path.append((next, probabilities))
                return true
            }
        }
        return false
    }

    /// The exact law of what `run` returns.
    static func law(of run: (inout EnumeratedChance) -> [TokenID]) -> [[TokenID]: Double] {
        var law: [[TokenID]: Double] = [:]
        var chance = EnumeratedChance()
        repeat {
            chance.depth = 0
            chance.probability = 1
            law[run(&chance), default: 0] += chance.probability
        } while chance.advance()
        return law
    }
}
