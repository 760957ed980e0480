import RealModule

/// Finds the best of many arms within a budget: all are tried a little, the better half a little more, and so on, until
/// a few finalists share what is left.
///
///     var search = SuccessiveHalving(arms: 32, budget: 600)
///     while let arms = search.next() {
///         search.record(measure(arms), cost: seconds)      // one ratio for each arm, of the same sample
///     }
///
/// Each round costs about the same, so that what is spent on an arm doubles as their number halves. It is Sequential
/// Halving (Karnin, Koren and Somekh 2013, algorithm 1) with two differences: rounds are measured in time instead of
/// pulls, since slow arms cost more; and what was learnt in earlier rounds counts on. Samples are shared by all arms of
/// a round, and rewards are logarithms, so that means are of ratios.
package struct SuccessiveHalving: Sendable {
    /// A round as it ended.
    package struct Round: Sendable, Hashable, Codable {
        /// Arms that took part, the best first, with the geometric mean of their ratios so far.
        package let arms: [Int]
        package let means: [Double]
        /// Samples of this round.
        package let samples: Int
    }

    /// Arms that share the last part of the budget.
    package static let finalists = 3
    /// That part: which of the last few is best is the hardest to tell, and what people are told.
    package static let finalShare = 0.4

    package let budget: Double
    /// What was recorded so far.
    package private(set) var spent = 0.0
    package private(set) var rounds: [Round] = []
    /// Arms that are still in, the best of the last round first.
    package private(set) var survivors: [Int]
    private var logarithms: [[Double]]
    /// Ratios of the finalists, `[samples × survivors]`: from the last round, whose arms were chosen without them.
    private var finals: [[Double]] = []
    private var spentBefore = 0.0
    private var samples = 0
    private var costPerArm = 0.0

    /// - Parameter budget: in the unit of `record`'s cost.
    package init(arms: Int, budget: Double) {
        precondition(arms > 0 && budget > 0, "\(arms) arms, a budget of \(budget)")
        self.budget = budget
        survivors = Array(0..<arms)
        logarithms = Array(repeating: [], count: arms)
    }

    /// Whether those that are left share the rest of the budget.
    package var isFinal: Bool { survivors.count <= Self.finalists }

    /// The arms to measure next, all on one sample; `nil` when the budget does not suffice for another.
    package mutating func next() -> [Int]? {
        if !isFinal, samples > 0, spent - spentBefore >= roundBudget { close(keeping: half) }
        guard spent < budget, samples == 0 || spent + costPerArm * Double(survivors.count) <= budget else { return nil }
        return survivors
    }

    /// Takes in one sample.
    ///
    /// - Parameters:
    ///   - ratios: of the arms measured, positive; those that there was no time for are left out.
    ///   - cost: what it cost.
    package mutating func record(_ ratios: [Int: Double], cost: Double) {
        spent += max(0, cost)
        samples += 1
        if !ratios.isEmpty { costPerArm = cost / Double(ratios.count) }
        for (arm, ratio) in ratios where ratio > 0 && ratio.isFinite { logarithms[arm].append(.log(ratio)) }
        let row = survivors.compactMap { ratios[$0] }
        if isFinal, row.count == survivors.count, row.allSatisfy({ $0 > 0 && $0.isFinite }) { finals.append(row) }
    }

    /// Geometric mean of an arm's ratios; `nil` for one that was never measured.
    package func mean(of arm: Int) -> Double? {
        let values = logarithms[arm]
        return values.isEmpty ? nil : .exp(values.reduce(0, +) / Double(values.count))
    }

    /// Samples of an arm.
    package func samples(of arm: Int) -> Int { logarithms[arm].count }

    /// All arms, the best first: those that stayed longer before those that left, and those never measured last.
    package var ranking: [Int] {
        let left = rounds.reversed().flatMap(\.arms)
        var seen: Set<Int> = []
        return (ranked(survivors) + left + logarithms.indices).filter { seen.insert($0).inserted }
    }

    /// Samples of all finalists.
    package var finalSamples: Int { finals.count }

    /// How sure it is that the first finalist is the best of them, in the order of `survivors`; empty before the last
    /// round, or if that had less than `PairedBootstrap.samplesMin` samples.
    package var findings: [PairedBootstrap.Finding] {
        finals.count >= PairedBootstrap.samplesMin ? PairedBootstrap(finals).findings : []
    }

    // MARK: - Rounds

    private var half: Int { max(Self.finalists, (survivors.count + 1) / 2) }

    /// Of the time that rounds of elimination have, an equal part of what is left of it.
    private var roundBudget: Double {
        var (rounds, count) = (0, survivors.count)
        while count > Self.finalists {
            count = max(Self.finalists, (count + 1) / 2)
            rounds += 1
        }
        return max(0, budget * (1 - Self.finalShare) - spentBefore) / Double(max(1, rounds))
    }

    private mutating func close(keeping count: Int) {
        let ranked = ranked(survivors)
        guard !ranked.isEmpty else { return }
        rounds.append(Round(arms: ranked, means: ranked.compactMap { mean(of: $0) }, samples: samples))
        // An arm that there was no time for is not known to be worse, but nothing speaks for it either.
        survivors = Array(ranked.prefix(count))
        spentBefore = spent
        samples = 0
        finals = []
    }

    /// Those that were measured, the best first.
    private func ranked(_ arms: [Int]) -> [Int] {
        arms.filter { !logarithms[$0].isEmpty }.sorted { one, other in
            let (first, second) = (mean(of: one) ?? 0, mean(of: other) ?? 0)
            return first == second ? one < other : first > second
        }
    }
}
