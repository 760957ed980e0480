import NacreCore
import NacreProtocol
import Testing

/// Policies that are tuned while jobs run, as their verifiers are told.
@Suite struct PolicyTuningTests {
    private static let auto = PolicyBook.Entry(.goodput, setBy: "a", isAuto: true)

    private static func changes(_ rig: CoordinatorRig) -> [PolicySpecification] {
        rig.effects.compactMap { effect in
            guard case .send(1, .jobPolicy(let change)) = effect else { return nil }
            return change.policy
        }
    }

    /// A long job on verifier 1, drafted for by link 10.
    private static func rig(
        _ speculation: Speculation = Speculation(.speculative), tunings: [KeptTuning.Key: KeptTuning] = [:],
        engine: String = ""
    ) -> CoordinatorRig {
        var rig = CoordinatorRig(tunings: tunings)
        rig.join(1, .verifier, engine: engine, context: 100_000)
        rig.joinDrafter(10)
        rig.step(.setPolicy(.all, auto))
        rig.submit(speculation, tokensMax: 50_000)
        return rig
    }

    /// Commits of two tokens, in milliseconds that `time` says for the policy in force.
    /// - Returns: how many commits there were under each policy.
    private static func run(
        _ rig: inout CoordinatorRig, commits: Int, policy: inout PolicySpecification,
        _ time: (PolicySpecification) -> Int
    ) -> [PolicySpecification: Int] {
        var counts: [PolicySpecification: Int] = [:]
        for _ in 0..<commits {
            counts[policy, default: 0] += 1
            var left = time(policy)
            while left > 100 {
                rig.wait(100)
                left -= 100
                if let change = changes(rig).last { policy = change }
            }
            rig.now = rig.now + Instant.milliseconds(left)
            rig.commit(1, 1, Position(rawValue: 1 + (rig.record?.output.count ?? 0)), [0, 0])
            if let change = changes(rig).last { policy = change }
        }
        return counts
    }

    @Test("every policy is tried, the fastest is kept, and a terrible one is broken off between commits")
    func finds() {
        var rig = Self.rig()
        var policy = rig.placed?.assignment.speculation.policy ?? .goodput
        #expect(policy == .goodput)
        func time(_ policy: PolicySpecification) -> Int {
            switch policy.name {
            case .ema: 20
            // Below the lease of a node that says nothing.
            case .svip: 2_000
            default: 30
            }
        }
        let all = Self.run(&rig, commits: 6_000, policy: &policy, time)
        #expect(all.count == 6, "\(all)")
        let late = Self.run(&rig, commits: 1_000, policy: &policy, time)
        #expect((late[PolicySpecification(.ema)] ?? 0) > 900, "\(late)")
        // A trial of what takes two seconds for a commit ends when its credit does: within the first one, each time.
        #expect((all[PolicySpecification(.svip)] ?? 0) < 20, "\(all)")
        // A job of the pair that comes now begins with what was found.
        rig.end(1, 1, .length)
        rig.submit(Speculation(.speculative), job: JobID(high: 0, low: 2))
        #expect(rig.placed?.assignment.speculation.policy == PolicySpecification(.ema))
    }

    @Test("a coordinator goes on from what an earlier one found, for the same models where they compute alone")
    func kept() throws {
        func time(_ policy: PolicySpecification) -> Int { policy.name == .ema ? 20 : 30 }
        var policy = PolicySpecification.goodput
        var first = Self.rig()
        _ = Self.run(&first, commits: 6_000, policy: &policy, time)
        let kept = try #require(first.learnt.values.first)
        #expect(first.learnt.count == 1 && kept.incumbent == PolicySpecification(.ema))
        // From its first round on, and so rarely anything else that it is not found anew.
        var next = Self.rig(tunings: first.learnt)
        policy = next.placed?.assignment.speculation.policy ?? .goodput
        #expect(policy == PolicySpecification(.ema))
        let counts = Self.run(&next, commits: 300, policy: &policy, time)
        #expect((counts[PolicySpecification(.ema)] ?? 0) > 280, "\(counts)")
        // On another engine, and so perhaps another kind of CPU, by another method, or of a policy that is gone.
        var unknown = kept
        unknown.incumbent = PolicySpecification(.ratio)
        let others = [
            Self.rig(tunings: first.learnt, engine: "other"), Self.rig(Speculation(.pearl), tunings: first.learnt),
            Self.rig(tunings: [kept.key: unknown]),
        ]
        for rig in others { #expect(rig.placed?.assignment.speculation.policy == .goodput) }
    }

    @Test("a policy that is faster in its own job and slows those beside it does not win")
    func beside() {
        var rig = CoordinatorRig()
        rig.join(1, .verifier, sequences: 4, context: 100_000)
        rig.step(.setPolicy(.all, Self.auto))
        let ids = (1...4 as ClosedRange<UInt64>).map { JobID(high: 0, low: $0) }
        for id in ids { rig.submit(Speculation(.speculative), tokensMax: 50_000, job: id) }
        var policies = Array(repeating: PolicySpecification.goodput, count: 4)
        var rounds: [PolicySpecification: Int] = [:]
        // All jobs are in every pass: one with long drafts gets three times the tokens, and makes the pass longer.
        for round in 0..<4_000 {
            rig.now = rig.now + Instant.milliseconds(30 + 30 * policies.count { $0.name == .ema })
            for place in ids.indices {
                let id = ids[place]
                let tokens = Array(repeating: 0 as TokenID, count: policies[place].name == .ema ? 6 : 2)
                rig.commit(1, 1, Position(rawValue: 1 + (rig.machine.jobs[id]?.output.count ?? 0)), tokens, job: id)
                for case .send(1, .jobPolicy(let change)) in rig.effects {
                    if let changed = ids.firstIndex(of: change.job) { policies[changed] = change.policy }
                }
            }
            for policy in policies where round >= 3_000 { rounds[policy, default: 0] += 1 }
        }
        #expect(rounds[PolicySpecification(.ema), default: 0] < 40, "\(rounds)")
    }

    @Test("a job that comes to the verifier, or another drafter, breaks a trial off", arguments: [false, true])
    func disturbed(isDrafter: Bool) {
        var rig = CoordinatorRig()
        rig.join(1, .verifier, sequences: 2, context: 100_000)
        rig.joinDrafter(10)
        rig.step(.setPolicy(.all, Self.auto))
        rig.submit(Speculation(.speculative, drafters: 2), tokensMax: 50_000)
        var policy = PolicySpecification.goodput
        for _ in 0..<400 where policy == .goodput { _ = Self.run(&rig, commits: 1, policy: &policy) { _ in 30 } }
        #expect(policy != .goodput)
        if isDrafter {
            rig.joinDrafter(11)
        } else {
            rig.submit(Speculation(.autoregressive), job: JobID(high: 0, low: 2))
        }
        #expect(Self.changes(rig) == [.goodput])
    }

    @Test("what is set by name ends the tuning, for running jobs too")
    func ends() {
        var rig = Self.rig()
        var policy = PolicySpecification.goodput
        var tried = false
        for _ in 0..<400 where !tried {
            _ = Self.run(&rig, commits: 1, policy: &policy) { _ in 30 }
            tried = policy != .goodput
        }
        #expect(tried)
        rig.step(.setPolicy(.all, nil))
        #expect(Self.changes(rig) == [.goodput])
        policy = .goodput
        #expect(Self.run(&rig, commits: 2_000, policy: &policy) { _ in 30 } == [.goodput: 2_000])
    }

    @Test(
        "jobs that policies decide nothing about are left alone",
        arguments: [
            Speculation(.stream, shape: .best(nodesMax: 4, width: 2)), Speculation(.speculative, gamma: 3),
            Speculation(.autoregressive),
        ])
    func untouched(speculation: Speculation) {
        var rig = Self.rig(speculation)
        var policy = PolicySpecification.goodput
        #expect(Self.run(&rig, commits: 1_000, policy: &policy) { _ in 30 } == [.goodput: 1_000])
    }
}
