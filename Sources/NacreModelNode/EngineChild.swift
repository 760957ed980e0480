import Foundation
import NacreEngine
import NacreEngineLink
import NacreLlama
import NacreWire

/// The process in which a target runs whose layers are on other hosts: a child of the verifier, of the same
/// executable. Its stdin is the link to the verifier.
package enum EngineChild {
    /// The flag by which an executable knows that it is one.
    package static let flag = "engine-child"

    /// Serves until the verifier ends, or a layer server; ends the process.
    package static func run() async -> Never {
        LayerGuard.prepare()
        LayerGuard.end(with: STDIN_FILENO)
        // A thread of its own: the engine's.
        Thread.detachNewThread {
            do throws(EngineLink.Fault) {
                try EngineServer.serve(EngineLink(descriptor: STDIN_FILENO), describe: describe, make: load)
            } catch {
                FileHandle.standardError.write(Data("the verifier cannot be understood: \(error)\n".utf8))
            }
            _exit(EXIT_SUCCESS)
        }
        while true { try? await Task.sleep(for: .seconds(3_600)) }
    }

    private static func load(_ start: EngineStart) throws(EngineError) -> LlamaEngine {
        let model = try LlamaModel(path: start.path, exact: start.isExact, layers: start.layers)
        let engine = try LlamaEngine(
            model: model,
            settings: LlamaSettings(
                threads: start.threads, cpus: start.cpus,
                contextPerJob: start.contextPerJob ?? LoadedModel.contextDefault(of: model),
                sequences: start.sequences, branches: start.branches, nodesMax: start.nodesMax,
                exact: start.isExact))
        LayerGuard.watch()
        return engine
    }

    private static func describe(_ engine: borrowing LlamaEngine, _ start: EngineStart) -> EngineReady {
        EngineReady(
            shape: engine.shape, contextPerJob: start.contextPerJob ?? LoadedModel.contextDefault(of: engine.model),
            modelDigest: engine.model.digest, description: engine.model.description)
    }
}
