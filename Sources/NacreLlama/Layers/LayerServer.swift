internal import CLlama
import Foundation
package import NacreEngine

/// Computes layers of models for verifiers on other hosts: llama.cpp's RPC server over this host's processor.
///
/// It serves one client at a time, believes whatever that says, and hides nothing: for trusted networks only.
package enum LayerServer {
    /// Serves in a thread until the process ends.
    ///
    /// - Parameters:
    ///   - host: an IPv4 address in numbers.
    ///   - port: 0 has the system choose one.
    ///   - cpus: the cores to stay on; `nil` leaves placement to the system.
    /// - Returns: the port, once it listens.
    /// - Throws: `.failed` if it does not.
    package static func start(host: String, port: Int, threads: Int, cpus: [Int]?) async throws(EngineError) -> Int {
        signal(SIGPIPE, SIG_IGN)
        try tryListening(host, port)
        if let cpu = cpus?.first(where: { !Processors.allowed.contains($0) }) {
            throw EngineError(
                .failed, "core \(cpu) is not among those that this process may use: \(Processors.allowed)",
                remedy: "name others with --cpus")
        }
        setenv("GGML_CPU_TILED_MM", "0", 1)
        LlamaBackend.start()
        guard let processor = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU) else {
            throw EngineError(.failed, "libllama was built without a processor to compute on")
        }
        // A handle that libllama never changes, used by the one thread below and by nobody else.
        nonisolated(unsafe) let device = processor
        Thread.detachNewThread {
            if let cpus { stay(on: cpus) }
            var devices: [ggml_backend_dev_t?] = [device]
            ggml_backend_rpc_start_server("\(host):\(port)", nil, threads, devices.count, &devices)
            FileHandle.standardError.write(Data("the layer server has ended by itself\n".utf8))
            _exit(1)
        }
        let deadline = ContinuousClock.now + .seconds(10)
        while ContinuousClock.now < deadline {
            if let listener = LayerConnections.listener() {
                LayerConnections.keepAlive(listener.descriptor)
                return listener.port
            }
            try? await Task.sleep(for: .milliseconds(2))
        }
        throw EngineError(.failed, "the layer server does not begin to listen on \(host):\(port)")
    }

    /// llama.cpp does not say why it cannot listen, so its two calls are tried before.
    private static func tryListening(_ host: String, _ port: Int) throws(EngineError) {
        func refusal(_ reason: String) -> EngineError {
            EngineError(.failed, "cannot listen on \(host):\(port): \(reason)", remedy: "choose another --listen")
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port)).bigEndian
        guard inet_pton(AF_INET, host, &address.sin_addr) == 1 else {
            throw refusal("it listens on IPv4 addresses in numbers only, such as 127.0.0.1 or 0.0.0.0")
        }
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        defer { close(descriptor) }
        var reuse: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &reuse, socklen_t(MemoryLayout<Int32>.size))
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else { throw refusal(String(cString: strerror(errno))) }
    }

    /// Has the calling thread stay on these cores, and with it the threads that it makes for each request: what a
    /// thread pool does to the thread that makes it.
    private static func stay(on cpus: [Int]) {
        var parameters = ggml_threadpool_params_default(1)
        withUnsafeMutableBytes(of: &parameters.cpumask) { mask in
            for cpu in cpus where cpu < mask.count { mask[cpu] = 1 }
        }
        if let pool = ggml_threadpool_new(&parameters) { ggml_threadpool_free(pool) }
    }
}
