import NacreCore
import NacreEngine
import NacreProtocol
import Testing

/// What is kept of a job that is recorded: how the drafts of its first drafter did, position by position.
@Suite struct RecordingTests {
    private static let speculations =
        [DecodingMethod.stream, .speculative, .pearl].flatMap { method in
            [VerifyRuleKind.coupled, .rejection, .block].map { Speculation(method, gamma: 3, rule: $0) }
        } + [
            Speculation(.stream), Speculation(.speculative, policy: PolicySpecification(.svip)),
            Speculation(.speculative, rule: .rejection, payload: .scalar), Speculation(.autoregressive),
        ]

    private func loop(_ speculation: Speculation, _ sampling: SamplingPolicy, seed: UInt64) -> MachineLoop {
        var language = TabularLanguage(vocabulary: 4, seed: seed)
        language.agreement = 0.7
        var setting = MachineLoop.Setting(language: language, speculation: speculation, sampling: sampling)
        setting.length = 30
        return MachineLoop(setting, seed: seed)
    }

    @Test("no token depends on it, whatever the method, rule and temperature", arguments: speculations)
    func changesNothing(speculation: Speculation) {
        var recorded = speculation
        recorded.isRecorded = true
        for (seed, temperature) in [(1, 1.0), (2, 0), (3, 0.7)] as [(UInt64, Double)] {
            let sampling = SamplingPolicy(temperature: temperature)
            var (without, with) = (loop(speculation, sampling, seed: seed), loop(recorded, sampling, seed: seed))
            let texts = without.run(keys: 0..<10)
            #expect(with.run(keys: 0..<10) == texts, "seed \(seed), temperature \(temperature)")
            #expect(without.recordings.isEmpty && with.recordings.count == 10)
            #expect(with.recordings.map(\.positions.count) == Array(repeating: 30, count: 10))
        }
    }

    @Test("a position agrees if the draft model's own choice there, behind the target's text, is the target's")
    func oracle() throws {
        var (agreeing, differing, unknown) = (0, 0, 0)
        for method in [DecodingMethod.stream, .speculative, .pearl] {
            for (seed, temperature) in [(4, 0.8), (5, 0)] as [(UInt64, Double)] {
                let speculation = Speculation(method, gamma: 2, isRecorded: true)
                let sampling = SamplingPolicy(temperature: temperature)
                var loop = loop(speculation, sampling, seed: seed)
                let texts = loop.run(keys: 0..<8)
                for recording in loop.recordings {
                    let text = texts[Int(recording.job.low)]
                    for (index, position) in recording.positions.enumerated() {
                        let drafted = choice(
                            after: loop.setting.prompt + text.prefix(index), at: index, of: loop, recording.job.low)
                        switch position.agreement {
                        case .agrees: agreeing += drafted == text[index] ? 1 : 1_000_000
                        case .differs: differing += drafted != text[index] ? 1 : 1_000_000
                        case .unknown: unknown += 1
                        }
                        #expect((position.measure == .unknown) == (position.agreement == .unknown))
                        #expect(position.measure.complaint == nil)
                    }
                }
                let decided = loop.recordings.flatMap(\.positions).filter { $0.agreement != .unknown }
                #expect(UInt64(decided.count { $0.agreement == .agrees }) == loop.statistics.accepted)
            }
        }
        #expect(agreeing < 1_000_000 && differing < 1_000_000, "a position says what its draft was not")
        #expect(agreeing > 100 && differing > 100 && unknown > 20, "\(agreeing) \(differing) \(unknown)")
    }

    /// What the draft model chooses under the job's noise.
    private func choice(after text: [TokenID], at index: Int, of loop: MachineLoop, _ job: UInt64) -> TokenID {
        var row: [Float] = []
        var scratch = CoupledScratch()
        loop.setting.language.draft(0).logits(after: text[...], into: &row)
        let request = ScoreRequest(
            key: StreamKey(rawValue: job &* 0x9E37_79B9), index: index, policy: loop.setting.sampling)
        return CoupledRule.choose(row.span, request, scratch: &scratch).token
    }

    @Test("drafts that come late count as those in time, and where none came nothing is said")
    func late() throws {
        var rig = VerifierRig(costs: [1_000])
        rig.begin(Speculation(.stream, isRecorded: true), tokensMax: 6)
        // Two positions are decided before a draft is here; the first draft that comes is right, the second wrong.
        rig.choose([11])
        rig.choose([12])
        rig.say([11, 90])
        rig.choose([13])
        rig.enter(3, root: 5)
        rig.say([14])
        rig.choose([15])
        rig.choose([16])
        rig.choose([17])
        let ended = rig.effects.contains { if case .toCoordinator(.jobEnded) = $0 { true } else { false } }
        let recording = try #require(rig.recording)
        #expect(ended)
        #expect(recording.positions.prefix(4).map(\.agreement) == [.agrees, .differs, .unknown, .differs])
        #expect(recording.positions.map(\.delay).prefix(3) == [0, 1_000, 1_000])
        #expect(
            recording.passes == [JobRecording.Pass(nodes: 1, microseconds: 1_000)]
                && recording.draftMicroseconds == 1_000)
    }

    @Test("a job that is not recorded asks for nothing and says nothing")
    func off() {
        var rig = VerifierRig()
        rig.step(.control(.assignJob(VerifierRig.assignment(.stream, gamma: 0, tokensMax: 1))))
        rig.greet()
        #expect(rig.effects.opens.map(\.isMeasured) == [false])
        rig.choose([])
        rig.choose([11])
        #expect(rig.effects.ended != nil && rig.recording == nil)
    }

    @Test("a drafter that is asked to reports what q was like, draft by draft")
    func measures() throws {
        var rig = DrafterRig()
        let open = DraftOpen(
            stream: 0, job: JobID(high: 0, low: 0), attempt: 1, epoch: 0, key: 5, sampling: .greedy, promptLength: 2,
            positionLimit: 12, isMeasured: true, contextTotal: 2, contextOffset: 0, context: [1, 2])
        rig.step(.received(1, .draftOpen(open)))
        func pass(_ token: TokenID, _ probability: Double) throws -> Draft {
            #expect(rig.pass?.nodes.last?.score?.kind == .measured(1))
            rig.pass = nil
            let measured = MeasuredCandidates(
                [Candidate(token: token, probability: 0.5)],
                TokenStatistics(entropy: 0.25, topProbability: probability, margin: .infinity), probability: probability
            )
            rig.step(.passed(.done([.measured(measured)], started: 0, ended: 1_000)))
            return try #require(rig.drafts.first)
        }
        func measure(_ probability: Float) -> DraftMeasure {
            DraftMeasure(entropy: 0.25, top: probability, margin: .infinity, probability: probability)
        }
        #expect(try pass(10, 0.5).measures == [measure(0.5)])
        #expect(try pass(11, 0.75).measures == [measure(0.75)])
        // A verdict in between moves what was measured with the tree.
        _ = rig.verdict([10], committed: 3, next: 1, limit: 14)
        #expect(try pass(12, 0.25).measures == [measure(0.25)])
        _ = rig.verdict([20], committed: 4, next: 2, limit: 14)
        rig.pass = nil
        rig.step(.passed(.done([.candidates([Candidate(token: 13, probability: 1)])], started: 0, ended: 1_000)))
        #expect(rig.drafts.isEmpty, "a draft of the old course")
        #expect(try pass(21, 1).measures == [measure(1)], "nothing is left of the old course")
    }

    @Test("the coordinator keeps the youngest recordings, and none of a job that is not recorded")
    func kept() {
        var rig = CoordinatorRig()
        rig.join(1, .verifier, sequences: 32)
        let keep = CoordinatorMachine.Configuration(generation: 1).recordingsMax
        func recording(_ job: JobID) -> JobRecording {
            JobRecording(
                job: job, attempt: 1, passes: [], draftMicroseconds: 0, roundTripMicroseconds: 0,
                positions: [JobRecording.Position(.agrees, delay: 0)])
        }
        let jobs = (1...UInt64(keep + 1)).map { JobID(high: 0, low: $0) }
        for job in jobs {
            rig.submit(Speculation(.stream, isRecorded: true), job: job)
            rig.step(.received(1, .jobRecording(recording(job))))
        }
        let kept = jobs.filter { rig.machine.jobs[$0]?.recording != nil }
        #expect(kept == Array(jobs.dropFirst()))
        let other = JobID(high: 1, low: 0)
        rig.submit(Speculation(.stream), job: other)
        rig.step(.received(1, .jobRecording(recording(other))))
        #expect(rig.machine.jobs[other]?.recording == nil)
        #expect(rig.effects.contains { if case .close(1, _) = $0 { true } else { false } })
    }
}

extension VerifierRig {
    fileprivate var recording: JobRecording? {
        for case .toCoordinator(.jobRecording(let recording)) in effects { return recording }
        return nil
    }
}
