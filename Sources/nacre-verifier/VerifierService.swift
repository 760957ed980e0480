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
    ///   - costs: what passes cost.
    /// - Throws: `TransportError` if the port cannot be had.
    init(
        _ model: ServedModel, hello: Hello, costs: [PassCost], at addresses: VerifierAddresses, log: Logger,
        submit: @escaping EnginePump.Submit
    ) async throws {
        var cost = StepCostModel(nodesMax: 64, priorFixed: 1_000, perNode: 100)
        for measured in costs { cost.record(nodes: measured.nodes, microseconds: measured.microseconds) }
        log.notice("calibrated", metadata: ["pass.us": "\(ModelOptions.describe(cost))"])
        let (shape, tokenizer) = (model.shape, model.tokenizer)
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        node = VerifierNode(
            VerifierMachine.Configuration(
                node: hello.node, incarnation: hello.incarnation, vocabularyDigest: hello.vocabularyDigest,
                modelDigest: hello.modelDigest, vocabularySize: shape.vocabularySize, sequences: shape.jobs,
                contextMax: model.contextPerJob, nodesMax: shape.nodesMax, endTokens: tokenizer.endTokens,
                canRewind: shape.canRewind, branches: shape.branches, cost: cost),
            tokenizer: tokenizer, on: loop, log: log, submit: submit)
        listener = try await PeerListener.listen(at: PeerAddress(addresses.listen), on: loop, handler: node.handle)
        data = addresses.advertise ?? HostPort(host: listener.address.host, port: listener.address.port)
        var greeting = hello
        greeting.dataAddress = data.description
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
