import NacreCore
import Testing

/// Walks every branch that chance could take, one run after another, and knows the probability of each.
///
/// It takes decisions at different places for independent, as the keyed generator makes them, and therefore watches
/// that no run decides twice at one place.
struct EnumeratedChance: ChanceSource {
    /// The choices of this run so far: which branch, and the branches' probabilities.
    private var path: [(branch: Int, of: [Double])] = []
    private var depth = 0
    private(set) var probability = 1.0
    private var seen: Set<ChancePlace> = []
    /// Places at which some run decided twice.
    private(set) var repeated: Set<ChancePlace> = []

    mutating func passes(p: Double, q: Double, at place: ChancePlace) -> Bool {
        let passing = p <= 0 ? 0 : p >= q ? 1 : p / q
        return branch([passing, 1 - passing], at: place) == 0
    }

    mutating func token(from law: Distribution, at place: ChancePlace) -> TokenID {
        TokenID(rawValue: UInt32(branch(law.probabilities, at: place)))
    }

    mutating func token(from row: WeightRow, at place: ChancePlace) -> TokenID {
        row.entries[branch(row.entries.map { Double($0.weight) / Double(row.total) }, at: place)].token
    }

    mutating func choice(from law: Distribution, at index: Int) -> Choice {
        // The noise of an index is one decision, however many rows it perturbs: a lane of its own.
        let place = ChancePlace(index, .correction, sibling: -1)
        return Choice(token: token(from: law, at: place), margin: .infinity)
    }

    private mutating func branch(_ probabilities: [Double], at place: ChancePlace) -> Int {
        if !seen.insert(place).inserted { repeated.insert(place) }
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

    /// The exact law of what `run` returns, and the places at which it decided twice.
    static func enumerate<Outcome: Hashable>(
        _ run: (inout EnumeratedChance) throws -> Outcome
    ) rethrows -> (law: [Outcome: Double], repeated: Set<ChancePlace>) {
        var law: [Outcome: Double] = [:]
        var chance = EnumeratedChance()
        repeat {
            chance.depth = 0
            chance.probability = 1
            chance.seen.removeAll(keepingCapacity: true)
            law[try run(&chance), default: 0] += chance.probability
        } while chance.advance()
        return (law, chance.repeated)
    }

    /// The exact law of what `run` returns; no place may be used twice.
    static func law<Outcome: Hashable>(
        of run: (inout EnumeratedChance) throws -> Outcome
    ) rethrows -> [Outcome: Double] {
        let (law, repeated) = try enumerate(run)
        #expect(repeated.isEmpty)
        return law
    }
}

/// The exact law of the first `length` tokens of a loop of rounds, each of which depends on the committed tokens and
/// on chance of its own: the rounds' laws are enumerated once per context and composed.
func composedLaw(
    length: Int, round: ([TokenID], inout EnumeratedChance) -> [TokenID]
) -> [[TokenID]: Double] {
    var open: [[TokenID]: Double] = [[]: 1]
    var law: [[TokenID]: Double] = [:]
    for committed in 0..<length {
        for (context, mass) in open where context.count == committed {
            open[context] = nil
            for (tokens, probability) in EnumeratedChance.law(of: { round(context, &$0) }) {
                let longer = Array((context + tokens).prefix(length))
                if longer.count == length {
                    law[longer, default: 0] += mass * probability
                } else {
                    open[longer, default: 0] += mass * probability
                }
            }
        }
    }
    return law
}

/// The keyed generator, watched for places at which a run decides twice; `move` puts decisions in other places, for
/// defects that must be caught.
struct WatchedChance: ChanceSource {
    private var chance: KeyedChance
    private let move: @Sendable (ChancePlace) -> ChancePlace
    private var seen: Set<ChancePlace> = []
    private(set) var repeated: Set<ChancePlace> = []

    init(key: StreamKey, move: @escaping @Sendable (ChancePlace) -> ChancePlace = { $0 }) {
        chance = KeyedChance(key: key)
        self.move = move
    }

    private mutating func moved(_ place: ChancePlace) -> ChancePlace {
        let place = move(place)
        if !seen.insert(place).inserted { repeated.insert(place) }
        return place
    }

    mutating func passes(p: Double, q: Double, at place: ChancePlace) -> Bool {
        chance.passes(p: p, q: q, at: moved(place))
    }
    mutating func token(from law: Distribution, at place: ChancePlace) -> TokenID {
        chance.token(from: law, at: moved(place))
    }
    mutating func token(from row: WeightRow, at place: ChancePlace) -> TokenID {
        chance.token(from: row, at: moved(place))
    }
    mutating func choice(from law: Distribution, at index: Int) -> Choice { chance.choice(from: law, at: index) }
}
