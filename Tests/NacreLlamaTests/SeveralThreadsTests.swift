import Testing

/// Audits of the other suites for passes of two threads. These wait for each other at every step of a pass, turning in
/// a loop: beside other work they take many times as long, hence a suite that `Scripts/test` leaves the machine to.
@Suite(.serialized) struct SeveralThreadsTests {
    @Test("with two threads a row has the same bits alone and in a batch")
    func batchInvariance() throws { try ExactnessTests().batchInvariance(threads: 2) }

    @Test("with two threads many sequences do not change each other's rows")
    func manySequences() throws { try ExactnessTests().manySequences(threads: 2, deadCellsMin: 0, context: 48) }

    @Test("with two threads the rows of one job's trees are those of a plain decode")
    func oneJob() throws { try TreeExactnessTests().oneJob(threads: 2) }

    @Test("with two threads so are those of forests of jobs that join, leave and begin as others did")
    func forest() throws { try TreeExactnessTests().forest(threads: 2, movedCellsMax: 64) }
}
