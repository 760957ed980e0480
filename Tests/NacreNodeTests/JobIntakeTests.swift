import NacreAPI
import NacreCoordinator
import NacreCore
import NacreProtocol
import Testing

/// What `POST /v1/jobs` takes, and what it says to the rest.
@Suite struct JobIntakeTests {
    private static func read(_ body: String) throws -> JobSpecification {
        try JobIntake.read(Array(body.utf8), drawSeed: { 5 }).specification
    }

    @Test("a job that says nothing is a chain of one drafter under the coupled rule")
    func defaults() throws {
        let specification = try Self.read(#"{"prompt": "a"}"#)
        #expect(specification.speculation == Speculation(.stream))
        #expect(specification.seed == 5 && !specification.ignoresEnds)
    }

    @Test("everything that can be asked for arrives")
    func everything() throws {
        let body = """
            {"prompt": "a", "method": "speculative", "gamma": 3, "rule": "rejection", "tree": "4,2,2,1", "drafters": 2,
             "helpers": 3, "payload": "scalar"}
            """
        let tree = DraftShape.fixed(try TreeShape([4, 2, 2, 1]))
        let asked = Speculation(
            .speculative, gamma: 3, rule: .rejection, shape: tree, payload: .scalar, drafters: 2, helpers: 3)
        #expect(try Self.read(body).speculation == asked)
        #expect(try Self.read(#"{"prompt": "a", "method": "mtad", "ignore_eos": true}"#).ignoresEnds)
        let grown = try Self.read(#"{"prompt": "a", "tree": "best:16x3", "branches": 8, "temperature": 0.8}"#)
        #expect(grown.speculation.shape == .best(nodesMax: 16, width: 3) && grown.speculation.branches == 8)
    }

    @Test("a fixed width has as many draws a layer, which is what lets a layer stand")
    func draws() throws {
        for (beams, draws) in [(2, 4), (4, 4), (8, 8)] {
            let body = #"{"prompt": "a", "method": "dsbd", "temperature": 1, "beams": \#(beams)}"#
            #expect(try Self.read(body).speculation.shape == .forest(draws: draws))
        }
        let few = try Self.read(#"{"prompt": "a", "method": "dsbd", "temperature": 1, "draft_beams": 3}"#).speculation
        #expect(few.beams.width == 3 && few.shape == .forest(draws: 3))
        let widest = #"{"prompt": "a", "method": "dsbd", "temperature": 1, "draft_beams": 16, "width_threshold": 0.7, "#
        #expect(try Self.read(widest + #""min_beams": 16}"#).speculation.beams.dynamic?.widthMin == 16)
        let dynamic = #"{"prompt": "a", "method": "dsbd", "temperature": 1, "beams": 8, "draft_beams": 4, "#
        #expect(try Self.read(dynamic + #""width_threshold": 0.7}"#).speculation.shape == .forest(draws: 4))
    }

    @Test(
        "what is out of range, misspelt or does not go together is refused with what works",
        arguments: [
            (#""rule": "regection""#, "unknown rule 'regection': did you mean 'rejection'?"),
            (#""payload": "row""#, "unknown payload 'row': did you mean 'rows'?"),
            (#""tree": "chian""#, "unknown tree 'chian': did you mean 'chain'?"),
            (#""tree": "4,x""#, "give the children per node of each level, as in 4,2,2,1"),
            (#""tree": "16,16""#, "make it narrower or shallower"),
            (#""tree": "best:0""#, "'best:16' for at most 16 drafts"),
            (#""branches": 257"#, "branches must lie in 0 ... 256, not 257"),
            (#""drafters": 0"#, "drafters must lie in 1 ... 16, not 0"),
            (#""helpers": 17"#, "helpers must lie in 0 ... 16, not 17"),
            (#""gamma": 0"#, "gamma must lie in 1 ... 32, not 0"),
            (#""method": "pearl", "tree": "best""#, "use stream or speculative"),
            (#""tree": "4,2", "branches": 1"#, "use branches with a chain or with --tree best"),
            (#""rule": "block", "tree": "best", "temperature": 1"#, "use rule rejection or coupled"),
            (#""rule": "rejection", "drafters": 2, "temperature": 1"#, "use rule coupled, or one drafter"),
            (#""candidates": "independant""#, "did you mean 'independent'?"),
            (#""merge": 17"#, "merge must lie in 0 ... 16"),
            (#""method": "dsbd", "temperature": 1, "beams": 5, "draft_beams": 4"#, "draft_beams 5 or more"),
            (#""method": "dsbd", "temperature": 1, "beams": 4, "draft_beams": 3"#, "at most 3 beams"),
            (
                #""method": "dsbd", "temperature": 1, "draft_beams": 4, "width_threshold": 0.7, "min_beams": 5"#,
                "draft_beams 5 or more, or at most 4 min_beams"
            ),
            (#""method": "dsbd", "temperature": 1, "width_threshold": 0.7, "min_beams": 500"#, "min_beams"),
            (
                #""method": "dsbd", "temperature": 1, "draft_beams": 0, "width_threshold": 0.7, "min_beams": 1"#,
                "draft_beams"
            ),
            (
                #""method": "dsbd", "temperature": 1, "width_threshold": 0.7, "min_beams": 5"#,
                "draft_beams 5 or more, or at most 4 min_beams"
            ),
            (#""method": "beam", "ignore_eos": true, "temperature": 1"#, "leave ignore_eos out"),
            (#""method": "dsbd", "ignore_eos": true, "temperature": 1"#, "leave ignore_eos out"),
            (#""branch": 3"#, "did you mean 'branches'?"),
        ])
    func refused(keys: String, words: String) {
        let refusal = #expect(throws: JobIntake.Refusal.self) { try Self.read(#"{"prompt": "a", \#(keys)}"#) }
        #expect(refusal?.status == 400)
        #expect(refusal?.message.contains(words) == true, "\(refusal?.message ?? "")")
    }

    @Test("a job's document says what was used and what it came to")
    func document() throws {
        var machine = CoordinatorMachine(CoordinatorMachine.Configuration(generation: 1))
        var effects: [CoordinatorMachine.Effect] = []
        func step(_ input: CoordinatorMachine.Input) { machine.step(input, at: 0, into: &effects) }
        let hello = Hello(
            node: "v", incarnation: 1, role: .verifier, wireMin: 1, wireMax: 1, modelDigest: 5, vocabularyDigest: 7,
            dataAddress: "", capacity: Capacity(sequences: 1, context: 64, nodesMax: 16), modelName: "",
            engineVersion: "", cores: "", isExact: false)
        let entry = VocabularyChunk.Entry(piece: [97], endsGeneration: false, isControl: false)
        let job = JobID(high: 0, low: 1)
        step(.opened(1))
        step(.received(1, .hello(hello)))
        step(.received(1, .vocabularyChunk(VocabularyChunk(digest: 7, total: 1, first: 0, entries: [entry]))))
        let asked =
            #"{"prompt": "a", "rule": "rejection", "tree": "4,2", "drafters": 2, "helpers": 1, "#
            + #""candidates": "independent"}"#
        step(.submit(job, try Self.read(asked)))
        step(.received(1, .tokenized(Tokenized(request: 1, tokens: [0], error: ""))))
        step(.received(1, .jobEnded(Self.ended(job))))
        let document = JobDocument(try #require(machine.jobs[job]))
        #expect(document.rule == "rejection" && document.tree == "4,2" && document.branches == 0)
        #expect(document.drafters == 2 && document.helpers == 1)
        #expect(document.candidates == "independent" && document.merge == 0)
        #expect(!document.exact)
        let statistics = document.statistics
        #expect(statistics.verified == 30 && statistics.stale == 4 && statistics.wasted == 28)
        #expect(statistics.meanDraftsInFlight == 6.5 && statistics.outcomesPredicted == 0.75)
        #expect(statistics.judgedAt == [4, 0] && statistics.acceptedAt == [2, 0])
        #expect(statistics.acceptanceByPosition == [0.5, nil] && statistics.drafterBusy == 0.25)
        #expect(statistics.queueMicroseconds == 11 && statistics.wireMicroseconds == 13)
        #expect(statistics.shardsSent == 9 && statistics.shardsUsed == 7)
        #expect(statistics.rounds == 4 && statistics.gapMicroseconds == .max, "more than a number holds is its largest")
    }

    private static func ended(_ job: JobID) -> JobEnded {
        var statistics = JobStatistics()
        statistics.rounds = 4
        statistics.drafted = 40
        statistics.accepted = 12
        statistics.verified = 30
        statistics.stale = 4
        statistics.standing = 26
        statistics.outcomes = 4
        statistics.outcomesPrepared = 3
        statistics.judgedAt = [4, 0]
        statistics.acceptedAt = [2, 0]
        statistics.elapsedMicroseconds = 80
        statistics.queueMicroseconds = 11
        statistics.draftMicroseconds = 20
        statistics.wireMicroseconds = 13
        statistics.shardsSent = 9
        statistics.shardsUsed = 7
        statistics.gapMicroseconds = .max
        return JobEnded(job: job, attempt: 1, length: 1, reason: .length, detail: "", statistics: statistics)
    }
}
