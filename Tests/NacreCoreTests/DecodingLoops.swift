import NacreCore

/// When a drafter stops before its γ tokens are full.
enum StopRule {
    case never
    /// Legal: stop after including a token that q finds improbable.
    case keepThenStop(below: Double)
    /// Illegal: drop such a token. Its own value then decides whether it is verified (ALGORITHMS 0.5).
    case dropThenStop(below: Double)
}

/// Vanilla speculative decoding (ALGORITHMS 1.2) until `length` tokens are committed.
func speculativeDecoding<Source: ChanceSource>(
    _ tables: Tables, gamma: Int, length: Int, stop: StopRule = .never, chance: inout Source
) -> [TokenID] {
    var committed: [TokenID] = []
    var epoch = 0
    while committed.count < length {
        var tree = ProposedTree(behind: committed)
        drafting: while tree.drafts.count < gamma {
            let q = tables.row(after: committed + tree.chain)
            var longer = tree
            longer.grow(tree.drafts.indices.last, 1, .row(q, .independent), epoch, &chance)
            switch stop {
            case .dropThenStop(let threshold) where q[longer.chain[tree.drafts.count]] < threshold: break drafting
            case .keepThenStop(let threshold) where q[longer.chain[tree.drafts.count]] < threshold:
                tree = longer
                break drafting
            case .never, .keepThenStop, .dropThenStop: tree = longer
            }
        }
        committed += verify(RejectionRule(), tree, tables, after: committed, chance: &chance).tokens(of: tree)
        epoch += 1
    }
    return Array(committed.prefix(length))
}

/// PEARL (ALGORITHMS 2.1) until `length` tokens are committed.
///
/// `window` is empty in PRE; in POST it holds the drafts w_2 ... w_γ behind the committed w_1. With `reusesUniforms`
/// it has the published defect of 2.3-1: post-verification takes the uniform of the position before.
func pearl<Source: ChanceSource>(
    _ tables: Tables, gamma: Int, length: Int, reusesUniforms: Bool = false, chance: inout Source
) -> [TokenID] {
    var committed: [TokenID] = []
    var window: [TokenID] = []
    var epoch = 0
    while committed.count < length {
        let shift = reusesUniforms && !window.isEmpty ? 1 : 0
        // In parallel with the verification below, the drafter adds the next window behind what it drafted so far.
        var next: [TokenID] = []
        for _ in 0..<gamma {
            let context = committed + window + next
            let place = ChancePlace(context.count, .draft, epoch: epoch)
            next.append(chance.token(from: tables.row(after: context), at: place))
        }
        // PRE checks the first draft of the next window alone; POST checks its own window, then that draft.
        var failed = false
        for token in window + [next[0]] {
            let p = tables.p(after: committed)
            let q = tables.row(after: committed)
            let test = ChancePlace(committed.count - shift, .accept)
            guard chance.passes(p: p[token], q: q[token], at: test) else {
                let correction = ChancePlace(committed.count, .correction)
                committed.append(chance.token(from: RejectionRule.residual(p: p, q: q), at: correction))
                failed = true
                break
            }
            committed.append(token)
        }
        // No bonus token: the last row was spent on the first draft of the next window.
        window = failed ? [] : Array(next.dropFirst())
        if failed { epoch += 1 }
    }
    return Array(committed.prefix(length))
}

extension ProposedTree {
    /// The tokens of a tree that is a chain.
    fileprivate var chain: [TokenID] { drafts.tokens(to: drafts.indices.last) }
}
