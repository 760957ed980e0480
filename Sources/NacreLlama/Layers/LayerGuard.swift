internal import CLlama
import Foundation
import Synchronization

/// What a process needs that does nothing but run a model whose layers are elsewhere: when one of the servers is gone
/// it ends, with a line on stderr that says which, and without a core file of the model's size.
package enum LayerGuard {
    /// The status that such a process ends with.
    private static let status: Int32 = 1
    /// Remembered, because a connection that was reset no longer says whose it was.
    private static let watched = Mutex<[LayerConnections.Connection]>([])

    /// To be called before anything else of this module, once.
    package static func prepare() {
        // A server's end is seen by what its connection returns, not by a signal.
        signal(SIGPIPE, SIG_IGN)
        // Layers run on plain buffers, for which the tiled kernel would take over K and IQ quants at some batch sizes
        // and round differently: see `LlamaBackend`.
        setenv("GGML_CPU_TILED_MM", "0", 1)
        LlamaBackend.start()
        _ = ggml_set_abort_callback { message in
            LayerGuard.end(reason: message.map { String(cString: $0) } ?? "llama.cpp gave up")
        }
    }

    /// Ends the process as soon as a server of layers is gone, be a pass in flight or not. To be called when a model is
    /// loaded: before, connections come and go.
    package static func watch() {
        let connections = LayerConnections.all()
        for connection in connections { LayerConnections.keepAlive(connection.descriptor) }
        guard !connections.isEmpty else { return }
        watched.withLock { $0 = connections }
        Thread.detachNewThread {
            _ = LayerConnections.lost(of: connections, milliseconds: -1)
            end(reason: "a layer server closed its connection")
        }
    }

    /// Ends the process when the other end of `descriptor`, a socket, is closed.
    package static func end(with descriptor: Int32) {
        Thread.detachNewThread {
            var polls = [pollfd(fd: descriptor, events: 0, revents: 0)]
            while poll(&polls, 1, -1) < 0 && errno == EINTR {}
            _exit(0)
        }
    }

    private static func end(reason: String) -> Never {
        let lost = LayerConnections.lost(of: watched.withLock { $0 }, milliseconds: 0).map(\.peer)
        let line =
            lost.isEmpty
            ? "a layer server failed (\(bare(reason)))"
            : "the layer server at \(lost.joined(separator: " and ")) closed its connection"
        FileHandle.standardError.write(Data("\(line)\n".utf8))
        _exit(status)
    }

    /// One line, without the place in llama.cpp's source that it begins with.
    private static func bare(_ message: String) -> String {
        let line = message.split(whereSeparator: \.isNewline).joined(separator: " ")
        guard let source = line.firstRange(of: ".cpp:"), let colon = line[source.upperBound...].firstRange(of: ": ")
        else { return line }
        return String(line[colon.upperBound...])
    }
}
