package import NacreAPI

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
                results[index].add(other, against: plain, prompt: number)
            }
        }
        return results
    }
}
