import NacreCore
import NacreProtocol
import RealModule
import Testing

/// Method mtad through the machines: what `LossyMTADRule` promises, and what happens around it (ALGORITHMS 3).
@Suite struct JointMachineTests {
    static let ways: [Speculation] = [false, true].flatMap { onePath in
        [SiblingDraw.withoutReplacement, .independent].flatMap { siblings in
            [(1, 1, 0.5), (2, 3, 0.9), (4, 4, 0.3), (3, 2, 1.0)].map { gamma, width, tau in
                Speculation(
                    .mtad, gamma: gamma, shape: .beams(width: width, onePath: onePath), siblings: siblings, tau: tau)
            }
        }
    }

    /// ln of the joint probability of a block under a table, temperature 1.
    private func logJoint(_ block: [TokenID], after text: [TokenID], _ law: ([TokenID]) -> [Double]) -> Double {
        block.indices.reduce(0) { sum, place in
            let row = law(text + block[..<place])
            return sum + Double.log(row[Int(block[place].rawValue)] / row.reduce(0, +))
        }
    }

    /// ALGORITHMS 3.2, the guarantee.
    @Test("every committed block of drafts has ln P ≥ ln Q + ln τ", arguments: ways)
    func guarantee(of speculation: Speculation) {
        var language = TabularLanguage(vocabulary: 5, seed: 21)
        language.agreement = 0.6
        let samplings: [SamplingPolicy] = [
            .greedy, SamplingPolicy(temperature: 1), SamplingPolicy(temperature: 1, topK: 3),
            SamplingPolicy(temperature: 0.5), SamplingPolicy(temperature: 1.8, topP: 0.9),
        ]
        for sampling in samplings {
            // P and Q are laws of the job's temperature, and of no filter; greedily of temperature 1.
            let inverse = 1 / (sampling.isGreedy ? 1 : sampling.temperature)
            for (branches, nodesMax) in [(16, 64), (2, 6), (0, 64)] {
                var setting = MachineLoop.Setting(language: language, speculation: speculation)
                (setting.sampling, setting.branches, setting.nodesMax) = (sampling, branches, nodesMax)
                (setting.length, setting.ends) = (24, speculation.siblings == .independent ? [4] : [])
                var loop = MachineLoop(setting, seed: 9)
                let texts = loop.run(keys: 0..<30)
                #expect(texts.allSatisfy { $0.count == 24 || setting.ends.contains($0.last ?? 0) })
                for (text, tokens) in loop.commits where tokens.count > 1 {
                    // A token that ends the text may be a draft itself.
                    let blocks = [Array(tokens.dropLast())] + (tokens.last == 4 ? [tokens] : [])
                    let holds = blocks.contains { block in
                        logJoint(block, after: text) { language.p(after: $0).map { Double.pow($0, inverse) } }
                            >= logJoint(block, after: text) {
                                language.q(after: $0, salt: 2).map { Double.pow($0, inverse) }
                            }
                            + Double.log(speculation.tau) - 1e-4
                    }
                    #expect(holds, "\(tokens) after \(text)")
                }
                let blocks = loop.commits.count { $0.tokens.count > 1 }
                // Where every text soon ends there are few.
                #expect(blocks > 10 || !setting.ends.isEmpty, "\(blocks) blocks of drafts are no test")
            }
        }
    }

    /// A draft that τ turned down is often what the target then chooses itself; it was not kept all the same.
    @Test("accepted is what τ kept: each pass commits one token beside that", arguments: ways)
    func accepted(of speculation: Speculation) {
        var language = TabularLanguage(vocabulary: 5, seed: 25)
        language.agreement = 0.6
        var setting = MachineLoop.Setting(language: language, speculation: speculation)
        (setting.sampling, setting.length) = (SamplingPolicy(temperature: 0.7), 24)
        var loop = MachineLoop(setting, seed: 4)
        let texts = loop.run(keys: 0..<10)
        let kept = loop.commits.reduce(0) { $0 + $1.tokens.count - 1 }
        // A budget that ends at a draft leaves the pass without a token of its own.
        let statistics = loop.statistics
        #expect((kept...kept + texts.count).contains(Int(statistics.accepted)), "\(statistics) of \(kept) kept")
        // What was turned down in a pass is counted once.
        #expect(statistics.judged <= statistics.accepted + statistics.rounds)
        // By their places too; of the pass that ends a text also what lies behind its end.
        let placed = Int(statistics.acceptedAt.reduce(0, +)) - Int(statistics.accepted)
        #expect((0...4 * texts.count).contains(placed), "\(statistics)")
        #expect(statistics.accepted > 0)
        #expect(statistics.judged > statistics.accepted || speculation.tau < 0.9, "nothing was turned down")
    }

    @Test("the likelihood reported is that of the output under the target", arguments: ways.prefix(4))
    func likelihood(of speculation: Speculation) {
        let language = TabularLanguage(vocabulary: 5, seed: 22)
        let setting = MachineLoop.Setting(language: language, speculation: speculation)
        var loop = MachineLoop(setting, seed: 3)
        let texts = loop.run(keys: 0..<20)
        let sum = texts.reduce(0) { $0 + logJoint($1, after: setting.prompt) { language.p(after: $0) } }
        #expect(abs(sum - loop.statistics.logLikelihood) < 1e-3 * abs(sum))
        #expect(Int(loop.statistics.tokensScored) == texts.reduce(0) { $0 + $1.count })
    }

    @Test("it is measured for plain decoding too, where it is asked for, and changes no token")
    func plainLikelihood() {
        let language = TabularLanguage(vocabulary: 5, seed: 23)
        for method in [DecodingMethod.autoregressive, .speculative, .stream] {
            var texts: [[[TokenID]]] = []
            for measures in [false, true] {
                var setting = MachineLoop.Setting(
                    language: language, speculation: Speculation(method, measuresLikelihood: measures))
                setting.length = 12
                var loop = MachineLoop(setting, seed: 3)
                texts.append(loop.run(keys: 0..<12))
                let sum = texts[0].reduce(0) { $0 + logJoint($1, after: setting.prompt) { language.p(after: $0) } }
                #expect(measures ? abs(sum - loop.statistics.logLikelihood) < 0.01 : loop.statistics.tokensScored == 0)
            }
            #expect(texts[0] == texts[1], "\(method)")
        }
    }

    @Test("a smaller τ takes fewer passes; τ near 0 keeps every draft that is possible")
    func threshold() {
        let language = TabularLanguage(vocabulary: 5, seed: 24)
        let rounds = [1, 0.5, 1e-6].map { tau in
            var setting = MachineLoop.Setting(
                language: language, speculation: Speculation(.mtad, gamma: 3, shape: .beamsDefault, tau: tau))
            setting.length = 24
            var loop = MachineLoop(setting, seed: 3)
            _ = loop.run(keys: 0..<20)
            return loop.statistics.rounds
        }
        #expect(rounds[0] > rounds[1] && rounds[1] > rounds[2], "\(rounds)")
    }

    // MARK: - Move by move

    private func begun() -> VerifierRig {
        var rig = VerifierRig(branches: 4)
        rig.begin(Speculation(.mtad, gamma: 2, shape: .beams(width: 2, onePath: false), tau: 0.5))
        return rig
    }

    /// Scores of the rows in flight, all of whose drafts have this ln p.
    private func scores(_ rig: VerifierRig, _ choices: [TokenID], logP: Double) -> [Score] {
        scores(rig, choices) { _ in logP }
    }

    private func scores(_ rig: VerifierRig, _ choices: [TokenID], logP: (TokenID) -> Double) -> [Score] {
        zip((rig.pass?.nodes ?? []).compactMap(\.score), choices).map { request, token in
            guard case .likelihood(let asked) = request.kind else { return .choice(Choice(token: token, margin: 1)) }
            return .likelihood(
                Likelihood(
                    choice: Choice(token: token, margin: 1), ofChoice: -2, ofTokens: asked.map(logP)))
        }
    }

    @Test("one pass judges the whole tree, once all of it is there; the deepest node that passes stands")
    func round() {
        var rig = begun()
        rig.say([11, 12], parents: [0, 0], references: [-0.5])
        #expect(rig.pass == nil, "the search goes on")
        rig.say([13, 14], parents: [1, 2], references: [-1.2], end: .windowFull)
        let asked: [[TokenID]] = (rig.pass?.nodes ?? []).compactMap {
            if case .likelihood(let tokens) = $0.score?.kind { tokens } else { nil }
        }
        #expect(asked == [[11, 12], [13], [], [14], []])
        // −0.9 − (−0.5) > ln ½, and −1.8 − (−1.2) too.
        let answer = rig.answer(scores(rig, [20, 21, 22, 23, 24], logP: -0.9))
        #expect(answer.commits == [[11, 13, 22]])
        #expect(answer.verdicts.map(\.tokens) == [[11, 13, 22]])
        // The next search stands on them, in the epoch that the verdict offers.
        rig.enter(answer.verdicts[0].nextEpoch, root: 5)
        rig.say([15], references: [-0.1], end: .windowFull)
        #expect(rig.answer(scores(rig, [30, 31], logP: -5)).commits == [[30]], "below τ nothing stands")
    }

    @Test("drafts behind an end lend nothing to the block that is cut there")
    func draftsBehindAnEnd() {
        var rig = begun()
        rig.say([VerifierRig.end, 12], parents: [0, 0], references: [-0.5])
        rig.say([13], parents: [1], references: [-1.2], end: .windowFull)
        // By itself the end is below τ; with the draft behind it the path would be above.
        let answer = rig.answer(scores(rig, [20, 21, 22, 23]) { $0 == 13 ? -0.01 : -1.3 })
        #expect(answer.commits == [[20]])
    }

    @Test("it is never put to rest: a search is asked for in every round, and the report says why")
    func ungoverned() throws {
        var rig = VerifierRig(branches: 4, costs: (1...64).map { Double($0) * 1_000 })
        rig.begin(Speculation(.mtad, shape: .beams(width: 2, onePath: false)), tokensMax: 200)
        for round in 0..<80 {
            #expect(rig.pass == nil, "a pass without a search")
            rig.say([15, 16], parents: [0, 0], references: [-0.1], end: .windowFull)
            rig.now = rig.now + 3_000
            let answer = rig.answer(scores(rig, [TokenID(rawValue: UInt32(20 + round % 60)), 31, 32], logP: -9))
            let verdict = try #require(answer.verdicts.first)
            #expect(verdict.positionLimit - verdict.committed == 4)
            rig.enter(verdict.nextEpoch, root: verdict.committed)
        }
        let report = try #require(rig.machine.reports(at: rig.now).first { $0.jobs == 1 })
        #expect(report.state == .fixed && report.reason.contains("lossy"), "\(report)")
    }

    @Test("a drafter that dies in the middle of a search costs nothing but its drafts")
    func drafterDies() {
        var rig = begun()
        rig.say([11, 12], parents: [0, 0], references: [-0.5])
        rig.step(.drafterLost(address: VerifierRig.drafter))
        #expect(rig.pass?.nodes.map(\.score?.kind) == [.likelihood(of: [])])
        #expect(rig.choose([20]).commits == [[20]])
        #expect(rig.choose([21]).commits == [[21]], "plain decoding goes on")
    }

    @Test("a drafter that dies while its tree is judged takes nothing back")
    func drafterDiesInPass() {
        var rig = begun()
        rig.say([11, 12], parents: [0, 0], references: [-0.5], end: .windowFull)
        rig.step(.drafterLost(address: VerifierRig.drafter))
        #expect(rig.answer(scores(rig, [20, 21, 22], logP: -0.6)).commits == [[11, 21]])
    }

    @Test(
        "drafts without references, and references that are none, are the drafter's fault",
        arguments: [[], [-0.5, -0.6], [0.1], [-.infinity], [.nan]])
    func faults(references: [Double]) {
        var rig = begun()
        #expect(rig.say([11, 12], parents: [0, 0], references: references).goodbyes == [.protocolError])
    }

    @Test("on cores that drafter and verifier share it keeps its rule")
    func sharedCores() throws {
        var rig = VerifierRig(branches: 4)
        var assignment = VerifierRig.assignment(
            Speculation(.mtad, gamma: 1, shape: .beams(width: 2, onePath: false), tau: 0.5))
        assignment.offers[0].sharesCores = true
        rig.step(.control(.assignJob(assignment)))
        rig.greet()
        let first = rig.choose([50])
        let open = try #require(first.opens.first)
        #expect(open.shape == .beams(width: 2, onePath: false))
        rig.pens.append(
            VerifierRig.Pen(
                address: VerifierRig.drafter, stream: open.stream, epoch: open.epoch,
                root: Position(rawValue: open.contextTotal), heard: open.epoch))
        rig.ready(0)
        rig.say([11, 12], parents: [0, 0], references: [-0.5], end: .windowFull)
        #expect(rig.answer(scores(rig, [20, 21, 22], logP: -0.6)).commits == [[11, 21]])
    }

    @Test("a search that the text has left behind is not judged")
    func late() throws {
        var rig = VerifierRig(branches: 4)
        let speculation = Speculation(.mtad, gamma: 4, shape: .beams(width: 2, onePath: false))
        rig.step(.control(.assignJob(VerifierRig.assignment(speculation))))
        rig.greet()
        rig.choose([])
        rig.choose([11])
        rig.ready(0)
        // It was begun before 11 was committed; its deeper layers have no references that would hold.
        rig.say([11, 12], parents: [0, 0], references: [-0.5])
        rig.say([13], parents: [1], references: [-1.2])
        rig.say([14], parents: [3], references: [-1.5])
        let verdict = try #require(rig.choose([13]).verdicts.last)
        #expect(rig.pass == nil, "14 stands on what is committed; the drafter may have more")
        rig.hear(verdict.nextEpoch)
        rig.say([], end: .windowFull)
        let pass = try #require(rig.pass)
        #expect(pass.nodes.count { $0.score != nil } == 1, "14 has nothing to be compared with")
    }
}
