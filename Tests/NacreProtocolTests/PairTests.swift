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
    @discardableResult
    private static func add(
        _ rig: inout VerifierRig, _ speculation: Speculation, job: UInt64, tokensMax: Int = 200
    ) -> [DraftOpen] {
        rig.step(.control(.assignJob(VerifierRig.assignment(speculation, tokensMax: tokensMax, job: job))))
        let opens = rig.effects.opens
        for open in opens {
            rig.pens.append(
                VerifierRig.Pen(
                    address: VerifierRig.drafter, stream: open.stream, epoch: open.epoch,
                    root: Position(rawValue: open.contextTotal), heard: open.epoch))
        }
        rig.ready(rig.pens.count - 1)
        return opens
    }

    @Test("a pair that was measured to lose rests from the first round of its next job on")
    func learntOnce() throws {
        var rig = VerifierRig(costs: Self.linear)
        let speculation = Speculation(.speculative)
        rig.begin(speculation, tokensMax: 60)
        _ = Self.decode(&rig, rounds: 80)
        #expect(rig.machine.jobCount == 0)
        let learnt = try #require(rig.machine.reports(at: rig.now).first { $0.state == .resting })
        #expect(learnt.ratio > 0 && learnt.ratio < 1 && learnt.reason.contains("resting") && learnt.jobs == 0)
        rig.pens = []
        let opens = Self.add(&rig, speculation, job: 2)
        // One draft, by which the drafter says that it has read the text.
        #expect(opens.map { $0.positionLimit - Position(rawValue: $0.contextTotal) } == [1])
        rig.choose([])
        rig.draft([90], end: .windowFull)
        // It waits for no draft and verifies none.
        for _ in 0..<5 {
            #expect(rig.pass?.nodes.count == 1)
            rig.choose([40])
        }
        let now = try #require(rig.machine.reports(at: rig.now).first { $0.jobs == 1 })
        #expect(now.state == .resting && now.method == .speculative)
    }

    @Test("a job of a pair that has rested for long looks once whether its text is another, then as rarely as the pair")
    func laterJobsLookRarely() {
        var rig = VerifierRig(costs: Self.linear)
        let speculation = Speculation(.speculative)
        rig.begin(speculation, tokensMax: 250)
        let early = Self.decode(&rig, rounds: 260).filter { $0.positionLimit > $0.committed }
        #expect(rig.machine.jobCount == 0)
        rig.pens = []
        Self.add(&rig, speculation, job: 2)
        rig.choose([])
        rig.draft([90], end: .windowFull)
        let late = Self.decode(&rig, rounds: 100).filter { $0.positionLimit > $0.committed }
        #expect(early.filter { $0.committed < 100 }.count > 4, "the first job looked more often")
        #expect((1...4).contains(late.count) && (late.first?.committed ?? 0) < 16, "\(late.map(\.committed))")
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

    @Test("drafts that are compared at rest bring the pair back when they become right")
    func comesBack() throws {
        var rig = VerifierRig(costs: (0..<64).map { 1_000 + 50 * Double($0) })
        rig.begin(Speculation(.stream, policy: try PolicySpecification(parsing: "fixed:gamma=4")), tokensMax: 250)
        var (length, isRight): (Int, Bool) = (2, false)
        func text(_ position: Int) -> TokenID { TokenID(rawValue: UInt32(10 + position % 50)) }
        var widths: [Int] = []
        while length < 245, let pass = rig.pass {
            isRight = length > 120
            widths.append(pass.nodes.count)
            rig.now = rig.now + 50 * (pass.nodes.count - 1)
            let rows = pass.nodes.count { $0.score != nil }
            let effects = rig.choose((0..<rows).map { text(length + $0) })
            length += effects.commits.joined().count
            guard let verdict = effects.verdicts.last else { continue }
            rig.enter(verdict.nextEpoch, root: verdict.committed)
            let room = verdict.positionLimit - verdict.committed
            guard room > 0 else { continue }
            rig.draft((0..<room).map { isRight ? text(length + $0) : 90 }, end: .windowFull)
        }
        #expect(widths.prefix(110).suffix(60).count { $0 == 1 } >= 50, "it rests while drafts are wrong: \(widths)")
        // But for a look at plain decoding.
        #expect(widths.suffix(20).count { $0 > 1 } >= 12 && widths.last ?? 0 > 1, "\(widths)")
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

    @Test("a stream's rounds before its first draft stood say nothing of drafting, but not for ever")
    func beginning() throws {
        var rig = VerifierRig()
        rig.begin(Speculation(.stream), tokensMax: 250)
        var ratios: [Double] = []
        for round in 0..<24 {
            rig.choose([TokenID(rawValue: UInt32(10 + round))])
            let report = try #require(rig.machine.reports(at: rig.now).first { $0.jobs == 1 })
            ratios.append(Double(report.ratio))
        }
        #expect(ratios.prefix(14).allSatisfy { $0 == 0 }, "nothing is measured yet: \(ratios)")
        #expect(ratios.suffix(4).contains { $0 > 0 }, "drafts that never come are measured: \(ratios)")
    }

    /// Tokens over what plain decoding would have made in the time, of `jobs` that come `apart` rounds after each other;
    /// counts from round `first` on. With the nodes of the widest pass.
    private static func share(
        jobs: Int, apart: Int = 0, policy: String, from first: Int
    ) throws -> (share: Double, widest: Int) {
        var rig = VerifierRig(contextMax: 4_096)
        let speculation = Speculation(.stream, policy: try PolicySpecification(parsing: policy))
        rig.begin(speculation, tokensMax: 4_000)
        func text(_ job: UInt64, _ position: Int) -> TokenID {
            TokenID(rawValue: UInt32(10 + (position + 7 * Int(job)) % 40))
        }
        var (plain, tokens, widest) = (0.0, 0, 0)
        for round in 0..<3_000 {
            while rig.pens.count < jobs, round >= apart * rig.pens.count {
                add(&rig, speculation, job: UInt64(rig.pens.count + 1), tokensMax: 4_000)
            }
            guard let pass = rig.pass else { break }
            // In truth each node beyond one of each job costs as much as the pass without.
            let decoding = Set(pass.nodes.compactMap { $0.score?.key }).count
            let time = 1_000 * max(1, 1 + pass.nodes.count - max(1, decoding))
            rig.now = rig.now + (time - 1_000)
            let chosen = pass.nodes.compactMap { node in
                node.score.map { text($0.key.rawValue, node.position.rawValue + 1) }
            }
            let effects = rig.choose(chosen)
            if round >= first {
                plain += Double(time * decoding) / 1_000
                tokens += effects.commits.joined().count
                widest = max(widest, pass.nodes.count)
            }
            for verdict in effects.verdicts {
                guard let pen = rig.pens.firstIndex(where: { $0.stream == verdict.stream }) else { continue }
                rig.enter(verdict.nextEpoch, root: verdict.committed, by: pen)
                let drafts = [text(UInt64(pen + 1), verdict.committed.rawValue), 90] as [TokenID]
                // Of two drafts the first stands.
                let room = max(0, verdict.positionLimit - verdict.committed)
                if room > 0 { rig.draft(Array(drafts.prefix(room)), end: .windowFull, by: pen) }
            }
        }
        return (Double(tokens) / plain, widest)
    }

    @Test(
        "jobs that share passes lose less than 2 % to drafts that only the cost model likes, probes included",
        arguments: [1, 4], ["goodput", "fixed:gamma=4"])
    func cheapProbes(jobs: Int, policy: String) throws {
        let (share, widest) = try Self.share(jobs: jobs, policy: policy, from: 300)
        #expect(share > 0.98, "\(share) of plain decoding")
        #expect(widest > jobs, "it is tried again now and then")
    }

    @Test(
        "jobs that come one after the other lose little more, what is lost in learning included",
        arguments: ["goodput", "fixed:gamma=4"])
    func arriving(policy: String) throws {
        let (share, _) = try Self.share(jobs: 4, apart: 200, policy: policy, from: 0)
        #expect(share > 0.97, "\(share) of plain decoding")
    }
}
