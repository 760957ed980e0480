import NacreCore
import Testing

/// One round of speculative beam decoding on tables, as a drafter and a verifier would play it.
struct BeamRound: Sendable, CustomTestStringConvertible {
    var width = DSBDRule.Width.fixed(2)
    /// Draws of each layer.
    var draws = [2]
    var ends: Set<TokenID> = []
    /// Entries of a row of q that are kept.
    var entriesMax = 64
    /// Illegal: the draws of a layer are drawn again until they differ.
    var drawsDiffer = false

    var testDescription: String { "\(width), draws \(draws), ends \(ends.sorted())" }

    func forest<Source: ChanceSource>(
        _ tables: Tables, behind beams: TargetBeams, layersMax: Int, chance: inout Source
    ) -> DraftForest {
        var forest = DraftForest(
            roots: beams.live.count, root: Position(rawValue: beams.index), index: beams.index, ends: ends)
        for count in draws.prefix(layersMax) {
            let drafted = forest
            func row(_ place: BeamPlace) -> WeightRow {
                WeightRow(tables.q(after: drafted.text(place, behind: beams)), entriesMax: entriesMax)
            }
            forest.draw(count, epoch: beams.index + 1, chance: &chance, row: row)
        }
        return drawsDiffer ? forest.withoutRepeats() : forest
    }

    @discardableResult
    func play<Source: ChanceSource>(
        _ tables: Tables, _ beams: inout TargetBeams, length: Int, chance: inout Source
    ) -> DSBDVerdict {
        let before = beams
        let forest = forest(tables, behind: beams, layersMax: length - beams.index - 1, chance: &chance)
        return DSBDRule(width: width).advance(&beams, over: forest, chance: &chance) {
            tables.p(after: forest.text($0, behind: before))
        }
    }
}

extension DraftForest {
    /// The generated tokens down to a node.
    func text(_ place: BeamPlace, behind beams: TargetBeams) -> [TokenID] {
        beams.live[place.tree].text.tokens + trees[place.tree].tokens(to: place.node)
    }

    /// The first layer with a draw in the place of each repeated one that is the next token not yet drawn: what drawing
    /// without replacement does where two tokens are all there is.
    fileprivate func withoutRepeats() -> DraftForest {
        guard var layer = layers.isEmpty ? nil : sent(0) else { return self }
        var seen: Set<BeamToken> = []
        for (place, draw) in layer.draws.enumerated() where !seen.insert(draw).inserted {
            let other = layer.rows[draw.beam].entries.first { $0.token != draw.token }
            layer.draws[place].token = other?.token ?? draw.token
        }
        var forest = DraftForest(roots: trees.count, root: trees[0].root, index: index, ends: ends)
        try? forest.receive(layer, drawsMax: 64, layersMax: 64)
        return forest
    }
}

/// What beams a process ends with: live texts in their order, then those that ended.
struct BeamOutcome: Hashable {
    var live: [[TokenID]]
    var finished: Set<[TokenID]>

    init(_ beams: TargetBeams) {
        live = beams.live.map(\.text.tokens)
        finished = Set(beams.finished.map(\.tokens))
    }

    init(live: [[TokenID]], finished: Set<[TokenID]>) {
        self.live = live
        self.finished = finished
    }
}

/// The exact law of the beams when `length` tokens are generated, or all beams have ended: the rounds' laws are
/// enumerated once for each state and composed.
func composedBeamLaw(
    length: Int, ends: Set<TokenID> = [], from first: TargetBeams? = nil,
    round: (inout TargetBeams, inout EnumeratedChance) -> Void
) -> [BeamOutcome: Double] {
    let start = first ?? TargetBeams(ends: ends)
    var open: [BeamOutcome: (beams: TargetBeams, mass: Double)] = [BeamOutcome(start): (start, 1)]
    var law: [BeamOutcome: Double] = [:]
    while let (outcome, state) = open.min(by: { $0.value.beams.index < $1.value.beams.index }) {
        open[outcome] = nil
        let next = EnumeratedChance.law { chance in
            var beams = state.beams
            round(&beams, &chance)
            return beams
        }
        for (beams, probability) in next {
            let outcome = BeamOutcome(beams)
            let mass = state.mass * probability
            if beams.index >= length || beams.live.isEmpty {
                law[outcome, default: 0] += mass
            } else {
                // States of the same texts have the same weights, but for rounding.
                open[outcome] = (beams, (open[outcome]?.mass ?? 0) + mass)
            }
        }
    }
    return law
}

extension Tables {
    /// Beam sampling by ALGORITHMS 4.1 written out: all ordered draws of `width` pairs, in plain arithmetic.
    func beamSamplingLaw(width: Int, length: Int, ends: Set<TokenID> = []) -> [BeamOutcome: Double] {
        struct State: Hashable {
            var live: [[TokenID]]
            var weights: [Double]
            var finished: Set<[TokenID]>
        }
        var law: [BeamOutcome: Double] = [:]
        func go(_ state: State, _ mass: Double, _ left: Int) {
            guard left > 0, !state.live.isEmpty else {
                law[BeamOutcome(live: state.live, finished: state.finished), default: 0] += mass
                return
            }
            var pairs: [(text: [TokenID], p: Double)] = []
            for (text, weight) in zip(state.live, state.weights) {
                for (token, p) in self.p(after: text).probabilities.enumerated() where p > 0 {
                    pairs.append((text + [TokenID(rawValue: UInt32(token))], weight * p))
                }
            }
            func draw(_ drawn: [Int], _ probability: Double) {
                if drawn.count == width {
                    var next = State(live: [], weights: [], finished: state.finished)
                    for place in drawn {
                        let pair = pairs[place]
                        if pair.text.last.map(ends.contains) ?? false {
                            next.finished.insert(pair.text)
                        } else {
                            next.live.append(pair.text)
                            next.weights.append(pair.p)
                        }
                    }
                    let total = next.weights.reduce(0, +)
                    next.weights = next.weights.map { $0 / total }
                    go(next, mass * probability, left - 1)
                    return
                }
                for place in pairs.indices { draw(drawn + [place], probability * pairs[place].p) }
            }
            draw([], 1)
        }
        go(State(live: [[]], weights: [1], finished: []), 1, length)
        return law
    }
}
