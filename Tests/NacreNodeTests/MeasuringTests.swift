import NacreAPI
import NacreClient
import NacreCoordinator
import NacreCore
import NacreNode
import NacreProtocol
import Testing

/// What `nacre bench` and `nacre tune` take, and how they count.
@Suite struct MeasuringTests {
    @Test(
        "a way to decode is read as it is written",
        arguments: [
            "stream", "pearl:gamma=4", "stream:tree=best,branches=8,helpers=1", "speculative:tree=4,2,2,1,rule=block",
            "beam:beams=8", "dsbd:gamma=3,beams=2,draft-beams=4,width-threshold=0.7,min-beams=2,keep-one=drawn",
        ])
    func variant(text: String) throws { #expect(try DecodingVariant(parsing: text).description == text) }

    @Test(
        "what is no way to decode is refused with what is",
        arguments: [
            ("steam", "did you mean 'stream'"), ("pearl:gama=4", "gamma"), ("pearl:gamma=four", "whole number"),
            ("pearl:gamma", "whole number"), ("stream:tree=", "means nothing"), ("bean", "did you mean 'beam'"),
            ("beam:beams=two", "beams of 'beam:beams=two' must be a whole number"), ("beam:width=4", "beams"),
            ("dsbd:width-threshold=wide", "must be a number, not 'wide'"), ("dsbd:keep-one=", "means nothing"),
        ])
    func refused(text: String, words: String) {
        let error = #expect(throws: NacreError.self) { try DecodingVariant(parsing: text) }
        #expect(error?.code == .badUsage && error?.description.contains(words) == true, "\(String(describing: error))")
    }

    @Test("lists are parted between ways and policies, not within them")
    func lists() {
        #expect(
            DecodingVariant.list("stream:tree=4,2,1,branches=2,pearl:gamma=3,stream")
                == ["stream:tree=4,2,1,branches=2", "pearl:gamma=3", "stream"])
        #expect(
            DecodingVariant.list("adaedl:lambda=0.4,target=0.9,svip,threshold:theta=0.5")
                == ["adaedl:lambda=0.4,target=0.9", "svip", "threshold:theta=0.5"])
        #expect(
            DecodingVariant.list("stream:tree=best:16,branches=8,pearl") == ["stream:tree=best:16,branches=8", "pearl"])
        #expect(
            DecodingVariant.list("beam,dsbd:beams=2,draft-beams=4,beam:beams=2")
                == ["beam", "dsbd:beams=2,draft-beams=4", "beam:beams=2"])
    }

    @Test("settings of beams reach the coordinator, with a temperature and with ends of texts")
    func beams() throws {
        var template = JobRequest(prompt: "a")
        template.ignoreEos = true
        func read(_ way: String, temperature: Double? = nil) throws -> JobSpecification {
            var template = template
            template.temperature = temperature
            let body = try JSON.encode(DecodingVariant(parsing: way).request(template))
            return try JobIntake.read(body, drawSeed: { 1 }).specification
        }
        let plain = try read("beam:beams=8,helpers=2")
        #expect(plain.speculation.beams.width == 8 && plain.speculation.helpers == 2 && !plain.ignoresEnds)
        #expect(plain.sampling.temperature == DecodingVariant.beamTemperature)
        #expect(try read("beam", temperature: 1.5).sampling.temperature == 1.5)
        #expect(try read("stream").sampling.isGreedy && (try read("stream").ignoresEnds))
        let drafted = try read("dsbd:gamma=3,draft-beams=5,width-threshold=0.9,min-beams=2,keep-one=likeliest")
        #expect(drafted.speculation.shape == .forest(draws: 5) && drafted.speculation.gamma == 3)
        #expect(drafted.speculation.beams.dynamic == DynamicWidth(threshold: 0.9, widthMin: 2))
        #expect(drafted.speculation.beams.survivor == .likeliest && drafted.speculation.isLossy)
        // What the rows call lossy is what the coordinator does.
        for way in DecodingVariant.all + ["dsbd:width-threshold=0.9", "dsbd:keep-one=drawn"] {
            #expect(try read(way).speculation.isLossy == DecodingVariant(parsing: way).isLossy, "\(way)")
        }
    }

    @Test("jobs that commit at their end alone are timed by what they say of their decoding, from the first of them on")
    func whole() {
        func course(_ number: Int, tokens: Int, rate: Double?, end: Duration) -> TimedJobs.Course {
            var statistics = StatisticsDocument()
            statistics.tokensPerSecond = rate
            let job = JobDocument(
                id: "a", state: "done", outcome: nil, error: nil, method: "beam", seed: 1, promptTokens: 1,
                outputTokens: tokens, text: "", tokens: Array(repeating: 0, count: tokens), verifiers: [],
                contextLimited: false, statistics: statistics)
            return TimedJobs.Course(
                number: number, whole: FinishedJob(document: job), from: start, to: start + end)
        }
        let start = ContinuousClock.now
        func rate(_ courses: TimedJobs.Course...) -> Double { TimedJobs(courses, from: start).tokensPerSecond }
        // 2 s of 5 were decoding.
        #expect(abs(rate(course(0, tokens: 20, rate: 10, end: .seconds(5))) - 10) < 1e-9)
        // From 3 s on, and from 4 s on: 50 tokens in 3 s.
        let courses = [(1, 30, 15.0, 6), (0, 20, 10, 5)].map {
            course($0, tokens: $1, rate: $2, end: .seconds($3))
        }
        let both = TimedJobs(courses, from: start)
        #expect(abs(both.tokensPerSecond - 50.0 / 3) < 1e-9 && abs(both.seconds - 6) < 1e-9)
        #expect(both.finished.map(\.document.tokens.count) == [20, 30])
        // Unknown, or more than there was since it was submitted: all of it counts.
        for unknown in [nil, 0, 1] as [Double?] {
            #expect(abs(rate(course(0, tokens: 20, rate: unknown, end: .seconds(5))) - 4) < 1e-9)
        }
    }

    @Test("plain decoding is always measured, and policies only where they decide something")
    func grid() throws {
        let methods = try ["stream", "speculative:gamma=2", "autoregressive", "stream"].map {
            try DecodingVariant(parsing: $0)
        }
        let names = DecodingVariant.grid(methods: methods, policies: ["svip", "ema"]).map(\.description)
        #expect(names == ["autoregressive", "stream, svip", "stream, ema", "speculative:gamma=2"])
        #expect(DecodingVariant.grid(methods: methods, policies: []).count == 3)
        let beams = try ["beam", "dsbd"].map { try DecodingVariant(parsing: $0) }
        #expect(
            DecodingVariant.grid(methods: beams, policies: ["svip"]).map(\.description)
                == ["autoregressive", "beam", "dsbd"])
    }

    @Test("everything that is tuned over is a way that the coordinator takes, once")
    func space() throws {
        let variants = TuningSpace.variants(methods: ["speculative", "pearl", "stream"])
        #expect(Set(variants).count == variants.count && variants.count > 30)
        for variant in variants {
            let body = try JSON.encode(variant.request(JobRequest(prompt: "a")))
            let accepted = try JobIntake.read(body, drawSeed: { 1 })
            #expect(accepted.specification.speculation.method.name == variant.method)
        }
    }

    @Test("the overlap is the share of drafting during which a pass ran")
    func overlap() throws {
        func span(_ track: Int, _ start: Int, _ duration: Int, _ count: Int) -> TraceDocument.Event {
            TraceDocument.Event(
                name: "", ph: "X", tid: track, ts: start, dur: duration, args: ["count": "\(count)"])
        }
        let commit = TraceDocument.Event(name: "", ph: "i", tid: 2, ts: 210, s: "t", args: ["count": "3"])
        let events = [span(1, 100, 100, 4), commit, span(1, 300, 100, 1), span(10, 150, 100, 2), span(11, 160, 20, 1)]
        let timeline = try #require(JobTimeline(TraceDocument(traceEvents: events), of: .plain))
        #expect(timeline.duration == 300 && timeline.committed == [3] && timeline.passes.map(\.drafts) == [3, 0])
        #expect(timeline.overlap == 0.5 && abs(timeline.verifierBusy - 2.0 / 3) < 1e-9)
        #expect(abs(timeline.drafterBusy - 1.0 / 3) < 1e-9, "drafters that compute at one time count once")
        #expect(JobTimeline(TraceDocument(traceEvents: [commit]), of: .plain) == nil)
    }

    @Test("times are read with their units", arguments: [("90s", 90.0), ("10m", 600), ("1.5h", 5_400), ("7", 7)])
    func time(text: String, seconds: Double) throws {
        #expect(try TimeSpan(text, flag: "--budget").duration == .seconds(seconds))
    }

    @Test("what is no time is refused", arguments: ["", "m", "-3s", "0", "ten", "9000h", "nan"])
    func noTime(text: String) { #expect(throws: NacreError.self) { try TimeSpan(text, flag: "--budget") } }

    @Test("progress is a bar, a share and the time that is left")
    func progress() {
        let text = ProgressLine.text(0.25, "stream", elapsed: .seconds(10))
        #expect(text == "[######------------------]  25 %  stream, about 30 s left")
        #expect(ProgressLine.text(.nan, "a", elapsed: .zero).contains("  0 %  a"))
        #expect(ProgressLine.text(2, "a", elapsed: .seconds(9)).hasSuffix("100 %  a"))
    }

    @Test("defaults are for jobs that say nothing about how to speculate, as a whole")
    func defaults() throws {
        let defaults = JobDefaults(method: "speculative", gamma: 3)
        func read(_ keys: String) throws -> Speculation {
            let body = Array(#"{"prompt": "a"\#(keys)}"#.utf8)
            return try JobIntake.read(body, defaults: defaults, drawSeed: { 1 }).specification.speculation
        }
        #expect(try read("") == Speculation(.speculative, gamma: 3))
        #expect(try read(#", "max_tokens": 3, "temperature": 0.5"#).gamma == 3)
        #expect(try read(#", "policy": "svip""#) == Speculation(.stream, policy: .init(.svip)))
        #expect(try read(#", "tree": "best""#).method == .stream)
        #expect(defaults.complaint == nil)
        #expect(JobDefaults(method: "perl").complaint?.contains("pearl") == true)
        #expect(JobDefaults(method: "pearl", tree: "best").complaint?.contains("windows") == true)
        // Nobody gets text that is not the target's own without having asked for it.
        #expect(JobDefaults(method: "mtad").complaint?.contains("autoregressive, ") == true)
        #expect(JobDefaults(gamma: 99).complaint?.contains("gamma") == true)
    }

    @Test("policies of pairs are read from settings, and mistakes are named")
    func pairs() throws {
        let pairs = try PolicyIntake.pairs("a b.gguf/d.gguf adaedl:lambda=0.4,max=5; t/d svip\n", source: "file f")
        #expect(pairs.map(\.scope.description) == ["a b.gguf/d.gguf", "t/d"])
        #expect(pairs.map(\.entry.policy.description) == ["adaedl:lambda=0.4,max=5", "svip"])
        #expect(pairs.allSatisfy { $0.entry.setBy == "file f" })
        #expect(PolicyIntake.complaint(aboutPairs: "default svip")?.contains("no policy of a pair") == true)
        #expect(PolicyIntake.complaint(aboutPairs: "t/d")?.contains("no policy of a pair") == true)
        #expect(PolicyIntake.complaint(aboutPairs: "t/d svipp")?.contains("svip") == true)
    }
}
