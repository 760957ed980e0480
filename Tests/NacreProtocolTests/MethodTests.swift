import NacreCore
import NacreProtocol
import Testing

/// Vanilla speculative decoding and the free-running pipeline.
@Suite struct MethodTests {
    private let drafts: [TokenID] = [11, 12, 13, 14]

    @Test("speculative: no pass before γ drafts are here, then one of γ + 1")
    func speculativeWaits() {
        var rig = VerifierRig()
        rig.begin(.speculative, gamma: 4)
        #expect(rig.pass == nil)
        rig.draft([11, 12, 13])
        #expect(rig.pass == nil)
        rig.say([14], end: .windowFull)
        #expect(rig.pass?.line == "2@1? 11@2? 12@3? 13@4? 14@5?")
    }

    @Test("speculative: j accepted drafts and the target's own token are committed", arguments: 0...4)
    func speculativeAccepts(accepted: Int) {
        var rig = VerifierRig()
        rig.begin(.speculative, gamma: 4)
        rig.draft(drafts, end: .windowFull)
        let answer = rig.choose(Array(drafts.prefix(accepted)) + Array(repeating: 90, count: 5 - accepted))
        let committed = Position(rawValue: 2 + accepted + 1)
        #expect(answer.commits == [Array(drafts.prefix(accepted)) + [90]])
        #expect(answer.verdicts.map(\.committed) == [committed])
        #expect(answer.verdicts.map(\.positionLimit) == [committed + 4])
        rig.enter(1, root: committed)
        rig.draft([31, 32, 33, 34], end: .windowFull)
        #expect(rig.pass?.edits == (accepted < 4 ? [.rewind(0, length: committed + -1)] : []))
        #expect(rig.pass?.line.hasPrefix("90@\(committed + -1)? 31@\(committed)?") == true)
    }

    @Test("an end of generation at each place of the window ends the job there", arguments: 0...4)
    func endOfGeneration(at place: Int) {
        var rig = VerifierRig()
        rig.begin(.speculative, gamma: 4)
        var own = drafts
        if place < 4 { own[place] = VerifierRig.end }
        rig.draft(Array(own.prefix(place + 1)), end: place < 4 ? .endOfGeneration : .windowFull)
        let rows = rig.pass?.nodes.count ?? 0
        let chosen = Array((own + [VerifierRig.end]).prefix(place) + [VerifierRig.end])
        let answer = rig.choose(chosen + Array(repeating: 90, count: rows - chosen.count))
        #expect(answer.commits == [chosen])
        #expect(answer.ended?.reason == .endOfGeneration)
        #expect(answer.ended?.length == Position(rawValue: 2 + place + 1))
        #expect(rig.machine.jobCount == 0 && rig.machine.freeSequenceCount == 4)
    }

    @Test("a pass is filled up to the size at which it is cheapest, and what fills it is removed again")
    func padding() {
        var rig = VerifierRig(branches: 1, costs: [1_000, 1_900, 2_000, 1_300])
        rig.begin(.speculative, gamma: 1)
        rig.draft([11], end: .windowFull)
        // In a sequence of its own, so that it stands in nobody's way.
        #expect(rig.pass?.treeLine == "2@1?/0 11@2?/0 11@0/4 11@1/4")
        let answer = rig.choose([11, 12])
        #expect(answer.commits == [[11, 12]])
        rig.enter(1, root: 4)
        rig.draft([13], end: .windowFull)
        #expect(rig.pass?.edits == [.release(4)])
        #expect(rig.pass?.treeLine == "12@3?/0 13@4?/0 13@0/4 13@1/4")
    }

    @Test("now and then a pass is run as it is, so that a size that seemed dear is measured again")
    func measuredAgain() throws {
        var rig = VerifierRig(branches: 1, costs: [1_000, 1_900, 2_000, 1_300])
        rig.begin(.speculative, gamma: 1, tokensMax: 200)
        var widths: [Int] = []
        for _ in 0..<70 {
            rig.draft([11], end: .windowFull)
            widths.append(try #require(rig.pass).nodes.count)
            let verdict = try #require(rig.choose([12, 13]).verdicts.last)
            rig.enter(verdict.nextEpoch, root: verdict.committed)
        }
        #expect(widths.count { $0 == 2 } == 1 && widths.count { $0 == 4 } == 69, "\(widths)")
    }

    @Test("no pass is filled up where there is no sequence to do it in")
    func noPadding() {
        var rig = VerifierRig(costs: [1_000, 1_900, 2_000, 1_300])
        rig.begin(.speculative, gamma: 1, tokensMax: 2)
        rig.draft([11], end: .windowFull)
        #expect(rig.pass?.line == "2@1? 11@2?")
    }

    @Test(
        "a budget of one token takes one pass of one node",
        arguments: DecodingMethod.allCases.filter { !$0.usesBeams })
    func budgetOfOne(method: DecodingMethod) {
        var rig = VerifierRig()
        rig.begin(method, gamma: 4, tokensMax: 1)
        #expect(rig.pass?.line == (method == .autoregressive ? "1@0 2@1?" : "2@1?"))
        var answer = rig.choose([50])
        if method == .pearl { answer = rig.draft([51], end: .windowFull) }
        #expect(answer.commits == [[50]])
        #expect(answer.ended?.reason == .length)
    }

    @Test("speculative: the window shrinks towards the job's end")
    func speculativeBudget() {
        var rig = VerifierRig()
        rig.begin(.speculative, gamma: 4, tokensMax: 3)
        rig.draft([11, 12])
        // Two drafts and the target's own token are all that the job may still commit.
        #expect(rig.pass?.line == "2@1? 11@2? 12@3?")
        #expect(rig.choose([11, 12, 13]).ended?.reason == .length)
    }

    @Test("stream: never waits, and a draft that comes late still counts")
    func lateDrafts() {
        var rig = VerifierRig()
        rig.begin(.stream, gamma: 8)
        #expect(rig.pass?.line == "2@1?")
        let first = rig.choose([11])
        #expect(first.commits == [[11]])
        #expect(rig.pass?.line == "11@2?")
        // The drafter's own 11, 12 and 13 arrive after 11 was committed: the epoch lives on, 12 and 13 are judged.
        rig.draft([11, 12, 13])
        let second = rig.choose([12])
        #expect(second.commits == [[12]])
        #expect(rig.pass?.line == "12@3? 13@4?")
        let third = rig.choose([13, 40])
        #expect(third.commits == [[13, 40]])
        let end = rig.step(.control(.cancelJob(CancelJob(job: JobID(high: 0, low: 1), attempt: 0)))).ended
        #expect(end?.statistics.accepted == 3)
        #expect(end?.statistics.drafted == 3)
    }

    @Test("the context of a job may come in parts; its stream opens when all are here")
    func partedContext() {
        var rig = VerifierRig()
        var part = VerifierRig.assignment(.stream, gamma: 4)
        part.context = [1]
        rig.step(.control(.assignJob(part)))
        rig.greet()
        #expect(rig.effects.opens.isEmpty)
        part.contextOffset = 1
        part.context = [2]
        rig.step(.control(.assignJob(part)))
        #expect(rig.effects.opens.map(\.context) == [[1, 2]])
    }

    @Test("no job's drafts keep another from its next token")
    func fairShare() {
        var rig = VerifierRig(nodesMax: 4)
        rig.begin(.speculative, gamma: 4)
        rig.step(.control(.assignJob(VerifierRig.assignment(.autoregressive, gamma: 0, job: 2))))
        #expect(rig.pass?.line == "1@0 2@1?")
        rig.draft(drafts, end: .windowFull)
        rig.choose([50])
        #expect(rig.pass?.line == "2@1? 11@2? 12@3? 50@2?")
    }
}

/// How fast a drafter answers, as its verifier sees it.
@Suite struct DraftPaceTests {
    @Test("the next draft is expected one response after a verdict that left none, one interval after a draft")
    func expectations() {
        var pace = DraftPace()
        #expect(pace.nextExpected == nil)
        pace.told(standing: 0, at: 1_000)
        pace.arrived(standing: 1, end: .open, computed: 100, tokens: 1, at: 1_400)
        #expect(pace.response == 400 && pace.nextExpected == nil)
        pace.arrived(standing: 2, end: .open, computed: 100, tokens: 1, at: 1_500)
        #expect(pace.interval == 100 && pace.nextExpected == 1_600)
        pace.told(standing: 0, at: 2_000)
        #expect(pace.nextExpected == 2_400)
        // A draft of an epoch that is over is no answer.
        pace.arrived(standing: 0, end: .open, computed: 100, tokens: 1, at: 2_100)
        #expect(pace.nextExpected == 2_400 && pace.response == 400)
    }

    @Test("the reading of what was committed in a quiet time is no part of a draft's")
    func catchingUp() {
        var pace = DraftPace()
        for arrival in 0..<3 {
            pace.arrived(standing: 1, end: .open, computed: 100, tokens: 1, at: Instant(rawValue: 500 * arrival))
        }
        pace.arrived(standing: 1, end: .open, computed: 900, tokens: 1, isCatchingUp: true, at: 3_000)
        #expect(pace.drawing == 100)
        pace.arrived(standing: 2, end: .open, computed: 900, tokens: 1, at: 4_000)
        #expect(pace.drawing > 100)
    }

    @Test("nothing is expected of a drafter that stands at its limit")
    func paused() {
        var pace = DraftPace()
        pace.told(standing: 0, at: 0)
        pace.arrived(standing: 1, end: .open, computed: 100, tokens: 1, at: 400)
        pace.arrived(standing: 2, end: .windowFull, computed: 100, tokens: 1, at: 500)
        #expect(pace.nextExpected == nil)
        pace.told(standing: 1, at: 900)
        #expect(pace.nextExpected == 1_000)
    }
}
