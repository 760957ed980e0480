package import NacreAPI

/// What `nacre demo` found: the same prompt through the pipeline and decoded plainly, in one run on one cluster.
package struct DemonstrationResult: Sendable, Codable {
    package let stream: JobDocument
    package let plain: JobDocument
    /// The first difference of the two outputs; absent if they are the same.
    package let divergence: Divergence?
    /// The models as their nodes describe them.
    package let target: String
    package let draft: String
    /// Which process computed on which cores.
    package let cores: String

    package var isSame: Bool { divergence == nil }

    /// Tokens per second of the pipeline over plain decoding's.
    package var ratio: Double? {
        guard let fast = stream.statistics.tokensPerSecond, let slow = plain.statistics.tokensPerSecond, slow > 0 else {
            return nil
        }
        return fast / slow
    }

    /// Name and value of every figure, in the order they are told.
    package var figures: [(name: String, value: String)] {
        let statistics = stream.statistics
        return [
            ("tokens", "\(stream.outputTokens)"),
            ("tokens/s", Figures.decimal(statistics.tokensPerSecond, digits: 1)),
            ("plain tokens/s", Figures.decimal(plain.statistics.tokensPerSecond, digits: 1)),
            ("ratio", Figures.decimal(ratio, digits: 2)),
            ("acceptance rate", Figures.percent(statistics.acceptanceRate)),
            ("mean accepted tokens", Figures.decimal(statistics.meanAcceptedTokens, digits: 2)),
            ("verifier busy", Figures.percent(statistics.verifierBusy)),
            ("rounds", "\(statistics.rounds)"),
            ("target", target), ("draft", draft), ("cores", cores),
            ("output", isSame ? "identical to plain decoding" : divergence?.sentence ?? "different"),
        ]
    }
}

/// Streams one prompt and decodes it plainly after.
package enum Demonstration {
    /// A beginning that the default models continue at length.
    package static let prompt =
        "import os\nimport sys\n\n\ndef read_lines(path):\n    \"\"\"Return the lines of a file.\"\"\"\n"

    /// - Parameter onText: called with each piece of the streamed answer as it is accepted.
    /// - Throws: as `CoordinatorClient.run`.
    package static func run(
        _ request: JobRequest, cores: CoreAssignment, at coordinator: CoordinatorClient,
        onText: (String) throws -> Void
    ) async throws -> DemonstrationResult {
        var request = request
        // The first pass of a process pays for pages and caches that no later one does: neither run shall.
        for method in ["stream", Comparison.plainMethod] {
            var warming = request
            warming.method = method
            warming.maxTokens = 8
            _ = try await coordinator.run(warming)
        }
        request.method = "stream"
        let stream = try await coordinator.run(request, onText: onText)
        request.method = Comparison.plainMethod
        request.seed = stream.document.seed
        let plain = try await coordinator.run(request)
        let divergence = Divergence(
            prompt: 0, plain: plain.document.tokens, margins: plain.margins, other: stream.document.tokens)
        let nodes = try await coordinator.nodes()
        func model(_ role: String) -> String { nodes.first { $0.role == role }?.model ?? "none" }
        return DemonstrationResult(
            stream: stream.document, plain: plain.document, divergence: divergence, target: model("verifier"),
            draft: model("drafter"), cores: cores.description)
    }
}
