package import NacreEngine
package import NacreWire

/// The other end of a `RemoteEngine`: loads what the first message names and runs passes, one after the other.
package enum EngineServer {
    /// Serves on the calling thread, which becomes the engine's, until the link closes. A model that cannot be loaded
    /// is the last answer.
    ///
    /// - Parameters:
    ///   - make: loads the model and makes its engine.
    ///   - describe: what to say of it.
    /// - Throws: what makes the link useless, other than its end.
    package static func serve<E: Engine & ~Copyable>(
        _ link: EngineLink, describe: (borrowing E, EngineStart) -> EngineReady,
        make: (EngineStart) throws(EngineError) -> E
    ) throws(EngineLink.Fault) {
        do throws(EngineLink.Fault) {
            guard case .start(let start) = try link.receive() else { return }
            var engine: E
            do throws(EngineError) {
                engine = try make(start)
            } catch {
                return try link.send(.refused(error))
            }
            try link.send(.ready(describe(engine, start)))
            while case .pass(let pass) = try link.receive() {
                let answer: [EngineMessage]
                do throws(EngineError) {
                    answer = EngineCodec.messages(try engine.run(pass))
                } catch {
                    answer = [.refused(error)]
                }
                try link.send(answer)
            }
        } catch .closed {
            return
        }
    }
}
