import Glibc
package import NIOCore
import NIOPosix

/// An HTTP/2 server on one address, clear text with prior knowledge.
///
/// One task runs everything: it owns the listening socket, knows the connections, and runs each request's handler as a
/// child. `shutdown` must be called, and waits for that task.
///
/// ```swift
/// let server = try await HTTPServer.start(host: "127.0.0.1", port: 7401) { request, responder in
///     try? await responder.send(status: 200, body: request.body)
/// }
/// await server.shutdown(grace: .seconds(30))
/// ```
package final class HTTPServer: Sendable {
    /// Answers one request. Its task is cancelled when the client resets the stream or disconnects.
    package typealias Handler = @Sendable (HTTPRequest, HTTPResponder) async -> Void

    enum Event: Sendable {
        case opened(ServerConnection)
        case closed(ServerConnection)
        case accepted(ServerConnection.Accepted)
        case shutdown(grace: Duration)
        case graceOver
    }

    /// The port that is listened on: the one asked for, or the one the system chose for 0.
    package let port: Int
    private let events: AsyncStream<Event>.Continuation
    private let running: Task<Void, Never>

    private init(port: Int, events: AsyncStream<Event>.Continuation, running: Task<Void, Never>) {
        self.port = port
        self.events = events
        self.running = running
    }

    deinit {
        events.yield(.shutdown(grace: .zero))
    }

    /// Listens on `host` and `port` (0: any free one) and serves until `shutdown`.
    ///
    /// - Throws: `HTTPError` `.addressInUse`, `.cannotListen`.
    package static func start(
        host: String, port: Int, group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton,
        limits: HTTPLimits = HTTPLimits(), handler: @escaping Handler
    ) async throws -> HTTPServer {
        // The buffer is bounded by its producers: a connection has at most `handlersMax` requests that have not
        // ended, and connections over `connectionsMax` are closed.
        let (incoming, events) = AsyncStream<Event>.makeStream()
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 256)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
            .childChannelOption(.writeBufferWaterMark, value: .init(low: 64 << 10, high: 256 << 10))
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let connection = try ServerConnection(channel, limits: limits, events: events)
                    try channel.pipeline.syncOperations.addHandler(BytesHandler(connection))
                }
            }
        let listener: any Channel
        do {
            listener = try await bootstrap.bind(host: host, port: port).get()
        } catch {
            throw listenError(error, host, port)
        }
        // Ended by `shutdown` or `deinit` through `events`; awaited by `shutdown`.
        let running = Task {
            await serve(incoming, events, listener, limits: limits, handler)
        }
        return HTTPServer(port: listener.localAddress?.port ?? port, events: events, running: running)
    }

    /// Stops listening, lets open streams finish for `grace`, then closes what is left and cancels its handlers.
    /// Returns when every handler has returned.
    package func shutdown(grace: Duration) async {
        events.yield(.shutdown(grace: grace))
        await running.value
    }

    private static func serve(
        _ incoming: AsyncStream<Event>, _ events: AsyncStream<Event>.Continuation, _ listener: any Channel,
        limits: HTTPLimits, _ handler: @escaping Handler
    ) async {
        var connections: [ObjectIdentifier: ServerConnection] = [:]
        var isDraining = false
        await withDiscardingTaskGroup { group in
            for await event in incoming {
                switch event {
                case .opened(let connection):
                    connections[ObjectIdentifier(connection)] = connection
                    if isDraining || connections.count > limits.connectionsMax {
                        connection.channel.close(promise: nil)
                    }
                case .closed(let connection):
                    connections[ObjectIdentifier(connection)] = nil
                case .accepted(let accepted):
                    group.addTask { await answer(accepted, handler) }
                case .shutdown(let grace):
                    guard !isDraining else { continue }
                    isDraining = true
                    await close(listener)
                    for connection in connections.values { await connection.drain() }
                    group.addTask {
                        // Cancelled when the last connection closes before its time: then there is no one to tell.
                        if (try? await Task.sleep(for: grace)) != nil { events.yield(.graceOver) }
                    }
                case .graceOver:
                    for connection in connections.values { connection.channel.close(promise: nil) }
                }
                if isDraining, connections.isEmpty { break }
            }
            // A connection accepted meanwhile sees that its event is refused, and closes.
            events.finish()
            group.cancelAll()
        }
    }

    private static func close(_ listener: any Channel) async {
        // It fails only when the listener is closed already, which is what is wanted.
        try? await listener.close().get()
    }

    private static func answer(_ accepted: ServerConnection.Accepted, _ handler: @escaping Handler) async {
        let responder = accepted.responder
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await handler(accepted.request, responder) }
            group.addTask {
                for await _ in accepted.gone {}
            }
            // Whichever ends first ends the other: a handler that is done needs no watch, one without a client no work.
            await group.next()
            group.cancelAll()
        }
        await responder.connection.handlerReturned(responder.stream)
    }

    private static func listenError(_ error: any Error, _ host: String, _ port: Int) -> HTTPError {
        switch (error as? IOError)?.errnoCode {
        case EADDRINUSE:
            HTTPError(
                .addressInUse, "port \(port) on \(host) is in use",
                remedy: "stop the other process or choose another with --http")
        case EACCES:
            HTTPError(.cannotListen, "port \(port) on \(host) needs privileges", remedy: "choose one above 1023")
        case EADDRNOTAVAIL:
            HTTPError(
                .cannotListen, "\(host) is not an address of this machine", remedy: "use 127.0.0.1, 0.0.0.0 or its own")
        default:
            HTTPError(.cannotListen, "cannot listen on \(host) port \(port): \(error)", remedy: "check the address")
        }
    }
}
