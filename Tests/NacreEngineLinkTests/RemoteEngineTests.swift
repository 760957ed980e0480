import Foundation
import NacreCore
import NacreEngine
import NacreEngineLink
import NacreWire
import Testing

/// An engine at the other end of a link, in a thread of this process: the reference engine, whose answers are known.
@Suite("An engine in another process")
struct RemoteEngineTests {
    static let start = EngineStart(
        path: "/models/large.gguf", layers: ["10.0.0.2:7420", "10.0.0.3:7420"], threads: 2, cpus: [1, 3],
        contextPerJob: nil, sequences: 4, branches: 3, nodesMax: 8, isExact: false)

    private static func reference() -> ReferenceEngine {
        ReferenceEngine(
            model: .hashed(vocabulary: 16, seed: 1), contextCells: 32, sequences: 4, branches: 2, nodesMax: 8)
    }

    private static func describe(_ engine: borrowing ReferenceEngine, _: EngineStart) -> EngineReady {
        EngineReady(shape: engine.shape, contextPerJob: 16, modelDigest: 7, description: "a table")
    }

    /// The near end of a link whose far end `serve` has, in a thread.
    private static func link(_ serve: @escaping @Sendable (EngineLink) -> Void) throws -> EngineLink {
        let (near, far) = try EngineLink.pair()
        Thread.detachNewThread { serve(far) }
        return near
    }

    private static let why: @Sendable () -> EngineError = { EngineError(.lost, "gone", remedy: "wait") }

    private static func engine(_ serve: @escaping @Sendable (EngineLink) -> Void) throws -> RemoteEngine {
        try RemoteEngine(link(serve), start: start, whyLost: why)
    }

    private static let serving: @Sendable (EngineLink) -> Void = { link in
        try? EngineServer.serve(link, describe: describe) { (_) throws(EngineError) in reference() }
    }

    /// A tree below a text: two siblings, one of them in a branch of its own, each row asked for in another way.
    static let tree: [EnginePass] = {
        func request(_ index: Int, _ kind: ScoreRequest.Kind, _ policy: SamplingPolicy) -> ScoreRequest {
            ScoreRequest(key: 0xFFFF_0000_1234, index: index, policy: policy, kind: kind)
        }
        let warm = SamplingPolicy(temperature: 0.8, topK: 5, topP: 0.9, minP: 0.01)
        return [
            EnginePass(nodes: [
                ForestNode(token: 1, position: 0, sequence: 0),
                ForestNode(token: 2, position: 1, sequence: 0, score: request(0, .choice, .greedy), branches: [2]),
                ForestNode(token: 3, position: 2, sequence: 0, score: request(1, .candidates(3), warm)),
                ForestNode(token: 4, position: 2, sequence: 2, score: request(1, .weights(entriesMax: 4), warm)),
                ForestNode(token: 5, position: 3, sequence: 2, score: request(2, .law, warm)),
            ]),
            EnginePass(
                edits: [.release(2), .fork(0, to: 1, length: 2), .rewind(0, length: 3)],
                nodes: [ForestNode(token: 6, position: 3, sequence: 0, score: request(2, .law, .greedy))],
                adoptions: [BranchAdoption(branch: 2, owner: 0, positions: 1..<4)]),
        ]
    }()

    @Test("gives bit for bit what the engine itself gives, whatever is asked of a row")
    func transparent() throws {
        var near = try Self.engine(Self.serving)
        var here = Self.reference()
        #expect(near.shape == here.shape && near.ready == Self.describe(here, Self.start))
        for pass in Self.tree {
            let remote = try near.run(pass)
            let own = try here.run(pass)
            #expect(remote == own && !own.isEmpty)
        }
    }

    @Test("can be measured like any other engine")
    func calibrated() throws {
        var engine = try Self.engine(Self.serving)
        #expect(try engine.calibrate(budget: .zero).map(\.nodes) == [1, 2, 4, 8])
    }

    @Test("passes on what the engine refuses, and goes on")
    func refusals() throws {
        var engine = try Self.engine(Self.serving)
        let far = ForestNode(token: 1, position: 9, sequence: 0)
        let refusal = Self.failure { () throws(EngineError) in _ = try engine.run(EnginePass(nodes: [far])) }
        #expect(refusal?.code == .invalidPass)
        let many = (0..<8).flatMap { round in (0..<8).map { 8 * round + $0 } }
        var codes: [EngineError.Code?] = []
        for part in stride(from: 0, to: 40, by: 8) {
            let nodes = many[part..<part + 8].map {
                ForestNode(token: 1, position: Position(rawValue: $0), sequence: 0)
            }
            codes.append(Self.failure { () throws(EngineError) in _ = try engine.run(EnginePass(nodes: nodes)) }?.code)
        }
        #expect(codes == [nil, nil, nil, nil, .cacheFull])
        #expect(try engine.run(EnginePass(edits: [.release(0)])).isEmpty)
    }

    @Test("hears why a model could not be loaded")
    func unloadable() throws {
        let link = try Self.link { link in
            try? EngineServer.serve(link, describe: Self.describe) { (start) throws(EngineError) in
                throw EngineError(.modelUnreadable, "no \(start.path)", remedy: "write one")
            }
        }
        let error = Self.failure { () throws(EngineError) in
            _ = try RemoteEngine(link, start: Self.start, whyLost: Self.why)
        }
        #expect(error?.code == .modelUnreadable && error?.description == "no /models/large.gguf: write one")
    }

    @Test("is lost with the other end, in a pass and for ever after")
    func lost() throws {
        var engine = try Self.engine { link in
            guard case .start = try? link.receive() else { return }
            try? link.send(.ready(Self.describe(Self.reference(), Self.start)))
            _ = try? link.receive()  // the pass, and then nothing: the link closes with this thread
        }
        for _ in 0..<2 {
            let error = Self.failure { () throws(EngineError) in _ = try engine.run(Self.tree[0]) }
            #expect(error?.code == .lost && error?.message == "gone")
        }
    }

    @Test("is lost when its answers make no sense", arguments: Nonsense.allCases)
    func nonsense(_ kind: Nonsense) throws {
        var engine = try Self.engine { link in
            guard case .start = try? link.receive() else { return }
            try? link.send(.ready(Self.describe(Self.reference(), Self.start)))
            guard case .pass = try? link.receive() else { return }
            try? link.send(kind.answers)
            _ = try? link.receive()
        }
        for _ in 0..<2 {
            #expect(Self.failure { () throws(EngineError) in _ = try engine.run(Self.tree[0]) }?.code == .lost)
        }
    }

    /// Answers to a pass that asks for a choice, candidates, weights and a law.
    enum Nonsense: CaseIterable, Sendable {
        case none, unasked, tooMany, noToken, otherMessage

        var answers: [EngineMessage] {
            let choice = Score.choice(Choice(token: 1, margin: 0))
            return switch self {
            case .none: [.scores([])]
            case .unasked: [.scores([choice, choice])]
            case .tooMany: [.scores(Array(repeating: choice, count: 5))]
            case .noToken: [.scores([.choice(Choice(token: 16, margin: 0))])]
            case .otherMessage: [.pass(EnginePass())]
            }
        }
    }

    private static func failure(_ body: () throws(EngineError) -> Void) -> EngineError? {
        do throws(EngineError) {
            try body()
            return nil
        } catch {
            return error
        }
    }
}
