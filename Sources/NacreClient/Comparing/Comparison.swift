package import NacreAPI

/// Where one method's output first leaves plain decoding's.
package struct Divergence: Sendable, Codable, Equatable {
    /// Index of the prompt, from 0.
    package let prompt: Int
    /// Index of the output token, from 0.
    package let position: Int
    /// The tokens there; absent where one output ends before the other.
    package let plainToken: UInt32?
    package let token: UInt32?
    /// Best minus second-best score of plain decoding there, in nats; absent where there was no second best.
    package let margin: Float?

    package init(prompt: Int, position: Int, plainToken: UInt32?, token: UInt32?, margin: Float?) {
        self.prompt = prompt
        self.position = position
        self.plainToken = plainToken
        self.token = token
        self.margin = margin
    }

    /// The first difference; `nil` if the outputs are the same.
    package init?(prompt: Int, plain: [UInt32], margins: [Float?], other: [UInt32]) {
        let common = zip(plain, other).prefix { $0 == $1 }.count
        guard common < max(plain.count, other.count) else { return nil }
        self.init(
            prompt: prompt, position: common, plainToken: common < plain.count ? plain[common] : nil,
            token: common < other.count ? other[common] : nil,
            margin: common < margins.count ? margins[common] : nil)
    }

    /// "prompt 3, token 17: 401 instead of 398, which led by 0.0021 nats".
    package var sentence: String {
        func name(_ token: UInt32?) -> String { token.map { "token \($0)" } ?? "the end" }
        let lead = margin.map { ", which led by \(Figures.decimal(Double($0), digits: 6)) nats" } ?? ""
        return "prompt \(prompt + 1), position \(position): \(name(token)) instead of \(name(plainToken))\(lead)"
    }
}

/// How one method compared with plain decoding over all prompts.
package struct MethodComparison: Sendable, Codable, Equatable {
    package let method: String
    package var prompts = 0
    package var tokens = 0
    /// Prompts whose output differs.
    package var divergences = 0
    package var first: Divergence?
    /// Draft tokens accepted and judged, over all prompts.
    package var accepted = 0
    package var judged = 0

    package init(method: String) { self.method = method }

    mutating func add(_ finished: FinishedJob, divergence: Divergence?) {
        prompts += 1
        tokens += finished.document.tokens.count
        accepted += finished.document.statistics.accepted
        judged += finished.document.statistics.judged
        guard let divergence else { return }
        divergences += 1
        first = first ?? divergence
    }
}

/// Decodes prompts with several methods and holds each against plain decoding, token by token.
package enum Comparison {
    package static let plainMethod = "autoregressive"

    /// Every prompt plainly, then with each of `methods`, under the same seed.
    ///
    /// - Parameters:
    ///   - template: the settings of every job; its prompt and method are replaced.
    ///   - progress: told how far it is.
    /// - Throws: as `CoordinatorClient.run`.
    package static func run(
        _ prompts: [String], methods: [String], template: JobRequest, at coordinator: CoordinatorClient,
        progress: (String) -> Void
    ) async throws -> [MethodComparison] {
        var results = methods.map { MethodComparison(method: $0) }
        for (number, prompt) in prompts.enumerated() {
            progress("prompt \(number + 1) of \(prompts.count)")
            var request = template
            request.prompt = prompt
            request.method = plainMethod
            let plain = try await coordinator.run(request)
            // Without a seed of the caller's, the one drawn for the plain run is everyone's.
            request.seed = plain.document.seed
            for index in results.indices {
                request.method = results[index].method
                let other = try await coordinator.run(request)
                let divergence = Divergence(
                    prompt: number, plain: plain.document.tokens, margins: plain.margins, other: other.document.tokens)
                results[index].add(other, divergence: divergence)
            }
        }
        return results
    }
}
