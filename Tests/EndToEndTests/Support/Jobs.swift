import Foundation
import NacreAPI
import NacreClient

/// Jobs as the tests need them.
enum Jobs {
    static let plain = "autoregressive"
    static let speculating = ["speculative", "pearl", "stream"]
    static let methods = [plain] + speculating

    /// The repository's root, from where this source lies.
    static let root = String(#filePath.dropLast("Tests/EndToEndTests/Support/Jobs.swift".count))
    static let target = root + "Models/pycode-8m-q8_0.gguf"
    static let draft = root + "Models/pycode-3m-q8_0.gguf"

    /// Fifty beginnings of Python.
    static func identityPrompts() throws -> [String] { try PromptFile.read(root + "Models/prompts/identity.txt") }

    /// A job that goes on until it is stopped, whatever ends the target finds for its text: sampled, so that the text
    /// does not run in circles in which a lost token would not show.
    static func endless(_ tokensMax: Int = 1_900, method: String? = nil, seed: UInt64 = 3) -> JobRequest {
        var request = JobRequest(prompt: "import os\nimport sys\n\n\nclass Parser(object):\n")
        request.method = method
        request.maxTokens = tokensMax
        request.temperature = 0.7
        request.minP = 0.1
        request.seed = seed
        request.ignoreEos = true
        return request
    }

    /// What differs between two runs, one line per prompt; empty when nothing does.
    static func differences(_ plain: [FinishedJob], _ others: [FinishedJob]) -> [String] {
        zip(plain, others).enumerated().compactMap { number, pair in
            Divergence(
                prompt: number, plain: pair.0.document.tokens, margins: pair.0.margins, other: pair.1.document.tokens
            )?.sentence
        }
    }
}

extension JobRequest {
    /// The same job decoded in another way.
    func with(method: String, gamma: Int? = nil) -> JobRequest {
        var request = self
        request.method = method
        request.gamma = gamma
        return request
    }
}

extension JobRequest {
    /// The same text, decoded without drafts.
    var plain: JobRequest {
        var request = JobRequest(prompt: prompt)
        request.method = Jobs.plain
        (request.maxTokens, request.temperature, request.seed) = (maxTokens, temperature, seed)
        return request
    }
}

extension CoordinatorClient {
    /// What plain decoding gives for each request; those that differ in nothing but how they speculate share a job.
    func runPlain(_ requests: [JobRequest], atOnce limit: Int = 8) async throws -> [FinishedJob] {
        let plain = requests.map(\.plain)
        let different = plain.reduce(into: [JobRequest]()) { if !$0.contains($1) { $0.append($1) } }
        let finished = try await runAll(different, atOnce: limit)
        return plain.compactMap { request in different.firstIndex(of: request).map { finished[$0] } }
    }

    /// Runs all jobs, at most `limit` at once, to their ends; what came of them in the order of the requests.
    func runAll(_ requests: [JobRequest], atOnce limit: Int = 8) async throws -> [FinishedJob] {
        try await withThrowingTaskGroup(of: (Int, FinishedJob).self) { group in
            var finished: [Int: FinishedJob] = [:]
            for (number, request) in requests.enumerated() {
                if number >= limit, let (done, job) = try await group.next() { finished[done] = job }
                group.addTask { (number, try await run(request)) }
            }
            for try await (done, job) in group { finished[done] = job }
            return requests.indices.compactMap { finished[$0] }
        }
    }

    /// Waits until the job has put out `tokens` tokens, and no longer.
    func reach(_ tokens: Int, of id: String) async throws {
        for try await event in try await events(of: id) {
            if case .tokens(let part) = event, part.start + part.tokens.count >= tokens { return }
        }
    }
}
