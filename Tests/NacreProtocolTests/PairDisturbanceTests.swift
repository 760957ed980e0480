import NacreCore
import NacreProtocol
import Testing

/// What keeps a pair's measurements its own.
@Suite struct PairDisturbanceTests {
    private static func text(_ key: StreamKey, _ position: Int) -> TokenID {
        TokenID(rawValue: UInt32(10 + (position + 7 * Int(key.rawValue)) % 40))
    }

    /// Ends the pass with every job's text; the first job's drafter drafts just that.
    private static func decode(_ rig: inout VerifierRig) -> [VerifierMachine.Effect] {
        if rig.pass == nil, let pen = rig.pens.first {
            let root = pen.root.rawValue
            rig.draft((0..<4).map { text(1, root + $0) }, end: .windowFull)
        }
        let chosen = rig.pass?.nodes.compactMap { node in
            node.score.map { text($0.key, node.position.rawValue + 1) }
        }
        let effects = rig.choose(chosen ?? [])
        for verdict in effects.verdicts where verdict.stream == rig.pens.first?.stream {
            rig.enter(verdict.nextEpoch, root: verdict.committed)
        }
        return effects
    }

    @Test("prompts that others bring along, each read in one pass, do not speak against drafts")
    func prompts() throws {
        var rig = VerifierRig(contextMax: 4_096)
        rig.begin(
            Speculation(.speculative, policy: try PolicySpecification(parsing: "fixed:gamma=4")), tokensMax: 4_000)
        let plain = Speculation(.autoregressive)
        for job in 2...3 as ClosedRange<UInt64> {
            rig.step(.control(.assignJob(VerifierRig.assignment(plain, tokensMax: 2_000, job: job))))
        }
        var (guests, rested, read): (UInt64, Int, Int) = (10, 0, 0)
        for round in 0..<120 {
            // The fourth of a load of 3 to 4; it has one token to decode.
            if round > 8, rig.machine.jobCount == 3 {
                guests += 1
                let context = (0..<40).map { TokenID(rawValue: UInt32(10 + ($0 * Int(guests)) % 83)) }
                let guest = VerifierRig.assignment(plain, tokensMax: 1, job: guests, context: context)
                rig.step(.control(.assignJob(guest)))
            }
            if let pass = rig.pass, pass.nodes.count > 30 {
                rig.now = rig.now + 40_000
                read += 1
            }
            _ = Self.decode(&rig)
            rested += rig.machine.reports(at: rig.now).count { $0.jobs > 0 && $0.state == .resting }
        }
        #expect(read > 20 && rested == 0, "\(rested) of 120 rounds at rest, \(read) with prompts")
    }

    @Test("a pair that has jobs is not forgotten for others that come and go")
    func kept() throws {
        var rig = VerifierRig(contextMax: 4_096)
        rig.begin(
            Speculation(.speculative, policy: try PolicySpecification(parsing: "fixed:gamma=4")), tokensMax: 4_000)
        for _ in 0..<20 { _ = Self.decode(&rig) }
        var rounds = 0
        for gamma in 1...Limits.pairsMax + 4 {
            var other = VerifierRig.assignment(
                Speculation(.speculative, gamma: gamma), tokensMax: 1, job: UInt64(gamma + 1))
            other.offers = []
            rig.step(.control(.assignJob(other)))
            while rounds < 200, rig.machine.jobCount > 1 {
                _ = Self.decode(&rig)
                rounds += 1
            }
        }
        let report = try #require(rig.machine.reports(at: rig.now).first { $0.jobs == 1 })
        #expect(report.method == .speculative && report.state != .fixed && report.counts.rounds >= 20)
        #expect(rounds > Limits.pairsMax && rig.machine.reports(at: rig.now).count <= Limits.pairsMax)
    }
}
