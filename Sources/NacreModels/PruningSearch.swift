import Foundation
import NacreCore
package import NacreEngine
package import NacreLlama

/// The search for the layers of a target that a drafter made from it can do without: backward elimination
/// (`LayerElimination`) by agreement with the target's own text, the best of all sets by predicted tokens per second.
///
/// Each set is tried as the file that it would be, so that its pass time is that of the real drafter.
package struct PruningSearch: Sendable {
    package var target: LayerPruning
    package var threads: Int
    /// Cores for them, one each; none leaves it to the system, which on a busy machine puts two on one core, where they
    /// wait for each other.
    package var cpus: [Int] = []
    package var prompts: [String]
    package var budget: Duration
    /// Where a file of the size of the target can be for a while.
    package var folder: String

    package init(target: LayerPruning, threads: Int, prompts: [String], budget: Duration, folder: String) {
        self.target = target
        self.threads = threads
        self.prompts = prompts
        self.budget = budget
        self.folder = folder
    }

    /// Tokens of each text, and of two such, which there are at least.
    private static let tokens = 48
    private static let positionsMin = 2 * tokens
    /// Time for passes of one token.
    private static let passBudget = Duration.milliseconds(50)
    /// Runs of layers that a model is first taken apart into, at most.
    private static let unitsMax = 12

    private struct Trial {
        var keep: LayerSet
        var agreement: MeasuredAgreement
        var microseconds: Double
    }

    /// - Parameter progress: told of what is tried.
    /// - Returns: what was found, and its layers.
    /// - Throws: `.modelUnreadable`, `.modelUnsupported`; `.failed` for a model of one layer, for texts that say
    ///   nothing, and if files cannot be written.
    package func run(
        progress: @Sendable (String) -> Void
    ) async throws(EngineError) -> (report: PruningReport, keep: LayerSet) {
        let start = ContinuousClock.now
        guard target.layers > 1 else {
            throw EngineError(
                .failed, "\(target.path) has one layer, of which none can be dropped",
                remedy: "draft with another model")
        }
        progress("the target continues texts")
        // A fifth of the time, so that most is left for trials.
        let (texts, cost) = try await prepare(until: start + budget / 5, progress)
        guard texts.count > 0 else {
            throw EngineError(
                .failed, "\(target.path) ends every text at once, so nothing can be said about drafts",
                remedy: "name other texts with --prompts")
        }
        let (seen, unseen) = texts.count > 1 ? texts.halves : (texts, texts)
        var (tried, best): (Int, (trial: Trial, speedUp: Double)?) = (0, nil)
        var isComplete = true
        var unloadable: EngineError?
        var from = Array(0..<target.layers)
        for unit in units {
            var elimination = LayerElimination(kept: from, unit: unit)
            while let layers = elimination.next(where: isPossible) {
                // Fewer layers agree no more often, and even at no cost could not do better.
                let bound = Self.bound(elimination.agreement, cost)
                if bound <= best?.speedUp ?? 0 || elimination.agreement == 0 { break }
                guard best == nil || ContinuousClock.now < start + budget else {
                    isComplete = false
                    break
                }
                guard let keep = try? LayerSet(layers, of: target.layers) else { break }
                tried += 1
                let trial: Trial
                do throws(EngineError) {
                    trial = try await self.trial(keep, seen)
                } catch  where error.code == .modelUnsupported || error.code == .modelUnreadable {
                    // What is no model without these layers may be one without others.
                    unloadable = unloadable ?? error
                    elimination.record(0)
                    progress("set \(tried): layers \(keep) do not load")
                    continue
                }
                elimination.record(trial.agreement.rate)
                let speedUp = drafter(trial, cost).speedUp
                if best.map({ speedUp > $0.speedUp }) ?? true { best = (trial, speedUp) }
                if let best {
                    progress(
                        "set \(tried): agreement \(trial.agreement.rate.rounded(to: 2)); best speed-up "
                            + "\(best.speedUp.rounded(to: 2)), \(best.trial.keep.layers.count) layers")
                }
            }
            if let best { from = best.trial.keep.layers }
            if !isComplete { break }
        }
        guard let best else {
            let reason = unloadable.map { ": " + $0.message } ?? ""
            throw EngineError(
                .modelUnsupported, "no layer of \(target.path) can be dropped\(reason)",
                remedy: "draft with another model")
        }
        progress("measuring layers \(best.trial.keep) on other texts")
        let held = try await trial(best.trial.keep, unseen, budget: Self.passBudget * 4)
        let report = PruningReport(
            target: target.path, threads: threads, layers: target.layers,
            targetPassMicroseconds: cost.microseconds(nodes: 1), tried: tried, isComplete: isComplete,
            searched: drafter(best.trial, cost), result: drafter(held, cost), isHeldOut: texts.count > 1)
        return (report, best.trial.keep)
    }

    /// How many layers go together, in the order of searching: runs first where there are many layers, then single
    /// ones. Where kinds of layers repeat only whole repetitions can go.
    private var units: [Int] {
        guard let period = target.period else { return [1] }
        let coarse = max(1, (target.layers + Self.unitsMax - 1) / Self.unitsMax)
        let run = (coarse + period - 1) / period * period
        return run > period ? [run, period] : [period]
    }

    private func isPossible(_ layers: [Int]) -> Bool {
        (try? LayerSet(layers, of: target.layers)).map { target.complaint($0) == nil } ?? false
    }

    /// What a drafter that agrees this often and takes no time would gain.
    private static func bound(_ agreement: Double, _ cost: StepCostModel) -> Double {
        PruningReport.speedUp(alpha: agreement, passMicroseconds: 0, target: cost).speedUp
    }

    private func drafter(_ trial: Trial, _ cost: StepCostModel) -> PruningReport.Drafter {
        PruningReport.Drafter(
            trial.keep.layers, layers: "\(trial.keep)", trial.agreement, passMicroseconds: trial.microseconds,
            target: cost)
    }

    private func start(_ model: LlamaModel, exact: Bool) async throws(EngineError) -> LoadedModel {
        try await LoadedModel.start(
            model,
            settings: LlamaSettings(
                threads: threads, cpus: cpus.isEmpty ? nil : cpus, contextPerJob: 256, nodesMax: 256, exact: exact),
            name: "prune")
    }

    /// The target's texts and its pass times.
    private func prepare(
        until deadline: ContinuousClock.Instant, _ progress: @Sendable (String) -> Void
    ) async throws(EngineError) -> (GreedyTexts, StepCostModel) {
        let loaded = try await start(try await LlamaModel.load(path: target.path, exact: true), exact: true)
        do throws(EngineError) {
            let tableBudget = min(budget / 20, .seconds(1))
            let costs = try await loaded.host.withEngine { (engine) throws(EngineError) in
                let table = try engine.calibrate(budget: tableBudget)
                // Held against passes of drafters, so it is measured as well as they are.
                let one = PassCost(nodes: 1, microseconds: try engine.decodingTime(budget: Self.passBudget))
                return [one] + table.filter { $0.nodes > 1 }
            }
            let texts = try await GreedyTexts(
                prompts, target: loaded, tokens: Self.tokens, positionsMin: Self.positionsMin, until: deadline,
                progress: progress)
            await loaded.shutdown()
            return (texts, StepCostModel(costs))
        } catch {
            await loaded.shutdown()
            throw error
        }
    }

    /// Makes a drafter and measures it.
    private func trial(
        _ keep: LayerSet, _ texts: GreedyTexts, budget: Duration = Self.passBudget
    ) async throws(EngineError) -> Trial {
        let loaded = try await start(try await made(keep), exact: false)
        do throws(EngineError) {
            let pass = try await loaded.host.withEngine { (engine) throws(EngineError) in
                try engine.decodingTime(budget: budget)
            }
            let agreement = try await texts.agreement(of: loaded.host)
            await loaded.shutdown()
            return Trial(keep: keep, agreement: agreement, microseconds: pass)
        } catch {
            await loaded.shutdown()
            throw error
        }
    }

    private func made(_ keep: LayerSet) async throws(EngineError) -> LlamaModel {
        let file = try target.writeUnnamed(keep, in: folder)
        let model = try await LlamaModel.load(path: file.path, exact: false)
        // Not before: without the file there is no path to it.
        file.close()
        return model
    }
}
