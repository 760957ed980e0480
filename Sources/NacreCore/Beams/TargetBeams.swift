import RealModule

/// The beams of one job under beam sampling: what a verifier holds between two passes, and the answers so far.
///
///     var beams = TargetBeams(ends: [vocabulary.end])          // one beam, the prompt
///     BeamSampling(width: 4).step(&beams, chance: &chance) { beam in row(behind: beams.live[beam]) }
///     respond(beams.answers(nBest))
///
/// All live beams are equally long. One that ends the text is set aside, and the weights of the others are scaled to
/// sum to 1 again, so that what is left is drawn among texts that go on. Once so many draws as `endsMax` have ended
/// the process is over, and what still goes on is no answer.
package struct TargetBeams: Sendable, Hashable {
    /// A text behind the prompt.
    package struct Hypothesis: Sendable, Hashable {
        package var tokens: [TokenID] = []
        /// The sum of ln p over its tokens, in nats: cumulative, never scaled by the other beams.
        package var logP = 0.0
        /// Draws that came to this text.
        package var copies = 1

        /// ln p per token, by which texts of different lengths are compared; 0 for the empty one.
        package var score: Double { tokens.isEmpty ? 0 : logP / Double(tokens.count) }
    }

    /// A text that goes on.
    package struct Beam: Sendable, Hashable {
        package var text: Hypothesis
        /// w, summing to 1 over the live beams.
        package var weight: Double
    }

    /// The beams that go on; none once all have ended. The same text may be there more than once.
    package private(set) var live = [Beam(text: Hypothesis(), weight: 1)]
    /// Different texts that have ended, best first, at most `answersMax`.
    package private(set) var finished: [Hypothesis] = []
    /// The logical index of the generated token that comes next.
    package private(set) var index: Int
    package let ends: Set<TokenID>
    /// Most answers that can be asked for.
    package let answersMax: Int
    private let endsMax: Int
    /// Draws that ended a text, repeated ones included.
    private var endCount = 0

    /// - Parameters:
    ///   - index: generated tokens before the beams begin.
    ///   - ends: tokens behind which there is no text.
    ///   - endsMax: draws that end a text before all is over; without it all beams must end.
    package init(index: Int = 0, ends: Set<TokenID> = [], endsMax: Int = .max, answersMax: Int = 16) {
        self.index = index
        self.ends = ends
        self.endsMax = endsMax
        self.answersMax = answersMax
    }

    /// Nothing more is to be drawn, whatever the budget.
    package var isOver: Bool { live.isEmpty || endCount >= endsMax }

    /// Draws that the live beams stand for.
    package var width: Int { live.reduce(0) { $0 + $1.text.copies } }

    /// Tokens that a cache holds of the live beams: what two of them begin with is there once.
    package var cells: Int {
        let texts = live.map(\.text.tokens).sorted { $0.lexicographicallyPrecedes($1) }
        return zip([[]] + texts, texts).reduce(0) { sum, neighbours in
            sum + neighbours.1.count - zip(neighbours.0, neighbours.1).prefix { $0 == $1 }.count
        }
    }

    /// P(i, x) over the live beams; `rows[i]` is the target's law behind beam i, after the sampler transform.
    package func law(rows: [Distribution]) -> JointLaw { JointLaw(weights: live.map(\.weight), rows: rows) }

    /// Makes `pairs`, drawn from `law`, the beams; the new weights are proportional to P of the pairs.
    ///
    /// - Parameter scores: for each beam the law by which its next token's likelihood is told.
    /// - Returns: which of the pairs are live beams now, in order.
    @discardableResult
    mutating func advance(by pairs: [BeamToken], of law: JointLaw, scores: [Distribution]) -> [Int] {
        let before = live
        live = []
        index += 1
        var places: [Int] = []
        for (place, pair) in pairs.enumerated() {
            var text = before[pair.beam].text
            text.tokens.append(pair.token)
            text.copies = 1
            text.logP += Double.log(scores[pair.beam][pair.token])
            if ends.contains(pair.token) {
                finish(text)
            } else {
                live.append(Beam(text: text, weight: law[pair]))
                places.append(place)
            }
        }
        let total = live.reduce(0) { $0 + $1.weight }
        for beam in live.indices { live[beam].weight /= total }
        return places
    }

    private mutating func finish(_ text: Hypothesis) {
        endCount += 1
        if let known = finished.firstIndex(where: { $0.tokens == text.tokens }) {
            finished[known].copies += 1
            return
        }
        finished.append(text)
        finished = Self.ranked(finished, answersMax)
    }

    /// Makes beams of one text one beam, that weighs as all of them do: what is drawn next has the same law.
    ///
    /// - Returns: for each beam that is left its place among those that there were.
    package mutating func merge() -> [Int] {
        var places: [[TokenID]: Int] = [:]
        var kept: [Int] = []
        var merged: [Beam] = []
        for (place, beam) in live.enumerated() {
            if let known = places[beam.text.tokens] {
                merged[known].weight += beam.weight
                merged[known].text.copies += beam.text.copies
            } else {
                places[beam.text.tokens] = merged.count
                merged.append(beam)
                kept.append(place)
            }
        }
        live = merged
        return kept
    }

    // MARK: - Answers

    /// The `count` best different texts by cumulative log-likelihood per token, best first: finished ones, and unless
    /// enough have finished those that go on.
    package func answers(_ count: Int) -> [Hypothesis] {
        var different = self
        _ = different.merge()
        let open = endCount >= endsMax ? [] : different.live.map(\.text)
        return Self.ranked(finished + open, min(count, answersMax))
    }

    /// Of equally good ones the earlier first.
    private static func ranked(_ texts: [Hypothesis], _ count: Int) -> [Hypothesis] {
        let order = texts.indices.sorted { (texts[$1].score, $0) < (texts[$0].score, $1) }
        return order.prefix(count).map { texts[$0] }
    }

    // MARK: - Low memory

    /// Which beam is left when only one is kept.
    package enum Survivor: Sendable, Hashable {
        /// A beam drawn with its weight.
        case drawn
        /// The one with the largest weight, the first on a tie.
        case likeliest
    }

    /// Keeps one live beam, so that the next round begins with one root and the cache is that of one text: DSBD's
    /// low-memory variant, after each round. What is drawn from then on is no longer beam sampling of the full width,
    /// and as rounds are as long as drafts are good, its law depends on the drafter.
    ///
    /// - Returns: its place among the beams there were; `nil` if all have ended.
    package mutating func keepOne<Source: ChanceSource>(_ survivor: Survivor, chance: inout Source) -> Int? {
        guard let law = Distribution(weights: live.map(\.weight)) else { return nil }
        let kept =
            switch survivor {
            case .drawn: Int(chance.token(from: law, at: ChancePlace(index, .beam)).rawValue)
            case .likeliest: Int(law.likeliest(1)[0].rawValue)
            }
        live = [Beam(text: live[kept].text, weight: 1)]
        live[0].text.copies = 1
        return kept
    }
}
