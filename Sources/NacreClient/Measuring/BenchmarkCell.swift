import NacreAPI
package import NacreCore

/// What was measured of one way to decode, so many jobs at once.
package struct BenchmarkCell: Sendable, Codable, Equatable {
    /// As `DecodingVariant` writes it.
    package let name: String
    package let method: String
    /// Whether its outputs have no law of the target's.
    package let lossy: Bool
    /// Whether it draws several texts, the likeliest of which is the output: that one's tokens are counted, no others.
    package let drawsBeams: Bool
    /// Whether its outputs are other draws from plain decoding's law, and so other texts.
    package let drawsAnew: Bool
    /// What it was drawn at, if that is not the benchmark's own temperature.
    package let temperature: Double?
    /// Jobs at once.
    package let jobs: Int
    package internal(set) var outputs = 0
    package internal(set) var tokens = 0
    /// Verify passes.
    package internal(set) var passes = 0
    /// Draft tokens that the rule judged, and those that it accepted.
    package internal(set) var judged = 0
    package internal(set) var accepted = 0
    /// Of each sample, in the order taken: tokens per second of all jobs together (`TimedJobs`).
    package internal(set) var rates: [Double] = []
    /// The same over plain decoding's of the same prompts in the same repetition; empty for plain decoding.
    package internal(set) var ratios: [Double] = []
    /// The ratio of the sample before those, in which a new cluster learns what so many jobs at once are like; it is
    /// not among `ratios`.
    package internal(set) var firstRatio: Double?
    package internal(set) var tokensPerSecond: Quartiles?
    package internal(set) var ratio: Quartiles?
    package internal(set) var acceptanceRate: Double?
    /// Output tokens per verify pass, less the one that every pass gives anyway; absent for several texts, to each of
    /// which a pass adds.
    package internal(set) var meanAcceptedTokens: Double?
    /// accepted / judged of all jobs together, of the first, second ... draft behind what was decided; as far as half
    /// of the jobs had one.
    package internal(set) var acceptanceByPosition: [Double] = []
    /// Milliseconds from submission to the first token.
    package internal(set) var firstTokenMilliseconds: Quartiles?
    /// Shares of a job's decoding time in which it was computed for, means over samples. Of several jobs at once there
    /// are none: their times overlap.
    package internal(set) var verifierBusy: Double?
    package internal(set) var drafterBusy: Double?
    /// Outputs that are not plain decoding's, and the first difference.
    package internal(set) var differing = 0
    package internal(set) var divergence: Divergence?
    /// Whether every output is of a target whose rows are the same in every pass.
    package internal(set) var exact = true
    /// How often other verifiers scored for its jobs, without what they only read, as far as traces go; only where
    /// helpers were asked for.
    package internal(set) var helped: Int?

    /// - Parameter temperature: the benchmark's.
    package init(_ variant: DecodingVariant, jobs: Int, temperature: Double? = nil) {
        name = variant.description
        method = variant.method
        lossy = variant.isLossy
        drawsBeams = variant.drawsBeams
        drawsAnew = variant.drawsAnew(at: temperature)
        self.temperature = variant.ownTemperature(beside: temperature)
        self.jobs = jobs
    }

    /// Whether its outputs are to be plain decoding's.
    package var isCompared: Bool { !lossy && !drawsBeams && !drawsAnew }

    /// What its outputs are beside plain decoding's: identical, how many differ, lossy, or samples that need not be
    /// the same.
    var identity: String {
        let compared = differing == 0 ? "identical" : "\(differing) differ"
        let kind = lossy ? "lossy" : isCompared ? compared : "samples"
        return temperature.map { "\(kind) at \($0)" } ?? kind
    }
}

/// What a cell is made from, sample by sample.
package struct BenchmarkTally {
    private var sums: BenchmarkCell
    /// By position: drafts judged, of them accepted, and jobs that had one.
    private var positions: [(judged: Int, accepted: Int, jobs: Int)] = []
    private var firstTokens: [Double] = []
    private var verifierBusy: [Double] = []
    private var drafterBusy: [Double] = []

    /// - Parameter temperature: the benchmark's.
    package init(_ variant: DecodingVariant, jobs: Int, temperature: Double? = nil) {
        sums = BenchmarkCell(variant, jobs: jobs, temperature: temperature)
    }

    /// The sample that a load begins with, as `add`.
    package mutating func begin(rate: Double, plain: Double?) {
        if let plain, plain > 0 { sums.firstRatio = rate / plain }
    }

    /// - Parameter plain: the rate of plain decoding, for what is not that itself.
    package mutating func add(rate: Double, plain: Double?) {
        sums.rates.append(rate)
        if let plain, plain > 0 { sums.ratios.append(rate / plain) }
    }

    /// Takes in a job of a sample.
    package mutating func add(_ job: FinishedJob, against plain: FinishedJob, prompt: Int) {
        let (document, statistics) = (job.document, job.document.statistics)
        sums.outputs += 1
        sums.tokens += document.tokens.count
        sums.passes += statistics.rounds
        sums.judged += statistics.judged
        sums.accepted += statistics.accepted
        for (position, counts) in zip(statistics.judgedAt, statistics.acceptedAt).enumerated() {
            if positions.count <= position { positions.append((0, 0, 0)) }
            positions[position].judged += counts.0
            positions[position].accepted += counts.1
            positions[position].jobs += counts.0 > 0 ? 1 : 0
        }
        if let milliseconds = statistics.firstTokenMilliseconds { firstTokens.append(milliseconds) }
        if let busy = statistics.verifierBusy { verifierBusy.append(busy) }
        if let busy = statistics.drafterBusy { drafterBusy.append(busy) }
        guard sums.isCompared else { return }
        if !document.exact || !plain.document.exact { sums.exact = false }
        let difference = Divergence(
            prompt: prompt, plain: plain.document.tokens, margins: plain.margins, other: document.tokens)
        if let difference {
            sums.differing += 1
            sums.divergence = sums.divergence ?? difference
        }
    }

    /// Other verifiers scored so often for the jobs of a sample.
    package mutating func addHelp(_ count: Int) { sums.helped = (sums.helped ?? 0) + count }

    package var cell: BenchmarkCell {
        func mean(_ values: [Double]) -> Double? {
            values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
        }
        var cell = sums
        cell.tokensPerSecond = Quartiles(cell.rates)
        cell.ratio = Quartiles(cell.ratios)
        if cell.judged > 0 { cell.acceptanceRate = Double(cell.accepted) / Double(cell.judged) }
        if cell.passes > 0, !cell.drawsBeams {
            cell.meanAcceptedTokens = Double(cell.tokens) / Double(cell.passes) - 1
        }
        cell.acceptanceByPosition = positions.prefix { $0.judged > 0 && 2 * $0.jobs >= cell.outputs }.map {
            Double($0.accepted) / Double($0.judged)
        }
        cell.firstTokenMilliseconds = Quartiles(firstTokens)
        if cell.jobs == 1 { (cell.verifierBusy, cell.drafterBusy) = (mean(verifierBusy), mean(drafterBusy)) }
        return cell
    }
}
