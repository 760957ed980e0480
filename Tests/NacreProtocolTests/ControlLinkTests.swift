import NacreCore
import NacreProtocol
import Testing

@Suite struct ControlLinkTests {
    private let load = Load(jobs: 1, busy: 0.5, stepMicroseconds: 10)
    private let welcome = Welcome(
        generation: 4, wire: 1, heartbeatMilliseconds: 500, leaseMilliseconds: 3_000, wantsVocabulary: true)
    private let chunk = VocabularyChunk(digest: 7, total: 0, first: 0, entries: [])

    private func link() -> ControlLink {
        let hello = Hello(
            node: "n", incarnation: 1, role: .drafter, wireMin: 1, wireMax: 1, modelDigest: 1, vocabularyDigest: 7,
            dataAddress: "d", capacity: Capacity(sequences: 1, context: 8, nodesMax: 8), modelName: "",
            engineVersion: "", cores: "")
        return ControlLink(hello: hello, vocabulary: [chunk])
    }

    /// The effects of one step, each as a word.
    private func step(_ link: inout ControlLink, _ input: ControlLink.Input, at milliseconds: Int) -> [String] {
        var effects: [ControlLink.Effect] = []
        link.step(input, at: Instant(rawValue: Instant.milliseconds(milliseconds)), into: &effects)
        return effects.map {
            switch $0 {
            case .dial: "dial"
            case .send(.hello): "hello"
            case .send(.heartbeat(let beat)): "beat \(beat.number)"
            case .send(.vocabularyChunk): "vocabulary"
            case .send: "send"
            case .close(let goodbye): "close \(goodbye.code)"
            case .registered: "registered"
            case .lost: "lost"
            case .refused: "refused"
            case .deliver: "deliver"
            }
        }
    }

    private func registered() -> ControlLink {
        var link = link()
        _ = step(&link, .start, at: 0)
        _ = step(&link, .dialed, at: 1)
        _ = step(&link, .received(.welcome(welcome)), at: 2)
        return link
    }

    @Test("heartbeats carry the way to the coordinator and back: the fastest of the last eight answers")
    func roundTrip() {
        var link = registered()
        func beat(at milliseconds: Int) -> UInt32? {
            var effects: [ControlLink.Effect] = []
            link.step(.tick(load), at: Instant(rawValue: Instant.milliseconds(milliseconds)), into: &effects)
            for case .send(.heartbeat(let beat)) in effects { return beat.load.roundTripMicroseconds }
            return nil
        }
        func answer(_ number: UInt64, at milliseconds: Int) {
            _ = step(&link, .received(.heartbeatAck(HeartbeatAck(number: number))), at: milliseconds)
        }
        #expect(beat(at: 502) == 0, "unknown")
        answer(1, at: 509)
        #expect(beat(at: 1_002) == 7_000)
        answer(2, at: 1_005)
        #expect(beat(at: 1_502) == 3_000)
        answer(2, at: 1_503)
        #expect(beat(at: 2_002) == 3_000, "an answer that comes twice, and to nothing that was asked last")
        answer(4, at: 2_022)
        for number in 5...11 as ClosedRange<UInt64> {
            let now = 2_002 + Int(number - 4) * 500
            #expect(beat(at: now) == 3_000)
            answer(number, at: now + 20)
        }
        #expect(beat(at: 6_002) == 20_000, "the fast answer is forgotten")
    }

    @Test("dial, hello, vocabulary, registered, then a heartbeat every half second")
    func registers() {
        var link = link()
        #expect(step(&link, .start, at: 0) == ["dial"])
        #expect(step(&link, .dialed, at: 1) == ["hello"])
        #expect(step(&link, .received(.welcome(welcome)), at: 2) == ["vocabulary", "registered"])
        #expect(step(&link, .tick(load), at: 400) == [])
        #expect(step(&link, .tick(load), at: 502) == ["beat 1"])
        #expect(step(&link, .received(.heartbeatAck(HeartbeatAck(number: 1))), at: 503) == [])
        #expect(
            step(&link, .received(.cancelJob(CancelJob(job: JobID(high: 0, low: 0), attempt: 1))), at: 504) == [
                "deliver"
            ])
    }

    @Test("pauses between dials double from 50 ms to 5 s")
    func backoff() {
        var link = link()
        _ = step(&link, .start, at: 0)
        var now = 0
        for pause in [50, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000] {
            #expect(step(&link, .dialFailed, at: now) == [])
            #expect(step(&link, .tick(load), at: now + pause - 1) == [])
            now += pause
            #expect(step(&link, .tick(load), at: now) == ["dial"])
        }
    }

    @Test("a lease without a word from the coordinator ends the link, once")
    func lease() {
        var link = registered()
        #expect(step(&link, .tick(load), at: 3_002) == ["beat 1"])
        #expect(step(&link, .tick(load), at: 3_003) == ["close tooSlow", "lost"])
        #expect(step(&link, .lost, at: 3_004) == [])
        #expect(step(&link, .tick(load), at: 3_053) == ["dial"])
    }

    @Test("a loss is told once, and the pause begins anew after a success")
    func loss() {
        var link = registered()
        #expect(step(&link, .received(.goodbye(Goodbye(code: .shuttingDown, detail: ""))), at: 10) == ["lost"])
        #expect(step(&link, .lost, at: 11) == [])
        #expect(step(&link, .tick(load), at: 60) == ["dial"])
    }

    @Test("a vocabulary that no target has is final at the first registration, later a long pause")
    func strangeVocabulary() {
        let goodbye = ControlLink.Input.received(.goodbye(Goodbye(code: .vocabularyMismatch, detail: "2 of 3")))
        var link = registered()
        #expect(step(&link, goodbye, at: 10) == ["refused"])
        link = registered()
        #expect(step(&link, .lost, at: 10) == ["lost"])
        #expect(step(&link, .tick(load), at: 60) == ["dial"])
        _ = step(&link, .dialed, at: 61)
        _ = step(&link, .received(.welcome(welcome)), at: 62)
        #expect(step(&link, goodbye, at: 70) == ["lost"])
        #expect(step(&link, .tick(load), at: 5_069) == [])
        #expect(step(&link, .tick(load), at: 5_070) == ["dial"])
    }

    @Test("another wire version is final; anything else before Welcome is an error")
    func refusals() {
        var link = link()
        _ = step(&link, .start, at: 0)
        _ = step(&link, .dialed, at: 1)
        var other = link
        let goodbye = Goodbye(code: .wireVersion, detail: "no")
        #expect(step(&link, .received(.goodbye(goodbye)), at: 2) == ["refused"])
        #expect(step(&other, .received(.heartbeatAck(HeartbeatAck(number: 1))), at: 2) == ["close protocolError"])
        var slow = self.link()
        _ = step(&slow, .start, at: 0)
        _ = step(&slow, .dialed, at: 0)
        #expect(step(&slow, .tick(load), at: 5_001) == ["close tooSlow"])
    }
}
