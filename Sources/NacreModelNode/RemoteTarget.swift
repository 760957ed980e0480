package import Logging
package import NacreEngine
package import NacreEngineLink
import NacreLlama
import NacreProtocol
package import NacreWire

/// A target whose layers are on other hosts, and the process that runs it now: started again, with growing pauses,
/// whenever it was lost.
package actor RemoteTarget {
    /// One life of the target, from a start of its process to the end of it.
    package struct Life: Sendable {
        package let model: ServedModel
        package let host: EngineHost<RemoteEngine>
        let process: EngineProcess

        /// Ends it, whatever it is doing.
        package func end() { process.kill() }

        /// Returns when it has ended, with the reason.
        package func whenLost() async -> String {
            await process.waitForEnd()
            return "\(process.whyLost())"
        }
    }

    private let start: EngineStart
    private let tokenizer: LlamaTokenizer
    private let log: Logger
    private var process: EngineProcess?
    private var pause: Task<Void, Never>?
    private var isStopped = false

    /// Tries before a verifier gives up that never had its target.
    private static let firstTries = 4
    /// Our own executable, even if the file was replaced meanwhile.
    private static let executable = "/proc/self/exe"

    /// - Throws: `.modelUnreadable`, `.modelUnsupported` if the file has no vocabulary that can be used.
    package init(_ start: EngineStart, log: Logger) throws(EngineError) {
        self.start = start
        self.log = log
        tokenizer = try LlamaTokenizer(path: start.path)
    }

    /// The target's first life.
    ///
    /// - Throws: why there is none: at once if trying again would not help, else after a few tries.
    package func begin() async throws(EngineError) -> Life {
        var backoff = Backoff(initial: Instant.milliseconds(200), limit: Instant.seconds(2))
        var tries = 1
        while true {
            do throws(EngineError) {
                return try await load()
            } catch {
                guard error.code == .lost, tries < Self.firstTries, !isStopped else { throw error }
                log.info("the target could not be loaded yet", metadata: ["reason": "\(error)"])
                tries += 1
                await wait(backoff.next())
            }
        }
    }

    /// The next life after one that was lost; `nil` once `stop` was called.
    package func resume() async -> Life? {
        var backoff = Backoff(initial: Instant.milliseconds(200), limit: Instant.seconds(10))
        var told = ""
        while !isStopped {
            do throws(EngineError) {
                return try await load()
            } catch {
                let reason = "\(error)"
                if !isStopped && reason != told {
                    log.warning("the target is not back", metadata: ["reason": "\(reason)"])
                }
                told = reason
                await wait(backoff.next())
            }
        }
        return nil
    }

    /// Ends the process, and every wait for the next.
    package func stop() {
        isStopped = true
        process?.kill()
        pause?.cancel()
    }

    private func load() async throws(EngineError) -> Life {
        let process = try EngineProcess(Self.executable, arguments: ["--\(EngineChild.flag)"])
        self.process = process
        do throws(EngineError) {
            let host = try await EngineHost.start(name: "target") { [start] () throws(EngineError) in
                try RemoteEngine(process.link, start: start, whyLost: process.whyLost)
            }
            let ready = try await host.withEngine { (engine) throws(EngineError) in engine.ready }
            let model = ServedModel(ready, of: start, tokenizer: tokenizer)
            log.notice(
                "model loaded",
                metadata: [
                    "model": "\(model.description)", "layers": "\(start.layers.joined(separator: ","))",
                    "context": "\(model.contextPerJob)", "slots": "\(model.shape.jobs)",
                    "libllama": "\(LlamaBackend.version)",
                ])
            return Life(model: model, host: host, process: process)
        } catch {
            process.kill()
            throw error
        }
    }

    private func wait(_ microseconds: Int) async {
        guard !isStopped else { return }
        // Awaited here, cancelled by `stop`.
        let pause = Task<Void, Never> { try? await Task.sleep(for: .microseconds(microseconds)) }
        self.pause = pause
        await pause.value
    }
}
