import NacreCore
import NacreProtocol
import Testing

@Suite struct JobTotalsTests {
    /// The only verifier has a target of this name, takes a job and is gone when it is cancelled.
    private func cancel(_ number: Int, on model: String, in rig: inout CoordinatorRig) {
        let (link, job) = (LinkID(rawValue: number), JobID(high: 1, low: UInt64(number)))
        let hello = Hello(
            node: "v", incarnation: Incarnation(rawValue: UInt64(number)), role: .verifier, wireMin: 1, wireMax: 1,
            modelDigest: 5, vocabularyDigest: 7, dataAddress: "",
            capacity: Capacity(sequences: 1, context: 64, nodesMax: 16), modelName: model, engineVersion: "", cores: "")
        rig.step(.opened(link))
        rig.step(.received(link, .hello(hello)))
        if number == 1 { for part in 0..<3 { rig.report(link, part) } }
        rig.submit(Speculation(.autoregressive), job: job)
        rig.step(.cancel(job))
        rig.step(.closed(link))
    }

    @Test("so many kinds of jobs are told apart and no more; all others are counted together, none is lost")
    func kindsMax() {
        var rig = CoordinatorRig()
        let jobs = Limits.jobKindsMax + 3
        for number in 1...jobs { cancel(number, on: "m\(number)", in: &rig) }
        #expect(rig.machine.totals.count == Limits.jobKindsMax + 1 && rig.machine.totals[.other]?.jobs == 3)
        cancel(jobs + 1, on: "m1", in: &rig)
        let known = JobKind(target: "m1", draft: "", method: "autoregressive", rule: "coupled")
        #expect(rig.machine.totals[known]?.jobs == 2, "what is known stays on its own")
        #expect(rig.machine.totals.values.map(\.jobs).reduce(0, +) == jobs + 1)
    }
}
