import Logging
import NacreCore
import NacreEngine
import NacreModelNode
import NacreProtocol
import NacreRoles
import NacreTransport

/// A verifier whose target's layers are on other hosts: one node for each life of the target, so that the coordinator
/// sees a lost target as a lost verifier, and one that is back as a verifier that registers.
actor RemoteVerifier {
    /// Makes the node that serves a model whose passes cost so much.
    typealias Make =
        @Sendable (ServedModel, [PassCost], @escaping EnginePump.Submit) async throws -> VerifierService

    private let target: RemoteTarget
    private let coordinator: PeerAddress
    private let log: Logger
    private let make: Make
    private var service: VerifierService?
    private var isAnnounced = false
    private var isStopped = false

    init(_ target: RemoteTarget, coordinator: PeerAddress, log: Logger, make: @escaping Make) {
        self.target = target
        self.coordinator = coordinator
        self.log = log
        self.make = make
    }

    /// Serves until `stop`, or until the coordinator refuses the node.
    /// - Throws: `NodeRefused`.
    func run(_ first: RemoteTarget.Life) async throws {
        var life: RemoteTarget.Life? = first
        while let current = life {
            try await serve(current)
            await current.host.shutdown()
            life = await target.resume()
        }
    }

    /// Says goodbye; `run` returns soon.
    func stop() async {
        isStopped = true
        await service?.stop()
        await target.stop()
    }

    private func serve(_ life: RemoteTarget.Life) async throws {
        // Whatever ends the node ends the process, and the other way round.
        defer { life.end() }
        let costs: [PassCost]
        do throws(EngineError) {
            costs = try await life.host.calibrate()
        } catch {
            return log.error("the target is lost", metadata: ["reason": "\(error)"])
        }
        let service = try await make(life.model, costs) { life.host.submit($0, done: $1) }
        self.service = service
        guard !isStopped else { return await service.stop() }
        if !isAnnounced { service.announce() }
        isAnnounced = true
        try await withThrowingTaskGroup(of: Void.self) { [coordinator] group in
            defer { life.end() }
            group.addTask { await service.node.engineLost(await life.whenLost()) }
            try await service.run(coordinator: coordinator)
        }
        await service.listener.close()
    }
}
