import NacreAPI

/// The prompts decoded plainly, by which all else is judged, and how far plain decoding's own margins move.
package struct PlainReference: Sendable {
    /// The jobs, each with the seed that is everyone's.
    let requests: [JobRequest]
    let plain: [FinishedJob]
    package private(set) var noise = Noise()

    /// Decodes every prompt plainly, alone.
    ///
    /// - Parameter template: the settings of every job; its prompt and method are replaced.
    init(
        _ prompts: [String], template: JobRequest, at coordinator: CoordinatorClient, progress: (String) -> Void
    ) async throws {
        var (plain, requests) = ([FinishedJob](), [JobRequest]())
        for (number, prompt) in prompts.enumerated() {
            progress("plain decoding, prompt \(number + 1) of \(prompts.count)")
            var request = template
            request.prompt = prompt
            request.method = Comparison.plainMethod
            plain.append(try await coordinator.run(request))
            // Without a seed of the caller's, the one drawn for the plain run is everyone's.
            request.seed = plain[number].document.seed
            requests.append(request)
        }
        (self.requests, self.plain) = (requests, plain)
    }

    /// Takes in how margins move on another cluster, each prompt alone.
    mutating func measureAlone(at coordinator: CoordinatorClient, progress: (String) -> Void) async throws {
        for (number, request) in requests.enumerated() {
            progress("plain decoding again, prompt \(number + 1) of \(requests.count)")
            compare(number, try await coordinator.run(request))
        }
    }

    /// Takes in how margins move when the prompts are decoded together.
    mutating func measureTogether(at coordinator: CoordinatorClient, progress: (String) -> Void) async throws {
        progress("plain decoding, all prompts at once")
        let requests = requests
        let together = try await withThrowingTaskGroup(of: (Int, FinishedJob).self) { group in
            // A job more than there are prompts, so that even one prompt is decoded beside another.
            for (number, request) in (requests + requests.prefix(1)).enumerated() {
                group.addTask { (number % requests.count, try await coordinator.run(request)) }
            }
            var together: [(Int, FinishedJob)] = []
            for try await finished in group { together.append(finished) }
            return together
        }
        for (number, beside) in together { compare(number, beside) }
    }

    private mutating func compare(_ number: Int, _ other: FinishedJob) {
        noise.compare(
            plain[number].document.tokens, plain[number].margins, other.document.tokens, other.margins)
    }
}
