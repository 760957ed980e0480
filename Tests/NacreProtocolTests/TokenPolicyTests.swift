import NacreCore
import NacreProtocol
import Testing

/// Policies that decide in the drafter, token by token, as its machine plays them.
@Suite struct TokenPolicyTests {
    /// A drafter with one stream under `policy`; its context is [1, 2], it may draft to position 12.
    private func opened(_ policy: String) throws -> DrafterRig {
        var rig = DrafterRig()
        let open = DraftOpen(
            stream: 0, job: JobID(high: 0, low: 0), attempt: 1, epoch: 0, key: 5, sampling: .greedy, promptLength: 2,
            positionLimit: 12, policy: try PolicySpecification(parsing: policy), contextTotal: 2, contextOffset: 0,
            context: [1, 2])
        rig.step(.received(1, .draftOpen(open)))
        return rig
    }

    /// Ends the pass in flight with a token of this probability.
    private func measure(_ token: TokenID, _ probability: Double, _ rig: inout DrafterRig) -> [Draft] {
        #expect(rig.pass?.nodes.last?.score?.kind == .measured(1), "the policy needs the row's statistics")
        rig.pass = nil
        let statistics = TokenStatistics(entropy: 0.1, topProbability: probability, margin: 1)
        let measured = MeasuredCandidates(
            [Candidate(token: token, probability: 0.5)], statistics, probability: probability)
        rig.step(.passed(.done([.measured(measured)], started: 0, ended: 1_000)))
        return rig.drafts
    }

    @Test("a token of low probability is kept as the last, until the next verdict")
    func kept() throws {
        var rig = try opened("threshold:theta=0.5")
        #expect(measure(10, 0.9, &rig).map(\.end) == [.open])
        let last = measure(11, 0.3, &rig)
        #expect(last.map(\.tokens) == [[11]] && last.map(\.end) == [.windowFull])
        #expect(rig.pass == nil, "it drafts on")
        _ = rig.verdict([10, 11], committed: 4, next: 1, limit: 14)
        #expect(rig.pass != nil, "a verdict lets it go on")
        #expect(measure(12, 0.9, &rig).map(\.tokens) == [[12]])
    }

    @Test("a token that was dropped is judged anew behind the next verdict, without another pass")
    func dropped() throws {
        var rig = try opened("threshold:theta=0.5,keep=0,min=0")
        #expect(measure(10, 0.9, &rig).map(\.tokens) == [[10]])
        let none = measure(11, 0.3, &rig)
        #expect(none.map(\.tokens) == [[]] && none.map(\.end) == [.windowFull])
        // Under another policy the same row is good enough.
        let change = StreamPolicy(stream: 0, policy: try PolicySpecification(parsing: "threshold:theta=0.1"))
        rig.step(.received(1, .streamPolicy(change)))
        #expect(rig.drafts.map(\.tokens) == [[11]])
        #expect(rig.pass != nil)
    }

    @Test("what was held back is void when the text takes another course")
    func void() throws {
        var rig = try opened("threshold:theta=0.5,keep=0")
        _ = measure(10, 0.9, &rig)
        _ = measure(11, 0.3, &rig)
        let said = rig.verdict([20], committed: 3, next: 1, limit: 14)
        #expect(!said.contains { $0.contains("11") }, "\(said)")
        let draft = try #require(measure(21, 0.9, &rig).first)
        #expect(draft.tokens == [21] && draft.epoch == 1 && draft.root == 3)
    }

    @Test("a limit of drafts is one of the text behind the verdict, not of the stream")
    func most() throws {
        var rig = try opened("threshold:theta=0,max=2")
        _ = measure(10, 0.9, &rig)
        #expect(measure(11, 0.9, &rig).map(\.end) == [.windowFull])
        _ = rig.verdict([10], committed: 3, next: 1, limit: 14)
        #expect(measure(12, 0.9, &rig).map(\.end) == [.windowFull], "one stood, one more has room")
    }

    @Test("a verifier takes up a job's new policy, and passes it on")
    func passedOn() throws {
        var rig = VerifierRig()
        rig.begin(.speculative, gamma: 0)
        let policy = PolicySpecification(.svip)
        rig.step(.control(.jobPolicy(JobPolicy(job: JobID(high: 0, low: 1), attempt: 0, policy: policy))))
        let told = rig.effects.compactMap { effect -> StreamPolicy? in
            guard case .toDrafter(_, .streamPolicy(let change)) = effect else { return nil }
            return change
        }
        #expect(told == [StreamPolicy(stream: rig.pens[0].stream, policy: policy)])
        rig.step(.control(.jobPolicy(JobPolicy(job: JobID(high: 0, low: 1), attempt: 0, policy: policy))))
        #expect(rig.effects.isEmpty, "it is in force already")
    }

    @Test("a stream whose policy is taken back has its own course again")
    func takenBack() throws {
        var rig = VerifierRig()
        rig.begin(Speculation(.stream, policy: try PolicySpecification(parsing: "fixed:gamma=1")))
        rig.step(.control(.jobPolicy(JobPolicy(job: JobID(high: 0, low: 1), attempt: 0, policy: .goodput))))
        rig.draft([11, 12, 13, 14])
        rig.choose([10])
        #expect(rig.pass?.nodes.count ?? 0 >= 1)
        // The first pass had no drafts; what it found decides about those that have come since.
        let verdict = try #require(rig.effects.verdicts.last)
        rig.enter(verdict.nextEpoch, root: verdict.committed)
        rig.draft([11, 12, 13, 14, 15, 16])
        rig.choose([11])
        #expect((rig.pass?.nodes.count ?? 0) > 2, "more than the one draft of the former policy")
    }
}
