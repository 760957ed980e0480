import NacreCore
import NacreProtocol
import Testing

/// What one job learnt of its pair holds for the others.
@Suite struct PairTests {
    private static let linear = (1...64).map { Double($0) * 1_000 }

    /// Decodes `rounds` passes in which the target never chooses what was drafted; returns the verdicts.
    private static func decode(_ rig: inout VerifierRig, rounds: Int) -> [Verdict] {
        var verdicts: [Verdict] = []
        for round in 0..<rounds {
            if rig.pass == nil { for pen in rig.pens.indices { rig.draft([90], end: .windowFull, by: pen) } }
            guard let pass = rig.pass else { break }
            rig.now = rig.now + 1_000 * pass.nodes.count
            let rows = pass.nodes.count { $0.score != nil }
            let effects = rig.choose(Array(repeating: TokenID(rawValue: UInt32(20 + round % 60)), count: rows))
            for verdict in effects.verdicts {
                for pen in rig.pens.indices where rig.pens[pen].stream == verdict.stream {
                    rig.enter(verdict.nextEpoch, root: verdict.committed, by: pen)
                }
            }
            verdicts += effects.verdicts
        }
        return verdicts
    }

    /// A further job on the drafter that is there.
    private static func add(_ rig: inout VerifierRig, _ speculation: Speculation, job: UInt64) {
        rig.step(.control(.assignJob(VerifierRig.assignment(speculation, tokensMax: 200, job: job))))
        for open in rig.effects.opens {
            rig.pens.append(
                VerifierRig.Pen(
                    address: VerifierRig.drafter, stream: open.stream, epoch: open.epoch,
                    root: Position(rawValue: open.contextTotal), heard: open.epoch))
        }
        rig.ready(rig.pens.count - 1)
    }

    @Test("a pair that was measured to lose rests from the first round of its next job on")
    func learntOnce() throws {
        var rig = VerifierRig(costs: Self.linear)
        let speculation = Speculation(.speculative)
        rig.begin(speculation, tokensMax: 200)
        _ = Self.decode(&rig, rounds: 60)
        let learnt = try #require(rig.machine.reports(at: rig.now).first { $0.state == .resting })
        #expect(learnt.ratio > 0 && learnt.ratio < 1 && learnt.reason.contains("resting") && learnt.jobs == 1)
        rig.step(.control(.cancelJob(CancelJob(job: JobID(high: 0, low: 1), attempt: 0))))
        rig.pens = []
        Self.add(&rig, speculation, job: 2)
        if rig.pass != nil { rig.choose(Array(repeating: 30, count: rig.pass?.nodes.count { $0.score != nil } ?? 0)) }
        rig.draft([90, 91], end: .windowFull)
        // It waits for no draft and verifies none.
        for _ in 0..<5 {
            #expect(rig.pass?.nodes.count == 1)
            rig.choose([40])
        }
        let now = try #require(rig.machine.reports(at: rig.now).first { $0.jobs == 1 })
        #expect(now.state == .resting && now.method == .speculative)
    }

    @Test("one job of a resting pair peeks, the others are told seldom and draft nothing")
    func onePeeks() {
        var rig = VerifierRig(costs: Self.linear)
        let speculation = Speculation(.speculative)
        rig.begin(speculation, tokensMax: 200)
        _ = Self.decode(&rig, rounds: 60)
        Self.add(&rig, speculation, job: 2)
        let verdicts = Self.decode(&rig, rounds: 40)
        let allowed = rig.pens.map { pen in
            verdicts.filter { $0.stream == pen.stream }.map { $0.positionLimit - $0.committed }
        }
        #expect(allowed.count == 2)
        let first = allowed.first ?? []
        let second = allowed.last ?? []
        #expect(!first.isEmpty && !second.isEmpty)
        #expect(first.contains(4) && second.allSatisfy { $0 <= 0 })
    }

    @Test("free-running jobs are governed too: drafts that the model likes and the clock does not are let rest")
    func stream() throws {
        // The table promises drafts for next to nothing.
        var rig = VerifierRig()
        rig.begin(Speculation(.stream), tokensMax: 250)
        var (widths, text): ([Int], UInt32) = ([], 10)
        for _ in 0..<160 {
            guard let pass = rig.pass else { break }
            widths.append(pass.nodes.count)
            // In truth a node costs as much as a pass, which the table is not shown.
            rig.now = rig.now + 3_000 * (pass.nodes.count - 1)
            let rows = pass.nodes.count { $0.score != nil }
            // Of two drafts the first stands.
            let chosen = (0..<rows).map { TokenID(rawValue: text + UInt32($0) + ($0 == 1 ? 40 : 0)) }
            let effects = rig.choose(Array(chosen))
            text = 10 + (text + 1) % 30
            for verdict in effects.verdicts { rig.enter(verdict.nextEpoch, root: verdict.committed) }
            if effects.verdicts.last != nil, let last = effects.commits.last?.last {
                text = last.rawValue % 40 + 10
                rig.draft([TokenID(rawValue: text), TokenID(rawValue: text + 1)], end: .windowFull)
            }
        }
        let tail = widths.suffix(40)
        #expect(widths.prefix(20).contains { $0 > 1 }, "it drafted at first")
        #expect(tail.count { $0 == 1 } >= 30, "\(widths)")
        let report = try #require(rig.machine.reports(at: rig.now).first { $0.jobs == 1 })
        #expect(report.method == .stream && report.state == .resting && report.ratio < 1, "\(report)")
        #expect(report.counts.verified > 0 && report.counts.rounds == UInt64(widths.count))
    }
}
