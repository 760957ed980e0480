internal import CLlama
import Glibc
import Synchronization

/// libllama, started once per process.
package enum LlamaBackend {
    /// The version of llama-cpp-python whose llama.cpp this is.
    package static let version = NACRE_LLAMA_VERSION

    /// A key of the engine build: library version, flags, compiler and CPU. Two hosts whose logits must agree bit
    /// for bit need the same stamp.
    package static let stamp = NACRE_LLAMA_STAMP

    /// Version and stamp, as `--version` prints them.
    package static let title = "libllama \(version) (\(stamp))"

    /// Whether this CPU and build multiply matrices with AMX tiles.
    package static var hasTiles: Bool { ggml_cpu_has_amx_int8() != 0 }

    /// Starts libllama on the first call; free afterwards. Everything in this module calls it before libllama.
    static func start() { started }

    private static let started: Void = {
        llama_log_set({ level, text, _ in LlamaLog.shared.take(level, text) }, nil)
        // Without AMX, the tiled kernel takes over K and IQ quants at some batch sizes and rounds differently from
        // the row kernel: a row's logits would depend on its batch. libllama reads the switch once, at the first
        // product, hence here and not with the model that needs it.
        if !hasTiles { setenv("GGML_CPU_TILED_MM", "0", 1) }
        llama_backend_init()
    }()
}

/// The last warnings and errors that libllama logged, so that our errors can quote them. Nothing is printed.
final class LlamaLog: Sendable {
    static let shared = LlamaLog()
    private static let linesMax = 64

    private struct Line {
        var thread: pthread_t
        var isError: Bool
        var text: String
    }
    private let lines = Mutex<[Line]>([])

    fileprivate func take(_ level: ggml_log_level, _ text: UnsafePointer<CChar>?) {
        guard let text, level == GGML_LOG_LEVEL_ERROR || level == GGML_LOG_LEVEL_WARN else { return }
        let line = Line(
            thread: pthread_self(), isError: level == GGML_LOG_LEVEL_ERROR, text: Self.bare(String(cString: text)))
        lines.withLock {
            if $0.count == Self.linesMax { $0.removeFirst() }
            $0.append(line)
        }
    }

    /// Does `body` and returns, beside its result, the errors that libllama logged for it: those of this thread.
    func quoting<Result>(_ body: () -> Result) -> (result: Result, errors: [String]) {
        let thread = pthread_self()
        lines.withLock { $0.removeAll { pthread_equal($0.thread, thread) != 0 } }
        let result = body()
        let errors = lines.withLock { lines in
            lines.filter { pthread_equal($0.thread, thread) != 0 && $0.isError }.map(\.text)
        }
        return (result, errors)
    }

    /// A log line without its end and without the name of the C function before it.
    private static func bare(_ line: String) -> String {
        let text = String(line.split(whereSeparator: \.isNewline).joined(separator: " "))
        guard let colon = text.firstRange(of: ": "),
            text[..<colon.lowerBound].allSatisfy({ $0.isLetter || $0.isNumber || $0 == "_" })
        else { return text }
        return String(text[colon.upperBound...])
    }
}
