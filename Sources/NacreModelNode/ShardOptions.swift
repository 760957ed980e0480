package import ArgumentParser
import Foundation
package import Logging
package import NacreCore
package import NacreEngine
package import NacreLlama
package import NacreNode
package import NacreProtocol

/// The flags that say how a verifier's threads are divided among engines of their own.
package struct ShardOptions: ParsableArguments {
    private static let shards = Setting("shards", default: ShardCount.automatic)

    package static let declarations: [any SettingDeclaration] = [shards]

    @Option(
        help: ArgumentHelp(
            "Engines that the threads, cores and slots are divided among, each with passes of its own (default auto: "
                + "measured once for this model and these cores).", valueName: "auto|n"))
    package var shards: String?

    @Flag(help: "Measure again what --shards auto decides by.")
    package var recalibrate = false

    package init() {}

    package var flags: [String: String?] { ["shards": shards] }

    /// How the threads are divided, and what was measured to decide it: nothing, if there was no choice.
    package struct Plan: Sendable {
        package let shards: Int
        package let measured: [ShardDivision]

        /// Without a choice.
        fileprivate init(shards: Int) {
            self.shards = shards
            measured = []
        }

        fileprivate init(_ measured: [ShardDivision], slots: Int) {
            shards = ShardRule.shards(of: measured.map(\.measured), slots: slots)
            self.measured = measured
        }

        /// Why what was measured did not decide; `nil` if it did, or nothing was.
        package var disturbance: String? { ShardRule.disturbance(of: measured.map(\.measured)) }
    }

    /// Decides how the threads of `engine` are divided. Measuring takes some seconds, once: what comes of it is kept in
    /// the user's cache, and measured anew if the machine was disturbed.
    ///
    /// - Throws: `.badUsage` for more shards than threads or slots; `EngineError` if measuring fails.
    package func plan(
        _ settings: Settings, _ model: LlamaModel, _ engine: LlamaSettings, log: Logger
    ) async throws -> Plan {
        if case .count(let shards) = settings[Self.shards] {
            if let complaint = engine.complaint(aboutShards: shards) {
                throw NacreError(.badUsage, complaint, remedy: "use fewer --shards")
            }
            return Plan(shards: shards)
        }
        let candidates = Self.candidates(for: engine)
        guard candidates.count > 1 else { return Plan(shards: 1) }
        let key = CalibrationCache.Key(
            model: model.digest, engine: LlamaBackend.stamp + (engine.exact ? "" : "-inexact"),
            cores: engine.cpus.flatMap { CPUList(cores: $0) }?.description ?? "any", threads: engine.threads)
        let cache = CalibrationCache(environment: ProcessInfo.processInfo.environment) { reason in
            log.warning("a kept measurement is of no use", metadata: ["reason": "\(reason)"])
        }
        if cache == nil {
            log.warning(
                "what is measured is not kept from one start to the next: no variable names a folder for it",
                metadata: ["remedy": "\(CalibrationCache.remedy)"])
        }
        if !recalibrate, let kept = cache?.read(key, shards: candidates) {
            let plan = Plan(kept, slots: engine.sequences)
            if plan.disturbance == nil { return plan }
        }
        log.notice(
            "measuring how to divide the threads", metadata: ["shards": "\(candidates)", "once": "\(cache != nil)"])
        let measured = try await LoadedModel.measure(model, settings: engine, candidates: candidates)
        do {
            try cache?.write(measured, as: key)
        } catch {
            log.warning("cannot keep the measurement", metadata: ["error": "\(error)"])
        }
        let plan = Plan(measured, slots: engine.sequences)
        if let disturbance = plan.disturbance {
            log.warning(
                "the machine had other work during the measurement: one shard, and the next start measures again",
                metadata: ["measured": "\(disturbance)"])
        }
        return plan
    }

    /// For a target that only one engine can run.
    /// - Throws: `.badUsage` if several are asked for.
    package func requireOne(_ settings: Settings) throws(NacreError) {
        guard case .count(let shards) = settings[Self.shards], shards > 1 else { return }
        throw NacreError(
            .badUsage, "a target with layers on other hosts has one engine, not \(shards)",
            remedy: "leave out --shards or --rpc")
    }

    /// What the node tells people: the engines as they run, then the divisions that were not taken.
    ///
    /// - Parameters:
    ///   - costs: of each shard, measured while all of them computed; the slowest of them counts.
    ///   - tried: what was measured to decide.
    package static func passTimes(of costs: [[PassCost]], tried: [ShardDivision]) -> [PassTime] {
        func times(_ costs: [PassCost], _ shards: Int) -> [PassTime] {
            costs.map {
                PassTime(shards: shards, nodes: $0.nodes, microseconds: UInt32(clamping: Int($0.microseconds)))
            }
        }
        let slowest = Dictionary(grouping: costs.joined(), by: \.nodes).sorted { $0.key < $1.key }.map { nodes, costs in
            PassCost(nodes: nodes, microseconds: costs.map(\.microseconds).max() ?? 0)
        }
        return times(slowest, costs.count)
            + tried.filter { $0.shards != costs.count }.flatMap { times($0.costs, $0.shards) }
    }

    /// Numbers of shards worth trying: 1, 2, 4, 8, as far as there are threads and slots.
    private static func candidates(for engine: LlamaSettings) -> [Int] {
        [1, 2, 4, 8].filter { engine.complaint(aboutShards: $0) == nil }
    }
}

/// `auto`, or so many.
private enum ShardCount: SettingValue {
    case automatic
    case count(Int)

    private static let most = 256

    init(settingText: String) throws(NacreError) {
        if settingText == "auto" {
            self = .automatic
        } else if let count = Int(settingText), (1...Self.most).contains(count) {
            self = .count(count)
        } else {
            throw NacreError(.badUsage, "must be auto or a number from 1 to \(Self.most), not '\(settingText)'")
        }
    }

    var settingText: String {
        switch self {
        case .automatic: "auto"
        case .count(let count): "\(count)"
        }
    }
}
