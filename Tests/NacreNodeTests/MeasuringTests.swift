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
        arguments: ["stream", "pearl:gamma=4", "stream:tree=best,branches=8", "speculative:tree=4,2,2,1,rule=block"])
    func variant(text: String) throws { #expect(try DecodingVariant(parsing: text).description == text) }

    @Test(
        "what is no way to decode is refused with what is",
        arguments: [
            ("steam", "did you mean 'stream'"), ("pearl:gama=4", "gamma"), ("pearl:gamma=four", "whole number"),
            ("pearl:gamma", "whole number"), ("stream:tree=", "means nothing"),
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
    }

    @Test("plain decoding is always measured, and policies only where they decide something")
    func grid() throws {
        let methods = try ["stream", "speculative:gamma=2", "autoregressive", "stream"].map {
            try DecodingVariant(parsing: $0)
        }
        let names = DecodingVariant.grid(methods: methods, policies: ["svip", "ema"]).map(\.description)
        #expect(names == ["autoregressive", "stream, svip", "stream, ema", "speculative:gamma=2"])
        #expect(DecodingVariant.grid(methods: methods, policies: []).count == 3)
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
