import NacreEngine
import NacreEngineLink
import NacreWire
import Testing

/// Processes that are no engines, and end in one way or another.
@Suite("The process of an engine")
struct EngineProcessTests {
    private static func failure(_ script: String) throws -> EngineError? {
        let process = try EngineProcess("/bin/sh", arguments: ["-c", script])
        defer { process.kill() }
        do throws(EngineError) {
            _ = try RemoteEngine(process.link, start: RemoteEngineTests.start, whyLost: process.whyLost)
            return nil
        } catch {
            return error
        }
    }

    @Test("its last words say why it is lost")
    func lastWords() throws {
        let error = try Self.failure("echo first >&2; echo '  the host is gone ' >&2; exit 3")
        #expect(error?.code == .lost && error?.message == "the target's engine is lost: the host is gone")
    }

    @Test("without a word, its end does")
    func wordless() throws {
        #expect(try Self.failure("ulimit -c 0; kill -SEGV $$")?.message.contains("signal 11") == true)
        #expect(try Self.failure("exit 3")?.message.contains("status 3") == true)
    }

    @Test("one that answers in another language is lost, not believed")
    func otherLanguage() throws {
        #expect(try Self.failure("printf 'HTTP/1.1 400 Bad Request' >&0; sleep 60")?.code == .lost)
    }

    @Test("one that cannot be started is lost")
    func missing() {
        #expect(throws: EngineError.self) { try EngineProcess("/nonexistent", arguments: []) }
    }

    @Test("its end is heard of while nobody asks it anything")
    func idle() async throws {
        let process = try EngineProcess("/bin/cat", arguments: [])
        process.kill()
        await process.waitForEnd()
        await process.waitForEnd()
        #expect(process.whyLost().message.contains("signal 9"))
    }
}
