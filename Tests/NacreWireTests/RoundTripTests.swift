import NIOCore
import NacreCore
import NacreProtocol
import NacreWire
import Testing

@Suite("Messages survive the wire")
struct RoundTripTests {
    @Test("every message comes back as it was", arguments: FrameType.allCases)
    func everyMessage(type: FrameType) throws {
        for seed in 0..<300 as Range<UInt64> {
            var generator = MessageGenerator(seed: seed)
            let message = generator.message(type)
            let frame = try MessageCodec.encode(message)
            #expect(try parse(frame) == [message], "seed \(seed)")
            #expect(FrameType(message) == type)
        }
    }

    @Test("the largest context, chunk of a vocabulary and prompt fit a frame")
    func largest() throws {
        let context = [TokenID](
            repeating: TokenID(rawValue: UInt32(Limits.vocabularyEntriesMax - 1)), count: Limits.contextChunkTokens)
        let open = Message.draftOpen(
            DraftOpen(
                stream: 1, job: JobID(high: 1, low: 2), attempt: 1, epoch: 0, key: 7, sampling: .greedy,
                promptLength: 1, positionLimit: 2, contextTotal: context.count, contextOffset: 0, context: context))
        #expect(try parse(MessageCodec.encode(open)) == [open])
        let entry = VocabularyChunk.Entry(
            piece: [UInt8](repeating: 7, count: 100), endsGeneration: false, isControl: true)
        let chunk = Message.vocabularyChunk(
            VocabularyChunk(
                digest: 1, total: Limits.vocabularyEntriesMax, first: 0,
                entries: Array(repeating: entry, count: Limits.vocabularyChunkEntries)))
        #expect(try parse(MessageCodec.encode(chunk)) == [chunk])
        let prompt = Message.tokenize(Tokenize(request: 1, text: [UInt8](repeating: 0, count: Limits.promptBytesMax)))
        #expect(try parse(MessageCodec.encode(prompt)) == [prompt])
        let position = JobRecording.Position(
            .agrees, delay: .max, measure: DraftMeasure(entropy: 1, top: 1, margin: 1, probability: 1))
        let recording = Message.jobRecording(
            JobRecording(
                job: JobID(high: 1, low: 2), attempt: 1,
                passes: Array(repeating: .init(nodes: 4_096, microseconds: 1), count: Limits.passTimesMax),
                draftMicroseconds: 1, roundTripMicroseconds: 1,
                positions: Array(repeating: position, count: JobRecording.positionsMax)))
        #expect(try parse(MessageCodec.encode(recording)) == [recording])
    }

    @Test("a Hello with everything at its longest fits a frame before the peer is known")
    func largestHello() throws {
        let text = String(repeating: "x", count: Limits.nameBytesMax)
        let largest = Int(Int32.max)
        var hello = Hello(
            node: text, incarnation: 1, role: .verifier, wireMin: .max, wireMax: .max, modelDigest: 1,
            vocabularyDigest: 1, dataAddress: text,
            capacity: Capacity(sequences: largest, context: largest, nodesMax: largest, shards: Limits.shardsMax),
            modelName: text, engineVersion: text, cores: text,
            place: ComputePlace(host: 1, cores: Array(0..<Limits.coresMax), threads: largest),
            passTimes: Array(
                repeating: PassTime(shards: Limits.shardsMax, nodes: largest, microseconds: .max),
                count: Limits.passTimesMax),
            isExact: false, disturbance: text, bridge: .slrs)
        #expect(try MessageCodec.encode(.hello(hello)).count <= Limits.frameBytesBeforeWelcome)
        hello.place.cores.append(Limits.coresMax)
        #expect(throws: (any Error).self) { try parse(MessageCodec.encode(.hello(hello))) }
    }

    @Test("a peer that does not say how many drafters a job wants means one")
    func drafters() throws {
        var payload = RawPayload()
        payload.assignJob()
        guard case .assignJob(let assignment)? = try parse(rawFrame(type: 24, payload: payload.bytes)).first else {
            Issue.record("no AssignJob")
            return
        }
        #expect(assignment.speculation == Speculation(.stream))
    }

    @Test("texts for people are cut after the last character that fits")
    func longTexts() throws {
        let detail = String(repeating: "漢", count: 400)
        let frame = try MessageCodec.encode(.goodbye(Goodbye(code: .replaced, detail: detail)))
        let cut = Goodbye(code: .replaced, detail: String(repeating: "漢", count: 341))
        #expect(try parse(frame) == [.goodbye(cut)])
    }

    @Test("a top-k beyond every vocabulary is sent as the largest vocabulary")
    func hugeTopK() throws {
        var generator = MessageGenerator(seed: 1)
        guard case .draftOpen(var open) = generator.message(.draftOpen) else { return }
        open.sampling.topK = .max
        let frame = try MessageCodec.encode(.draftOpen(open))
        open.sampling.topK = Limits.vocabularyEntriesMax
        #expect(try parse(frame) == [.draftOpen(open)])
    }

    @Test("what does not fit the wire is refused and leaves the buffer alone")
    func unsendable() throws {
        var buffer = ByteBuffer(bytes: [1, 2, 3])
        let negative = Message.verdict(
            Verdict(stream: 1, nextEpoch: 1, tokens: [], committed: Position(rawValue: -1), positionLimit: 0))
        let long = Message.tokenize(Tokenize(request: 1, text: [UInt8](repeating: 0, count: Limits.frameBytesMax)))
        for message in [negative, long] {
            let error = #expect(throws: WireError.self) { try MessageCodec.encode(message, into: &buffer) }
            #expect(error?.code == .unsendable)
        }
        #expect(Array(buffer.readableBytesView) == [1, 2, 3])
    }
}
