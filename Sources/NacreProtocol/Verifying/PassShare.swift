import NacreCore

/// A job's part in the pass in flight.
struct PassShare: Sendable {
    /// Whose it is: a job's, or another verifier's.
    enum Owner: Sendable, Equatable {
        case job(JobID, Attempt)
        case guest(GuestStream.ID)
    }

    var owner: Owner
    /// Where the job's cache ended before the pass.
    var from: Position
    /// Rows asked for: 0 for a part that only reads context.
    var rows: Int
    /// Side branches that the part uses.
    var branches: [SequenceID]
    /// It reads context, with a row at its end or without: such passes say nothing about rounds.
    var isReading: Bool

    init(job: JobVerification, from: Position, rows: Int, branches: [SequenceID] = []) {
        owner = .job(job.job, job.attempt)
        self.from = from
        self.rows = rows
        self.branches = branches
        isReading = rows == 0
    }

    init(guest: GuestStream.ID, from: Position, rows: Int, branches: [SequenceID] = []) {
        owner = .guest(guest)
        self.from = from
        self.rows = rows
        self.branches = branches
        isReading = rows == 0
    }
}
