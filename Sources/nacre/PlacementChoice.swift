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
    /// - Returns: also why, in words.
    func placed(_ choice: PlacementChoice, _ terminal: Terminal) async throws -> (ClusterPlan, reason: String) {
        if let placement = ClusterPlacement(rawValue: choice.rawValue) {
            return (try models.plan(verifiers: verifiers, drafters: drafters, placement: placement), "as asked for")
        }
        let fallback = try plan()
        if drafters == 0 {
            return (try models.plan(verifiers: verifiers, drafters: 0, placement: .plain), "as asked for")
        }
        guard fallback.hasDraftModel else {
            return (fallback, "a drafter without a model computes next to nothing")
        }
        guard verifiers == 1, drafters == 1 else {
            return (fallback, "several nodes of a kind have cores of their own unless --placement says otherwise")
        }
        let report: PlacementReport
        do {
            var cores = try CPUList.available()
            // Verifiers get no more than that.
            if let threads = models.threads, let first = CPUList(cores: cores.cores.prefix(threads + 1)) {
                cores = first
            }
            report = try await PlacementSurvey(fallback, cores: cores).run {
                if terminal.showsProgress { terminal.note($0) }
            }
        } catch let error as NacreError {
            throw error
        } catch {
            // What is wrong with a model its node says better.
            return (fallback, "could not be measured: \(error)")
        }
        if let disturbance = report.disturbance {
            return (
                fallback,
                "the machine had other work while it was measured (\(disturbance)); the next start tries again"
            )
        }
        let chosen = report.choice
        guard let placement = ClusterPlacement(rawValue: chosen.placement) else { return (fallback, report.reason) }
        let rate = "\(Figures.decimal(chosen.tokensPerSecond, digits: 1)) tokens/s expected of one job"
        let override = placement == .plain ? " (--placement apart or together starts a drafter all the same)" : ""
        return (
            try models.plan(
                verifiers: 1, drafters: 1, placement: placement, drafterCores: max(1, chosen.drafterCores),
                coresMax: chosen.verifierCores),
            "\(rate); \(report.reason)\(override)"
        )
    }
}
