import ArgumentParser
import NacreClient
import NacreModels
import NacreNode

/// Where a person wants a local drafter.
enum PlacementChoice: String, ExpressibleByArgument, CaseIterable {
    case auto, apart, together, plain
}

extension ClusterOptions {
    /// The plan with drafters where they were asked for, or where measurements say.
    ///
    /// - Parameter drafterThreads: cores of each drafter apart, where that was asked for.
    /// - Returns: also why, in words.
    func placed(
        _ choice: PlacementChoice, drafterThreads: Int?, _ terminal: Terminal
    ) async throws -> (ClusterPlan, reason: String) {
        let (plan, reason, report) = try await decided(choice, drafterThreads: drafterThreads, terminal)
        guard let bridge = plan.bridge, plan.hasDraftModel, !plan.cores.drafters.isEmpty else { return (plan, reason) }
        var words = bridge
        if bridge == "auto", let taken = report?.bridge { words = "auto: \(taken)" }
        if let report, report.bridgeToName != nil, let auto = report.bridges.first?.bridge {
            words += ", measured to be faster than \(auto)"
        }
        return (plan, "\(reason); the draft model has another vocabulary and drafts over a bridge (\(words))")
    }

    private func decided(
        _ choice: PlacementChoice, drafterThreads: Int?, _ terminal: Terminal
    ) async throws -> (ClusterPlan, reason: String, PlacementReport?) {
        if let placement = ClusterPlacement(rawValue: choice.rawValue) {
            let plan = try models.plan(
                verifiers: verifiers, drafters: drafters, placement: placementGiven ?? placement,
                drafterCores: drafterThreads ?? 1)
            return (plan, plan.cores.placement == .beside ? Self.modelless : "as asked for", nil)
        }
        let fallback = try plan()
        guard fallback.hasDraftModel else { return (fallback, Self.modelless, nil) }
        if drafters == 0 { return (fallback, "as asked for", nil) }
        guard verifiers == 1, drafters == 1 else {
            let reason =
                fallback.cores.isShared
                ? "of several nodes of a kind, more than there are cores, some share one"
                : "several nodes of a kind have cores of their own unless --placement says otherwise"
            return (fallback, reason, nil)
        }
        let report: PlacementReport
        do {
            var cores = try CPUList.available()
            // One more than verifiers get, for a drafter.
            if let threads = models.threads, let first = CPUList(cores: cores.cores.prefix(threads + 1)) {
                cores = first
            }
            var survey = try PlacementSurvey(fallback, cores: cores)
            survey.bridge = models.bridge
            survey.verifierCoresMax = models.threads
            report = try await survey.run {
                if terminal.showsProgress { terminal.note($0) }
            }
        } catch let error as NacreError {
            throw error
        } catch {
            // What is wrong with a model its node says better.
            return (fallback, "could not be measured: \(error)", nil)
        }
        if let disturbance = report.disturbance {
            let placement = CoreAssignment.unmeasured(available: try .available(), coresMax: models.threads)
            return (
                try models.plan(verifiers: 1, drafters: 1, placement: placement),
                "the machine had other work while it was measured (\(disturbance)); the next start measures again",
                nil
            )
        }
        let chosen = report.choice
        guard let placement = ClusterPlacement(rawValue: chosen.placement) else {
            return (fallback, report.reason, report)
        }
        let rate = "\(Figures.decimal(chosen.tokensPerSecond, digits: 1)) tokens/s expected of one job"
        let instead = models.lookup == nil ? "" : "; lookups draft without the model"
        let override = "\(instead) (--placement apart or together starts a drafter with the model all the same)"
        var plan = try models.plan(
            verifiers: 1, drafters: 1, placement: placement, drafterCores: max(1, chosen.drafterCores),
            coresMax: chosen.verifierCores)
        if plan.bridge != nil, let faster = report.bridgeToName { plan.bridge = faster }
        return (plan, "\(rate); \(report.reason)\(placement == .plain ? override : "")", report)
    }

    private static var modelless: String { "a drafter without a model computes next to nothing" }
}
