import Foundation
import NacreCore
package import NacreEngine
import NacreLlama

/// Measures what placing a drafter depends on, or takes what is kept of it: pass times of both models by threads, and
/// how often they agree. What is measured goes to the user's cache (`CalibrationCache`).
package struct PlacementSurvey: Sendable {
    /// Paths of the models.
    package var target: String
    package var draft: String
    /// The cores of the verifier's host, for both.
    package var cores: [Int]
    /// Texts to continue, for the agreement.
    package var prompts: [String]
    /// Share of drafts that agree; `nil` measures it.
    package var agreement: Double?
    /// How drafts of another vocabulary become the target's tokens, as `nacre-drafter --bridge` reads it; `nil`: auto.
    package var bridge: String?
    /// Another host for the drafter: its cores, and there and back in microseconds.
    package var drafterHost: (cores: Int, roundTripMicroseconds: Double)?
    /// Most threads of the verifier, and of a drafter in turns with it; `nil` for all cores.
    package var verifierCoresMax: Int?
    /// Measures also what is kept.
    package var recalibrates = false

    /// Budget of the passes of one model with one number of threads, and of decoding for the agreement.
    private static let passBudget = Duration.milliseconds(60)
    private static let textBudget = Duration.milliseconds(600)
    /// Times that passes are measured at most, while other work spoils it.
    private static let attempts = 4
    /// Positions that an agreement rests on at least, however long that takes: at a rate of a half the standard error
    /// is then 6 %. Fewer, where the texts hold no more, are not kept.
    private static let positionsMin = 64
    /// Tokens of a text that are decoded at most, unless there are too few texts: so few that `positionsMin` takes
    /// three of them.
    private static let decoded = 24
    private static let context = 256
    /// Tokens of a drafter of another vocabulary, whose tokens may be shorter.
    private static let bridgedContext = 1_024

    package init(target: String, draft: String, cores: [Int], prompts: [String]) {
        self.target = target
        self.draft = draft
        self.cores = cores
        self.prompts = prompts
    }

    /// - Parameter progress: told of what takes time.
    /// - Throws: `EngineError` for models that cannot be loaded, or that the bridge cannot join.
    package func run(progress: @escaping @Sendable (String) -> Void) async throws(EngineError) -> PlacementReport {
        let cache = CalibrationCache(environment: ProcessInfo.processInfo.environment) { reason in
            progress("a kept measurement is of no use: \(reason)")
        }
        if cache == nil { progress("what is measured is not kept: \(CalibrationCache.remedy)") }
        progress("loading the models to see how fast they are here")
        let (big, small) = (
            try await LlamaModel.load(path: target, exact: true), try await LlamaModel.load(path: draft, exact: false)
        )
        let targets = try await tables(of: big, exact: true, "target", cache, progress)
        let drafts = try await tables(of: small, exact: false, "draft", cache, progress)
        let tables =
            targets.map { PlacementReport.Table(model: "target", threads: $0, costs: $1) }
            + drafts.map { PlacementReport.Table(model: "draft", threads: $0, costs: $1) }
        let disturbance = (Array(targets.values) + drafts.values).lazy.compactMap(\.disturbance).first
        return PlacementReport.best(
            of: try await agreements(big, small, cache, progress).map { found in
                PlacementReport(
                    question(targets, drafts, found), agreement: found.rate, positions: found.positions,
                    source: found.source, bridge: found.bridge?.rawValue, passesPerDraft: found.passesPerDraft,
                    tables: tables, disturbance: disturbance)
            })
    }

    private func question(
        _ targets: [Int: [PassCost]], _ drafts: [Int: [PassCost]], _ agreement: Agreement
    ) -> PlacementQuestion {
        var question = PlacementQuestion(
            cores: cores.count, target: targets.mapValues { StepCostModel($0) },
            draft: drafts.compactMapValues {
                $0.first { $0.nodes == 1 }.map { agreement.passesPerDraft * $0.microseconds }
            }, alpha: agreement.rate,
            drafterHost: drafterHost.map {
                PlacementQuestion.DrafterHost(cores: $0.cores, roundTripMicroseconds: $0.roundTripMicroseconds)
            })
        question.verifierCoresMax = verifierCoresMax
        return question
    }

    /// Pass times by threads, on the first of the cores.
    private func tables(
        of model: LlamaModel, exact: Bool, _ name: String, _ cache: CalibrationCache?,
        _ progress: @Sendable (String) -> Void
    ) async throws(EngineError) -> [Int: [PassCost]] {
        var tables: [Int: [PassCost]] = [:]
        for threads in PlacementQuestion.threadCounts(cores: cores.count)
        where threads <= verifierCoresMax ?? threads {
            let own = cores.prefix(threads)
            let key = CalibrationCache.Key(
                model: model.digest, engine: LlamaBackend.stamp + (exact ? "" : "-inexact"),
                cores: own.runs, threads: threads)
            if !recalibrates, let kept = cache?.read(key, shards: [1])?.first?.costs, kept.disturbance == nil {
                tables[threads] = kept
                continue
            }
            progress("timing the \(name) model on \(threads) thread\(threads == 1 ? "" : "s")")
            let loaded = try await start(model, threads: threads, exact: exact, name: name)
            var costs: [PassCost]
            do throws(EngineError) {
                costs = try await loaded.host.calibrate(budget: Self.passBudget)
                // Other work is over soon, more often than not.
                for _ in 1..<Self.attempts where costs.disturbance != nil {
                    progress("timing the \(name) model once more: the machine has other work")
                    costs = try await loaded.host.calibrate(budget: Self.passBudget)
                }
            } catch {
                await loaded.shutdown()
                throw error
            }
            await loaded.shutdown()
            tables[threads] = costs
            // What other work has spoilt is no calibration for a verifier either.
            guard costs.disturbance == nil else { continue }
            // Kept in the sizes that calibrations are kept in.
            let sizes = costs.filter { ShardCalibration.sizes.contains($0.nodes) }
            try? cache?.add(ShardDivision(shards: 1, costs: sizes), to: key)
        }
        return tables
    }

    private func start(
        _ model: LlamaModel, threads: Int, exact: Bool, name: String
    ) async throws(EngineError) -> LoadedModel {
        try await LoadedModel.start(
            model, settings: settings(threads: threads, exact: exact, context: Self.context), name: name)
    }

    private func settings(threads: Int, exact: Bool, context: Int) -> LlamaSettings {
        LlamaSettings(
            threads: threads, cpus: Array(cores.prefix(threads)), contextPerJob: context, nodesMax: 256, exact: exact)
    }

    // MARK: - Agreement

    /// How often drafts over a bridge, or of one vocabulary, are the target's choice.
    private struct Agreement {
        let bridge: BridgeKind?
        let rate: Double
        /// `nil` for a rate that was given.
        let positions: Int?
        let passesPerDraft: Double
        let source: PlacementReport.Source

        /// A draft that is given as right so often is taken for one pass, whatever the bridge.
        init(given rate: Double, _ bridge: BridgeKind?) {
            (self.bridge, self.rate, positions, passesPerDraft, source) = (bridge, rate, nil, 1, .given)
        }

        init(_ found: MeasuredAgreement, _ bridge: BridgeKind?, _ source: PlacementReport.Source) {
            (self.bridge, rate, positions, passesPerDraft) = (bridge, found.rate, found.judged, found.passesPerDraft)
            self.source = source
        }
    }

    /// Of the bridge that was named, or that `auto` takes; behind the latter, where both can be had, of its rival. The
    /// target decodes once for both.
    private func agreements(
        _ big: LlamaModel, _ small: LlamaModel, _ cache: CalibrationCache?, _ progress: @Sendable (String) -> Void
    ) async throws(EngineError) -> [Agreement] {
        let crossings = try crossings(from: small, to: big)
        if let agreement { return [Agreement(given: agreement, crossings[0]?.kind)] }
        var texts: GreedyTexts?
        var found: [Agreement] = []
        for crossing in crossings {
            let key = CalibrationCache.PairKey(
                target: big.digest, draft: small.digest, bridge: crossing?.kind, prompts: prompts)
            if !recalibrates, let kept = cache?.readAgreement(key), kept.judged >= Self.positionsMin {
                found.append(Agreement(kept, crossing?.kind, .kept))
                continue
            }
            let over = crossing.map { " over \($0.kind.rawValue)" } ?? ""
            progress("measuring how often the two models agree\(over)")
            // The target decodes once for all bridges.
            let decoded = if let texts { texts } else { try await greedyTexts(of: big, progress) }
            texts = decoded
            let measured = try await measureAgreement(on: decoded, small, crossing)
            if measured.judged >= Self.positionsMin { try? cache?.write(measured, as: key) }
            found.append(Agreement(measured, crossing?.kind, .measured))
        }
        return found
    }

    /// What leads from the draft's vocabulary to the target's, what is taken unmeasured first; `nil` alone if they have
    /// one.
    private func crossings(
        from draft: LlamaModel, to target: LlamaModel
    ) throws(EngineError) -> [VocabularyBridge?] {
        let (own, others) = (try LlamaTokenizer(target), try LlamaTokenizer(draft))
        guard own.vocabularyDigest != others.vocabularyDigest else { return [nil] }
        do throws(BridgeRefusal) {
            let asked = bridge.flatMap(BridgeKind.init)
            let first = try VocabularyBridge(target: own, draft: others, asked: asked)
            guard asked == nil, let rival = first.kind.rival,
                // One that these vocabularies do not allow is none.
                let other = try? VocabularyBridge(target: own, draft: others, asked: rival)
            else { return [first] }
            return [first, other]
        } catch {
            throw EngineError(
                .failed, "\(self.draft) has another vocabulary than \(self.target) and cannot draft for it: \(error)",
                remedy: "name another --bridge, or a draft model made for this target")
        }
    }

    private func greedyTexts(
        of big: LlamaModel, _ progress: @Sendable (String) -> Void
    ) async throws(EngineError) -> GreedyTexts {
        let target = try await start(big, threads: cores.count, exact: true, name: "target")
        let texts: GreedyTexts
        do throws(EngineError) {
            texts = try await GreedyTexts(
                prompts, target: target, tokens: Self.decoded, positionsMin: Self.positionsMin,
                until: .now + Self.textBudget, progress: progress)
        } catch {
            await target.shutdown()
            throw error
        }
        await target.shutdown()
        guard texts.count > 0 else {
            throw EngineError(
                .failed, "\(self.target) ends every text at once, so nothing can be said about drafts",
                remedy: "say with --agreement how often they agree, or name other --prompts")
        }
        return texts
    }

    private func measureAgreement(
        on texts: GreedyTexts, _ small: LlamaModel, _ crossing: VocabularyBridge?
    ) async throws(EngineError) -> MeasuredAgreement {
        let context = crossing == nil ? Self.context : Self.bridgedContext
        let settings = settings(threads: cores.count, exact: false, context: context)
        guard let crossing else {
            let host = try await EngineHost.start(name: "draft") { () throws(EngineError) in
                try LlamaEngine(model: small, settings: settings)
            }
            return try await Self.ending(host) { (host) throws(EngineError) in try await texts.agreement(of: host) }
        }
        let host = try await EngineHost.start(name: "draft") { () throws(EngineError) in
            BridgedEngine(
                try LlamaEngine(model: small, settings: settings), bridge: crossing, contextMax: context)
        }
        return try await Self.ending(host) { (host) throws(EngineError) in
            var total = try await texts.agreement(of: host)
            let passes = try await host.withEngine { (engine) throws(EngineError) in engine.passes }
            total.passesPerDraft = Double(passes) / Double(total.judged)
            return total
        }
    }

    /// What `body` finds, with the engine gone afterwards.
    private static func ending<E: Engine & SendableMetatype & ~Copyable, Result>(
        _ host: EngineHost<E>, _ body: (EngineHost<E>) async throws(EngineError) -> Result
    ) async throws(EngineError) -> Result {
        do throws(EngineError) {
            let result = try await body(host)
            await host.shutdown()
            return result
        } catch {
            await host.shutdown()
            throw error
        }
    }
}
