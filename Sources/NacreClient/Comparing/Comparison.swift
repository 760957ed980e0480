package import NacreAPI
package import NacreNode

/// Decodes prompts with several methods and holds each against plain decoding, token by token.
package enum Comparison {
    package static let plainMethod = "autoregressive"

    /// What was found.
    package struct Result: Sendable {
        package var methods: [MethodComparison]
        package var noise: Noise

        package var isSame: Bool { methods.allSatisfy { $0.divergences == 0 } }

        /// Why the comparison failed; `nil` if all outputs are the same.
        package var failure: NacreError? {
            if isSame { return nil }
            let isExplained = methods.allSatisfy { $0.unexplained == 0 }
            return NacreError(
                .failed,
                isExplained
                    ? "outputs differ from plain decoding's, by no more than the engine's noise"
                    : "outputs differ from plain decoding's")
        }

        package init(methods: [MethodComparison], noise: Noise) {
            self.methods = methods
            self.noise = noise
        }
    }

    /// Every prompt plainly, alone and beside the others, then with each of `methods`, under the same seed.
    ///
    /// - Parameters:
    ///   - template: the settings of every job; its prompt and method are replaced.
    ///   - progress: told how far it is.
    /// - Throws: as `CoordinatorClient.run`.
    package static func run(
        _ prompts: [String], methods: [String], template: JobRequest, at coordinator: CoordinatorClient,
        progress: (String) -> Void
    ) async throws -> Result {
        var (plain, requests) = ([FinishedJob](), [JobRequest]())
        for (number, prompt) in prompts.enumerated() {
            progress("plain decoding, prompt \(number + 1) of \(prompts.count)")
            var request = template
            request.prompt = prompt
            request.method = plainMethod
            plain.append(try await coordinator.run(request))
            // Without a seed of the caller's, the one drawn for the plain run is everyone's.
            request.seed = plain[number].document.seed
            requests.append(request)
        }
        progress("plain decoding, all prompts at once")
        let noise = try await noise(of: requests, plain, at: coordinator)
        var results = methods.map { MethodComparison(method: $0) }
        for (number, request) in requests.enumerated() {
            progress("prompt \(number + 1) of \(prompts.count)")
            for index in results.indices {
                var request = request
                request.method = results[index].method
                let other = try await coordinator.run(request)
                results[index].add(other, against: plain[number], prompt: number, noise: noise)
            }
        }
        return Result(methods: results, noise: noise)
    }

    private static func noise(
        of requests: [JobRequest], _ alone: [FinishedJob], at coordinator: CoordinatorClient
    ) async throws -> Noise {
        try await withThrowingTaskGroup(of: (Int, FinishedJob).self) { group in
            // A job more than there are prompts, so that even one prompt is decoded beside another.
            for (number, request) in (requests + requests.prefix(1)).enumerated() {
                group.addTask { (number % requests.count, try await coordinator.run(request)) }
            }
            var noise = Noise()
            for try await (number, beside) in group {
                noise.compare(
                    alone[number].document.tokens, alone[number].margins, beside.document.tokens, beside.margins)
            }
            return noise
        }
    }
}
