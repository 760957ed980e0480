import NacreCore
import NacreProtocol
import Testing

/// Jobs whose draft lengths follow a policy: what does not pay is let rest, and nothing of that shows in the text.
@Suite struct GovernedTests {
    private static let svip = PolicySpecification(.svip)
    private static let fixed = (try? PolicySpecification(parsing: "fixed:gamma=4")) ?? svip

    /// A long job with a drafter that agrees with the target now and then by chance.
    private static func run(_ speculation: Speculation) -> (texts: [[TokenID]], drafted: UInt64, plain: [[TokenID]]) {
        var language = TabularLanguage(vocabulary: 12, seed: 4)
        language.agreement = 0
        var setting = MachineLoop.Setting(language: language, speculation: speculation)
        setting.length = 400
        var loop = MachineLoop(setting, seed: 9)
        let texts = loop.run(keys: 0..<2)
        let plain = (0..<2).map { key in
            language.text(
                after: setting.prompt, length: setting.length, ends: [],
                key: StreamKey(rawValue: UInt64(key) &* 0x9E37_79B9), setting.sampling)
        }
        return (texts, loop.statistics.drafted, plain)
    }

    @Test(
        "a useless drafter rests under every method, also where the policy never would",
        arguments: [
            Speculation(.speculative), Speculation(.pearl), Speculation(.speculative, policy: svip),
            Speculation(.pearl, policy: PolicySpecification(.heuristic)),
            Speculation(.pearl, policy: fixed),
        ])
    func rests(speculation: Speculation) {
        let governed = Self.run(speculation)
        #expect(governed.texts == governed.plain)
        let fixed = Self.run(Speculation(speculation.method, gamma: 4))
        #expect(fixed.texts == fixed.plain)
        #expect(
            governed.drafted * 3 < fixed.drafted, "\(governed.drafted) drafts, \(fixed.drafted) with a fixed length")
        #expect(governed.drafted > 0)
    }

    @Test(
        "a policy of no drafts turns them off for every method",
        arguments: [DecodingMethod.stream, .pearl, .speculative])
    func off(method: DecodingMethod) throws {
        let off = Self.run(Speculation(method, policy: try PolicySpecification(parsing: "fixed:gamma=0")))
        #expect(off.texts == off.plain)
        // To be ready a drafter has to draw once.
        #expect(off.drafted <= 2 * 4, "\(off.drafted)")
    }

    @Test("a drafter that joins while drafts rest gets ready, and one that was lost does not leave the job resting")
    func hiredWhileResting() throws {
        var rig = VerifierRig(costs: (1...64).map { Double($0) * 1_000 })
        rig.begin(.speculative, gamma: 0)
        // Nothing that is drafted stands, and passes cost as much as their nodes.
        for round in 0..<120 {
            // Between two probes.
            if round >= 60, rig.pass != nil, rig.machine.reports(at: rig.now).first?.state == .resting { break }
            if rig.pass == nil { rig.draft([90], end: .windowFull) }
            rig.now = rig.now + Instant.milliseconds(2)
            let rows = rig.pass?.nodes.count { $0.score != nil } ?? 0
            let effects = rig.choose(Array(repeating: TokenID(rawValue: UInt32(20 + round % 60)), count: rows))
            if let verdict = effects.verdicts.last { rig.enter(verdict.nextEpoch, root: verdict.committed) }
        }
        #expect(rig.pass?.nodes.count == 1, "it rests: a pass of its own starts at once")
        rig.step(.drafterLost(address: VerifierRig.drafter))
        let offers = [Offer(address: "drafter:2", incarnation: 3)]
        rig.step(.control(.offers(Offers(job: JobID(high: 0, low: 1), attempt: 0, offers: offers))))
        rig.greet("drafter:2")
        let opens = rig.effects.opens
        let open = try #require(opens.first)
        #expect(open.positionLimit.rawValue > open.contextTotal, "it may draw, and so get ready")
    }
}
