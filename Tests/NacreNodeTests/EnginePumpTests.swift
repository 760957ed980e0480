import Logging
import NacreCore
import NacreEngine
import NacreProtocol
import NacreRoles
import Synchronization
import Testing

/// A node's hand-over of passes, on an engine whose passes end when the test says so.
@Suite struct EnginePumpTests {
    /// What was handed over and not yet ended.
    private final class Desk: Sendable {
        typealias Done = @Sendable (Result<PassResult, EngineError>) -> Void
        private let waiting = Mutex<[Done]>([])

        func submit(_: EnginePass, _ done: @escaping Done) { waiting.withLock { $0.append(done) } }

        var count: Int { waiting.withLock { $0.count } }

        func end(_ result: Result<PassResult, EngineError>) {
            guard let done = waiting.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) else { return }
            done(result)
        }
    }

    private let desk = Desk()
    private let outcomes = Record()

    /// What came of passes.
    private final class Record: Sendable {
        private let all = Mutex<[PassOutcome]>([])
        func append(_ outcome: PassOutcome) { all.withLock { $0.append(outcome) } }
        var list: [PassOutcome] { all.withLock { $0 } }
    }

    private func pump() -> EnginePump {
        EnginePump(log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, submit: desk.submit)
    }

    private func start(_ pump: inout EnginePump) {
        pump.start(EnginePass(nodes: [])) { [outcomes] in outcomes.append($0) }
    }

    @Test("results, a full cache and failures are outcomes, with the times in microseconds")
    func mapping() {
        var pump = pump()
        let score = Score.choice(Choice(token: 7, margin: 1))
        let results: [Result<PassResult, EngineError>] = [
            .success(PassResult(scores: [score], startedNanoseconds: 5_000, endedNanoseconds: 9_999)),
            .failure(EngineError(.cacheFull, "full")), .failure(EngineError(.failed, "broken")),
        ]
        for result in results {
            start(&pump)
            desk.end(result)
            pump.passEnded()
        }
        guard case .done([score], started: 5, ended: 9) = outcomes.list[0], case .cacheFull = outcomes.list[1],
            case .failed(let reason) = outcomes.list[2]
        else {
            Issue.record("\(outcomes.list)")
            return
        }
        #expect(reason.contains("broken"))
    }

    @Test("an engine that is gone is told apart from a failure, and is no outcome of the pass")
    func lost() {
        var pump = pump()
        let reasons = Record()
        for error in [EngineError(.lost, "gone"), EngineError(.failed, "broken")] {
            pump.start(
                EnginePass(nodes: []), lost: { [reasons] in reasons.append(.failed($0)) },
                done: { [outcomes] in outcomes.append($0) })
            desk.end(.failure(error))
            pump.passEnded()
        }
        #expect(reasons.list == [.failed("gone")] && outcomes.list == [.failed("broken")])
    }

    /// A node around a pump.
    private actor Node {
        private var pump: EnginePump
        private(set) var isWaiting = false
        private(set) var isOver = false

        init(_ pump: sending EnginePump) { self.pump = pump }

        func run() async {
            await withCheckedContinuation { waiting in
                pump.wait(waiting)
                isWaiting = true
            }
            isOver = true
        }

        func start() { pump.start(EnginePass(nodes: [])) { _ in } }
        func passEnded() { pump.passEnded() }
        func finish() { pump.finish() }

        /// Whether it is still waiting after everybody had a turn, many times.
        func staysWaiting() async -> Bool {
            for _ in 0..<200 { await Task.yield() }
            return isWaiting && !isOver
        }
    }

    @Test("whoever waits is resumed once it is finished and no pass is in flight, whatever comes first")
    func end() async {
        for finishesFirst in [true, false] {
            let node = Node(pump())
            await node.start()
            if finishesFirst { await node.finish() }
            let running = Task { await node.run() }
            while await !node.isWaiting { await Task.yield() }
            if !finishesFirst {
                #expect(await node.staysWaiting())
                await node.finish()
            }
            #expect(await node.staysWaiting(), "a pass is in flight")
            await node.passEnded()
            await running.value
            #expect(await node.isOver)
        }
        let idle = Node(pump())
        let running = Task { await idle.run() }
        while await !idle.isWaiting { await Task.yield() }
        #expect(await idle.staysWaiting(), "it is not finished")
        await idle.finish()
        await running.value
    }

    @Test("after the end nothing is started")
    func afterwards() {
        var pump = pump()
        pump.finish()
        start(&pump)
        #expect(desk.count == 0)
    }
}
