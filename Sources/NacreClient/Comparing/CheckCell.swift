import NacreAPI

/// One combination of settings that `nacre check` holds against plain decoding, and what was found.
package struct CheckCell: Sendable, Codable, Equatable {
    package let method: String
    package let rule: String
    package let tree: String
    package let branches: Int
    /// Jobs at once.
    package let jobs: Int
    /// Processes of the cluster. A job uses all its drafters, and all its other verifiers as helpers.
    package let verifiers: Int
    package let drafters: Int
    package let temperature: Double

    /// Outputs held against plain decoding's, and their tokens.
    package private(set) var outputs = 0
    package private(set) var tokens = 0
    /// Draft tokens accepted and judged.
    package private(set) var accepted = 0
    package private(set) var judged = 0
    /// Of each output that differs, the first difference.
    package private(set) var divergences: [Divergence] = []
    /// Divergences that the engine's noise does not explain.
    package private(set) var unexplained = 0
    /// Whether every output compared is of a target whose rows are the same in every pass.
    package private(set) var exact = true
    /// Why the coordinator refuses this combination; absent if it does not.
    package var refusal: String?
    /// Why a job of it failed, if one did.
    package var failure: String?

    package init(
        method: String, rule: String = "coupled", tree: String = "chain", branches: Int = 0, jobs: Int = 1,
        verifiers: Int = 1, drafters: Int = 1, temperature: Double = 0
    ) {
        self.method = method
        self.rule = rule
        self.tree = tree
        self.branches = branches
        self.jobs = jobs
        self.verifiers = verifiers
        self.drafters = drafters
        self.temperature = temperature
    }

    /// Whether nothing is wrong with it; so is a combination that cannot be asked for.
    package var passes: Bool { unexplained == 0 && failure == nil }

    mutating func add(_ finished: FinishedJob, against plain: FinishedJob, prompt: Int) {
        outputs += 1
        tokens += finished.document.tokens.count
        accepted += finished.document.statistics.accepted
        judged += finished.document.statistics.judged
        if !finished.document.exact || !plain.document.exact { exact = false }
        let divergence = Divergence(
            prompt: prompt, plain: plain.document.tokens, margins: plain.margins, other: finished.document.tokens)
        if let divergence { divergences.append(divergence) }
    }

    package mutating func add(_ divergence: Divergence) { divergences.append(divergence) }

    /// Says which divergences `noise` explains, all of it being known.
    package mutating func settle(_ noise: Noise) { unexplained = divergences.count { !noise.explains($0) } }

    /// The first unexplained divergence, else the first one, in words: "prompt 3, position 17: ..., which led by
    /// 0.000021 nats: within the noise of 0.000040 nats"; `nil` without one.
    package func sentence(_ noise: Noise) -> String? {
        let first = divergences.first { !noise.explains($0) } ?? divergences.first
        return first.map { "\($0.sentence): \(noise.explains($0) ? "within" : "not explained by") \(noise)" }
    }

    /// "stream, rejection, 4,2,2,1, 4 jobs, 2 verifiers, 1 drafter": for progress.
    package var name: String {
        func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }
        var parts = [method, rule, tree]
        if branches > 0 { parts.append("branches \(branches)") }
        parts += [count(jobs, "job"), count(verifiers, "verifier"), count(drafters, "drafter")]
        if temperature > 0 { parts.append("temperature \(temperature)") }
        return parts.joined(separator: ", ")
    }
}
