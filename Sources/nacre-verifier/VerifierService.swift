import Logging
import NIOPosix
import NacreCore
import NacreEngine
import NacreModelNode
import NacreNode
import NacreProtocol
import NacreRoles
import NacreTransport

/// Where other verifiers reach this one.
struct VerifierAddresses: Sendable {
    let listen: HostPort
    let advertise: HostPort?
}

/// One of a verifier's engines, ready to work.
struct VerifierShard: Sendable {
    let shape: EngineShape
    /// What passes cost while all engines compute.
    let costs: [PassCost]
    let submit: EnginePump.Submit
}

/// A node that serves a model, and the port at which other verifiers reach it.
struct VerifierService: Sendable {
    let node: VerifierNode
    let listener: PeerListener
    /// How the node introduces itself.
    let hello: Hello
    /// The address to tell other verifiers.
    let data: HostPort

    /// - Parameters:
    ///   - hello: without the address for other verifiers.
    ///   - shards: its engines.
    ///   - plan: why so many; `nil` if there can only be one.
    /// - Throws: `TransportError` if the port cannot be had.
    init(
        _ model: ServedModel, hello: Hello, shards: [VerifierShard], plan: ShardOptions.Plan? = nil,
        at addresses: VerifierAddresses, log: Logger
    ) async throws {
        let tokenizer = model.tokenizer
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        node = VerifierNode(
            shards.map { shard in
                let (shape, cost) = (shard.shape, StepCostModel(shard.costs))
                log.notice("calibrated", metadata: ["pass.us": "\(ModelOptions.describe(cost))"])
                return VerifierNode.Shard(
                    VerifierMachine.Configuration(
                        node: hello.node, incarnation: hello.incarnation, vocabularyDigest: hello.vocabularyDigest,
                        modelDigest: hello.modelDigest, vocabularySize: shape.vocabularySize, sequences: shape.jobs,
                        contextMax: model.contextPerJob, nodesMax: shape.nodesMax, endTokens: tokenizer.endTokens,
                        canRewind: shape.canRewind, branches: shape.branches, cost: cost),
                    submit: shard.submit)
            },
            tokenizer: tokenizer, on: loop, log: log)
        listener = try await PeerListener.listen(at: PeerAddress(addresses.listen), on: loop, handler: node.handle)
        data = addresses.advertise ?? HostPort(host: listener.address.host, port: listener.address.port)
        var greeting = hello
        greeting.dataAddress = data.description
        greeting.passTimes = ShardOptions.passTimes(of: shards.map(\.costs), tried: plan?.measured ?? [])
        greeting.disturbance = plan?.disturbance ?? ""
        self.hello = greeting
    }

    /// Serves until `stop`, or until the coordinator refuses the node.
    /// - Throws: `NodeRefused`.
    func run(coordinator: PeerAddress) async throws { try await node.run(coordinator: coordinator, hello: hello) }

    func stop() async {
        await listener.close()
        await node.stop()
    }

    /// Tells whoever launched this process that it is ready.
    func announce() { ReadyLine(role: "verifier", addresses: ["data": data]).announce() }
}
