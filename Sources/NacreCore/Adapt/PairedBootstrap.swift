import RealModule

/// How sure measurements are that one thing is better than others, by drawing the samples over again.
///
/// All things are measured in every sample (the same prompts at the same time), so that what makes a sample slow for
/// all of them cancels. A resample draws as many samples as there were, with replacement, the same ones for all (Efron
/// 1979); the share of resamples in which one leads says how far the samples agree.
package struct PairedBootstrap: Sendable {
    /// Of each sample one number for each thing: logarithms of ratios.
    private let samples: [[Double]]
    private let resamples: Int
    private let seed: UInt64

    /// With fewer samples than these every resample is nearly the same, and agrees with itself.
    package static let samplesMin = 5

    /// - Parameters:
    ///   - ratios: `[samples × things]`, all positive.
    ///   - seed: of the drawing; the same samples and seed give the same shares.
    package init(_ ratios: [[Double]], resamples: Int = 2_000, seed: UInt64 = 1) {
        precondition(ratios.allSatisfy { $0.count == ratios[0].count }, "samples of different things")
        samples = ratios.map { $0.map { .log(max($0, .leastNormalMagnitude)) } }
        self.resamples = resamples
        self.seed = seed
    }

    /// Geometric means over all samples.
    package var means: [Double] { means(of: samples.indices).map { .exp($0) } }

    /// What was found about one thing.
    package struct Finding: Sendable, Hashable, Codable {
        /// Geometric mean of its ratios.
        package let mean: Double
        /// Between these lie 90 % of the means of resamples.
        package let low: Double
        package let high: Double
        /// Share of resamples in which it is ahead of all others.
        package let leads: Double
        /// Share of resamples in which the best one is ahead of it; 1 half for the best one itself.
        package let isBeaten: Double
    }

    /// Of each thing what was found; empty without samples.
    package var findings: [Finding] {
        guard let width = samples.first?.count, width > 0 else { return [] }
        let means = means(of: samples.indices)
        let best = means.indices.max { means[$0] < means[$1] } ?? 0
        let random = PositionalRandom(key: StreamKey(rawValue: seed))
        var drawn: [[Double]] = Array(repeating: [], count: width)
        var (leads, beaten) = ([Double](repeating: 0, count: width), [Double](repeating: 0, count: width))
        for resample in 0..<resamples {
            let chosen = samples.indices.map { place in
                let uniform = random.uniform(at: resample * samples.count + place, lane: .policy)
                return min(samples.count - 1, Int(uniform * Double(samples.count)))
            }
            let now = self.means(of: chosen)
            let most = now.max() ?? 0
            let leaders = now.indices.filter { now[$0] == most }
            for leader in leaders { leads[leader] += 1 / Double(leaders.count) }
            for thing in 0..<width {
                drawn[thing].append(now[thing])
                beaten[thing] += now[best] > now[thing] ? 1 : now[best] == now[thing] ? 0.5 : 0
            }
        }
        return (0..<width).map { thing in
            let sorted = drawn[thing].sorted()
            return Finding(
                mean: .exp(means[thing]), low: .exp(Quartiles.quantile(0.05, of: sorted)),
                high: .exp(Quartiles.quantile(0.95, of: sorted)), leads: leads[thing] / Double(resamples),
                isBeaten: beaten[thing] / Double(resamples))
        }
    }

    private func means(of chosen: some Collection<Int>) -> [Double] {
        var sums = [Double](repeating: 0, count: samples.first?.count ?? 0)
        for sample in chosen {
            for (thing, value) in samples[sample].enumerated() { sums[thing] += value }
        }
        return sums.map { $0 / Double(max(1, chosen.count)) }
    }
}
