import NacreCore

// What is kept of jobs that are recorded: their first drafter's drafts, held against what was committed.
extension VerifierMachine {
    /// Takes over what the first drafter's inbox has compared since the last time.
    mutating func recordDecisions(_ index: Int) {
        guard jobs[index].recorder != nil, !jobs[index].drafters.isEmpty else { return }
        let drafts = jobs[index].drafters[0].inbox.takeDecisions()
        jobs[index].recorder?.decided(drafts)
        let drafter = jobs[index].drafters[0]
        if drafter.isReady { jobs[index].recorder?.draftMicroseconds = drafter.draftMicroseconds }
        if let roundTrip = drafter.pace.roundTrip { jobs[index].recorder?.roundTripMicroseconds = roundTrip }
    }

    func recording(of job: JobVerification) -> JobRecording? {
        guard let recorder = job.recorder else { return nil }
        let passes = configuration.cost.passes.prefix(Limits.passTimesMax)
        return JobRecording(
            job: job.job, attempt: job.attempt,
            passes: passes.map { JobRecording.Pass(nodes: $0.nodes, microseconds: Float($0.microseconds)) },
            draftMicroseconds: Float(recorder.draftMicroseconds),
            roundTripMicroseconds: Float(recorder.roundTripMicroseconds ?? Double(configuration.roundTrip)),
            positions: recorder.positions)
    }
}
