import NacreCore
import NacreEngine
import NacreWire
import Testing

/// What the link carries, and what it refuses to carry.
@Suite("Messages of an engine's link")
struct EngineCodecTests {
    /// The message that a frame of `message` holds.
    private static func sent(_ message: EngineMessage) throws -> EngineMessage {
        try read(try EngineCodec.encode(message))
    }

    private static func read(_ frame: [UInt8]) throws -> EngineMessage {
        try frame.withUnsafeBytes { bytes in
            let (kind, length) = try EngineCodec.header(UnsafeRawBufferPointer(rebasing: bytes[..<8]))
            let payload = UnsafeRawBufferPointer(rebasing: bytes[8...])
            #expect(length == payload.count)
            return try EngineCodec.decode(kind, payload)
        }
    }

    private static func fault(_ body: () throws -> Void) -> WireError? {
        do {
            try body()
            return nil
        } catch {
            return error as? WireError
        }
    }

    @Test("start and ready come out as they went in")
    func setup() throws {
        guard case .start(let start) = try Self.sent(.start(RemoteEngineTests.start)) else { throw Missing() }
        #expect(start == RemoteEngineTests.start)
        var other = RemoteEngineTests.start
        (other.cpus, other.contextPerJob) = (nil, 4_096)
        guard case .start(let bare) = try Self.sent(.start(other)) else { throw Missing() }
        #expect(bare == other)
        let shape = EngineShape(
            vocabularySize: 9, contextCells: 8, sequences: 7, branches: 6, nodesMax: 5, canRewind: true)
        let said = EngineReady(shape: shape, contextPerJob: 4, modelDigest: .max, description: "naïve 8.4 M")
        guard case .ready(let ready) = try Self.sent(.ready(said)) else { throw Missing() }
        #expect(ready == said)
    }

    @Test("a margin without a second token and the tiniest probabilities survive")
    func extremes() throws {
        let law = try #require(Distribution(probabilities: [1 - 1e-16, .leastNonzeroMagnitude, 0]))
        let said: [Score] = [
            .choice(Choice(token: 3, margin: .infinity)), .law(law),
            .candidates([Candidate(token: 1, probability: 1 / 3.0), Candidate(token: 0, probability: 0)]),
            .likelihood(
                Likelihood(
                    choice: Choice(token: 2, margin: 0.5), ofChoice: -1 / 3.0, ofTokens: [-.infinity, 0, -2])),
        ]
        guard case .scores(let scores) = try Self.sent(.scores(said)) else { throw Missing() }
        #expect(scores == said)
    }

    @Test("laws over a large vocabulary travel in several messages that fit frames")
    func split() throws {
        let law = try #require(Distribution(weights: Array(repeating: 1, count: 60_000)))
        let messages = EngineCodec.messages(Array(repeating: .law(law), count: 5))
        #expect(messages.count == 3)
        var count = 0
        for message in messages {
            guard case .scores(let part) = try Self.sent(message) else { throw Missing() }
            #expect(!part.isEmpty && part.allSatisfy { $0 == .law(law) })
            count += part.count
        }
        #expect(count == 5)
        #expect(EngineCodec.messages([]).count == 1)
    }

    @Test("values out of their range are refused, with the field")
    func refused() throws {
        let policy = SamplingPolicy(temperature: -1)
        let request = ScoreRequest(key: 1, index: 0, policy: policy)
        let node = ForestNode(token: 1, position: 0, sequence: 0, score: request)
        var crowded = RemoteEngineTests.start
        crowded.layers = []
        let messages: [(EngineMessage, String)] = [
            (.pass(EnginePass(nodes: [node])), "sampling"),
            (.scores([.choice(Choice(token: 1, margin: .nan))]), "margin"),
            (.scores([.candidates([Candidate(token: 1, probability: 1.5)])]), "numbers"),
            (.start(crowded), "layers"),
            (.pass(EnginePass(edits: [.rewind(-1, length: 0)])), "editSequences"),
        ]
        for (message, field) in messages {
            let fault = Self.fault { _ = try Self.sent(message) }
            #expect(fault?.message.contains(field) == true, "\(field): \(String(describing: fault))")
        }
    }

    @Test(
        "a choice is possible: its likelihood is finite, and no likelihood is above 0",
        arguments: [[0.1], [.nan], [-.infinity], [-1, 0.1], [-1, .nan], [.infinity]])
    func likelihoods(numbers: [Double]) {
        let likelihood = Likelihood(
            choice: Choice(token: 1, margin: 0), ofChoice: numbers[0], ofTokens: Array(numbers.dropFirst()))
        let fault = Self.fault { _ = try Self.sent(.scores([.likelihood(likelihood)])) }
        #expect(fault?.code == .invalidValue && fault?.message.contains("ln p") == true, "\(String(describing: fault))")
    }

    @Test("a likelihood without numbers is refused in words that make sense")
    func noLikelihood() throws {
        // Scores of one score: field 1, of kind 6 (field 1) with token 1 (field 2, packed) and nothing else.
        let fault = Self.fault { _ = try Self.read([7, 0, 0, 0, 4, 0, 0, 0, 0x0A, 5, 8, 6, 0x12, 1, 1]) }
        #expect(fault?.code == .invalidValue && fault?.message.contains("ln p") == true, "\(String(describing: fault))")
    }

    @Test("unknown kinds, broken payloads and endless frames are refused")
    func malformed() throws {
        #expect(Self.fault { _ = try Self.read([0, 0, 0, 0, 9, 0, 0, 0]) }?.code == .unknownType)
        #expect(Self.fault { _ = try Self.read([1, 0, 0, 0, 3, 0, 0, 0, 0xFF]) }?.code == .malformed)
        #expect(Self.fault { _ = try Self.read([0xFF, 0xFF, 0xFF, 0xFF, 3, 0, 0, 0]) }?.code == .oversize)
    }

    @Test("a cut or changed frame never gives more than an error")
    func damaged() throws {
        for pass in RemoteEngineTests.tree {
            let frame = try EngineCodec.encode(.pass(pass))
            for place in 8..<frame.count {
                for bit in 0..<8 {
                    var changed = frame
                    changed[place] ^= 1 << UInt8(bit)
                    _ = Self.fault { _ = try Self.read(changed) }
                }
            }
        }
    }

    private struct Missing: Error {}
}
