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
    private static func rig(_ speculation: Speculation = Speculation(.speculative)) -> CoordinatorRig {
        var rig = CoordinatorRig()
        rig.join(1, .verifier, context: 100_000)
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
