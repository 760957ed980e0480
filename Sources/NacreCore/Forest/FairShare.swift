/// What one job is owed by the passes of its verifier.
///
/// Two promises, both bounded:
///
/// - **A turn.** When not even the mandatory nodes of all jobs fit into one pass, those that have waited longest go
///   first (`turns`). A job whose own mandatory nodes fit waits at most as many passes as there are jobs before it.
/// - **Drafts.** A pass is packed for the most tokens per second, which would always give the drafts' places to the
///   jobs with the best drafters. So a job that got fewer than its even share is owed the difference, up to
///   `owedMax`, and its tokens count up to `weightMax` times until that is made good. Drafts that hardly stand a
///   chance stay out all the same: it is worth that is weighted.
///
/// The price is bounded too: a packing that is the best with weights in 1 ... w has at least 1/w of the best expected
/// tokens per second, as weights raise the counted rate of any packing by at most w and lower none.
package struct FairShare: Sendable, Hashable {
    /// At most a fifth of a pass's tokens per second goes to fairness.
    package static let weightMax = 1.25
    /// Drafts that can be owed: about those of four passes of a good size.
    package static let owedMax = 16.0

    /// Passes since the last that this job had a part in.
    package private(set) var waited = 0
    /// Drafts that the job was short of its even share, in 0 ... `owedMax`.
    package private(set) var owed = 0.0

    package init() {}

    /// The job's weight in the next packing, 1 ... `weightMax`.
    package var weight: Double { 1 + (Self.weightMax - 1) * owed / Self.owedMax }

    /// A pass went without this job.
    package mutating func wait() { waited += 1 }

    /// A pass took `received` of the job's `available` drafts; `evenShare` are the drafts in it, divided by its jobs.
    package mutating func took(_ received: Int, of available: Int, evenShare: Double) {
        waited = 0
        // Who has little to offer is not short of what nobody kept from it.
        let due = min(evenShare, Double(available))
        owed = min(max(0, owed + due - Double(received)), Self.owedMax)
    }

    /// The jobs that take part in a pass when there may be no room for all, by rising index.
    ///
    /// - Parameters:
    ///   - mandatory: each job's mandatory nodes.
    ///   - waited: each job's `waited`.
    package static func turns(mandatory: [Int], waited: [Int], nodesMax: Int) -> [Int] {
        var room = nodesMax
        var turns: [Int] = []
        for job in mandatory.indices.sorted(by: { (waited[$1], $0) < (waited[$0], $1) }) {
            // The pass ends with the first that does not fit: smaller ones slipping past would keep it out for ever.
            guard mandatory[job] <= room else {
                if turns.isEmpty { continue }
                break
            }
            room -= mandatory[job]
            turns.append(job)
        }
        return turns.sorted()
    }
}
