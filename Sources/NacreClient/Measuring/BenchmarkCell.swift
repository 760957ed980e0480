import NacreAPI
package import NacreCore

/// What was measured of one way to decode, so many jobs at once.
package struct BenchmarkCell: Sendable, Codable, Equatable {
    /// As `DecodingVariant` writes it.
    package let name: String
    package let method: String
    /// Jobs at once.
    package let jobs: Int
    package internal(set) var outputs = 0
    package internal(set) var tokens = 0
    /// Verify passes.
    package internal(set) var passes = 0
    /// Draft tokens compared with the target's own, and those that were it.
    package internal(set) var judged = 0
    package internal(set) var accepted = 0
    /// Of each sample, in the order taken: tokens per second of all jobs together (`TimedJobs`).
    package internal(set) var rates: [Double] = []
    /// The same over plain decoding's of the same prompts in the same repetition; empty for plain decoding.
    package internal(set) var ratios: [Double] = []
    package internal(set) var tokensPerSecond: Quartiles?
    package internal(set) var ratio: Quartiles?
    package internal(set) var acceptanceRate: Double?
    /// Output tokens per verify pass, less the one that every pass gives anyway.
    package internal(set) var meanAcceptedTokens: Double?
    /// Mean over jobs, of the first, second ... draft behind what was decided; as far as half of the jobs had one.
    package internal(set) var acceptanceByPosition: [Double] = []
    /// Milliseconds from submission to the first token.
    package internal(set) var firstTokenMilliseconds: Quartiles?
    /// Shares of the decoding time, means over jobs.
    package internal(set) var verifierBusy: Double?
    package internal(set) var drafterBusy: Double?
    /// Outputs that are not plain decoding's, and the first difference.
    package internal(set) var differing = 0
    package internal(set) var divergence: Divergence?
    /// Whether every output is of a target whose rows are the same in every pass.
    package internal(set) var exact = true

    package init(_ variant: DecodingVariant, jobs: Int) {
        name = variant.description
        method = variant.method
        self.jobs = jobs
    }
}

/// What a cell is made from, sample by sample.
struct BenchmarkTally {
    private var sums: BenchmarkCell
    private var positions: [[Double]] = []
    private var firstTokens: [Double] = []
    private var verifierBusy: [Double] = []
    private var drafterBusy: [Double] = []

    init(_ variant: DecodingVariant, jobs: Int) { sums = BenchmarkCell(variant, jobs: jobs) }

    /// - Parameter plain: the rate of plain decoding, for what is not that itself.
    mutating func add(rate: Double, plain: Double?) {
        sums.rates.append(rate)
        if let plain, plain > 0 { sums.ratios.append(rate / plain) }
    }

    /// Takes in a job of a sample.
    mutating func add(_ job: FinishedJob, against plain: FinishedJob, prompt: Int) {
        let (document, statistics) = (job.document, job.document.statistics)
        sums.outputs += 1
        sums.tokens += document.tokens.count
        sums.passes += statistics.rounds
        sums.judged += statistics.judged
        sums.accepted += statistics.accepted
        for (position, share) in statistics.acceptanceByPosition.enumerated() {
            if positions.count <= position { positions.append([]) }
            if let share { positions[position].append(share) }
        }
        if let milliseconds = statistics.firstTokenMilliseconds { firstTokens.append(milliseconds) }
        if let busy = statistics.verifierBusy { verifierBusy.append(busy) }
        if let busy = statistics.drafterBusy { drafterBusy.append(busy) }
        if !document.exact || !plain.document.exact { sums.exact = false }
        let difference = Divergence(
            prompt: prompt, plain: plain.document.tokens, margins: plain.margins, other: document.tokens)
        if let difference {
            sums.differing += 1
            sums.divergence = sums.divergence ?? difference
        }
    }

    var cell: BenchmarkCell {
        func mean(_ values: [Double]) -> Double? {
            values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
        }
        var cell = sums
        cell.tokensPerSecond = Quartiles(cell.rates)
        cell.ratio = Quartiles(cell.ratios)
        if cell.judged > 0 { cell.acceptanceRate = Double(cell.accepted) / Double(cell.judged) }
        if cell.passes > 0 { cell.meanAcceptedTokens = Double(cell.tokens) / Double(cell.passes) - 1 }
        cell.acceptanceByPosition = positions.prefix { 2 * $0.count >= cell.outputs }.compactMap(mean)
        cell.firstTokenMilliseconds = Quartiles(firstTokens)
        cell.verifierBusy = mean(verifierBusy)
        cell.drafterBusy = mean(drafterBusy)
        return cell
    }
}
