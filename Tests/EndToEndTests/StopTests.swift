import Foundation
import NacreAPI
import NacreClient
import NacreCore
import NacreLlama
import Testing

/// How outputs end when nobody interferes: budget, stop strings, the model's own end.
@Suite(.serialized) struct StopTests {
    @Test("max_tokens is exact in every method, and a smaller budget gives a prefix of a larger one's output")
    func budget() async throws {
        try await TestCluster.with { cluster in
            try await cluster.withClient { coordinator in
                let whole = try await coordinator.run(Jobs.endless(48, method: Jobs.plain)).document
                let budgets = [1, 2, 5, 6, 17, 48]
                for method in Jobs.methods {
                    let jobs = try await coordinator.runAll(budgets.map { Jobs.endless($0, method: method) })
                    for (budget, job) in zip(budgets, jobs.map(\.document)) {
                        #expect(job.outcome == "length" && job.state == "done", "\(method), \(budget)")
                        #expect(job.tokens == Array(whole.tokens.prefix(budget)), "\(method), \(budget)")
                        #expect(whole.text.hasPrefix(job.text), "\(method), \(budget)")
                        #expect(!job.contextLimited)
                    }
                }
            }
        }
    }

    @Test("an output that meets the end of the context says so")
    func contextLimit() async throws {
        try await TestCluster.with(verifiers: 0) { cluster in
            try cluster.startVerifier("verifier-1", arguments: ["--context", "64"])
            try await cluster.until("the verifier is there") { try await $0.status().ready }
            try await cluster.withClient { coordinator in
                for method in Jobs.methods {
                    let job = try await coordinator.run(Jobs.endless(100, method: method)).document
                    #expect(job.contextLimited && job.outcome == "length", "\(method)")
                    #expect(job.promptTokens + job.outputTokens == 64, "\(method)")
                }
            }
        }
    }

    @Test("a stop string that spans three tokens cuts the text exactly, and no event ever shows a part of it")
    func stopString() async throws {
        try await TestCluster.with { cluster in
            try await cluster.withClient { coordinator in
                let plain = try await coordinator.run(Jobs.endless(160, method: Jobs.plain)).document
                let cut = try #require(try Self.cut(of: plain), "no stop string spans three tokens of this text")
                for method in Jobs.methods {
                    var request = Jobs.endless(160, method: method)
                    request.stop = ["never in the text", cut.stop]
                    var shown = ""
                    let job = try await coordinator.run(request) { text in
                        shown += text
                        #expect(cut.before.hasPrefix(shown), "\(method) showed '\(shown.suffix(20))'")
                    }.document
                    #expect(shown == cut.before && job.text == cut.before, "\(method)")
                    #expect(job.outcome == "stop" && job.state == "done", "\(method)")
                    #expect(plain.tokens.starts(with: job.tokens) && job.tokens.count == cut.tokens, "\(method)")
                }
                let run = try await cluster.nacre(
                    "run", Jobs.endless().prompt, "--temperature", "0.7", "--min-p", "0.1", "--seed", "3",
                    "--max-tokens", "160", "--ignore-eos", "--stop", Self.escaped(cut.stop))
                #expect(run.output == cut.before && run.status == 0 && run.errors.isEmpty)
            }
        }
    }

    @Test("what was held back as a possible beginning of a stop string comes out when it was none")
    func heldBack() async throws {
        try await TestCluster.with { cluster in
            try await cluster.withClient { coordinator in
                let plain = try await coordinator.run(Jobs.endless(40, method: Jobs.plain)).document
                var request = Jobs.endless(40)
                request.stop = [String(plain.text.suffix(3)) + "\u{1}"]
                var shown = ""
                let job = try await coordinator.run(request) { shown += $0 }.document
                #expect(shown == plain.text && job.text == plain.text && job.outcome == "length")
            }
        }
    }

    @Test("the model's end of generation ends the job in every method and adds no text, unless the job ignores it")
    func endOfGeneration() async throws {
        try await PatchedModel.withFolder { folder in
            // In this target a token that is often drawn is the end.
            let name = try #require(try Self.token(" self"))
            let target = try PatchedModel.ending(with: name, Jobs.target, in: folder)
            let draft = try PatchedModel.ending(with: name, Jobs.draft, in: folder)
            try await TestCluster.with(verifiers: 0, drafters: 0) { cluster in
                try cluster.startVerifier("verifier-1", model: target)
                try cluster.startDrafter("drafter-1", model: draft)
                try await cluster.until("both are there") { coordinator in
                    let status = try await coordinator.status()
                    return status.ready && status.drafters == 1
                }
                try await cluster.withClient { try await Self.endsEverywhere(name, at: $0) }
                try await cluster.withClient { try await Self.endsNowhere(name, at: $0) }
            }
        }
    }

    private static func endsEverywhere(_ end: UInt32, at coordinator: CoordinatorClient) async throws {
        let requests = try Jobs.identityPrompts().prefix(16).map { prompt in
            var request = JobRequest(prompt: prompt)
            request.maxTokens = 40
            return request
        }
        let plain = try await coordinator.runAll(requests.map { $0.with(method: Jobs.plain) })
        let ended = plain.map(\.document).filter { $0.outcome == "end" }
        #expect(ended.count >= 2 && ended.contains { $0.tokens.count > 2 }, "no prompt runs into the end")
        for job in ended {
            #expect(job.tokens.last == end && !job.tokens.dropLast().contains(end) && !job.text.hasSuffix(" self"))
        }
        for method in Jobs.speculating {
            let others = try await coordinator.runAll(requests.map { $0.with(method: method) })
            #expect(Jobs.differences(plain, others) == [], "\(method)")
            #expect(others.map(\.document.outcome) == plain.map(\.document.outcome), "\(method)")
            #expect(others.map(\.document.text) == plain.map(\.document.text), "\(method)")
        }
    }

    /// The same texts go on behind their ends, as long as was asked for.
    private static func endsNowhere(_ end: UInt32, at coordinator: CoordinatorClient) async throws {
        let requests = try Jobs.identityPrompts().prefix(8).flatMap { prompt in
            [0, 0.8].map { temperature in
                var request = JobRequest(prompt: prompt)
                (request.maxTokens, request.temperature, request.seed) = (64, temperature, 5)
                return request.with(method: Jobs.plain)
            }
        }
        let ended = try await coordinator.runAll(requests).map(\.document)
        let ignoring = requests.map { request in
            var request = request
            request.ignoreEos = true
            return request
        }
        let plain = try await coordinator.runAll(ignoring)
        for (job, short) in zip(plain.map(\.document), ended) {
            #expect(job.outcome == "length" && job.outputTokens == 64 && job.tokens.starts(with: short.tokens))
            #expect(job.text.hasPrefix(short.text))
        }
        #expect(plain.contains { $0.document.tokens.dropLast(16).contains(end) }, "nothing to go on behind")
        for method in Jobs.speculating {
            let others = try await coordinator.runAll(ignoring.map { $0.with(method: method) })
            #expect(Jobs.differences(plain, others) == [], "\(method)")
            #expect(others.map(\.document.text) == plain.map(\.document.text), "\(method)")
            #expect(others.allSatisfy { $0.document.outcome == "length" }, "\(method)")
        }
        let joint = try await coordinator.runAll(ignoring.map { $0.with(method: "mtad") })
        #expect(joint.allSatisfy { $0.document.outputTokens == 64 })
    }

    // MARK: what the text is made of

    /// A stop string that begins inside one token of the text and ends inside the next but one, the text before it,
    /// and the tokens up to the one that completes it.
    private static func cut(of job: JobDocument) throws -> (stop: String, before: String, tokens: Int)? {
        let oracle = try PlainDecoder(Jobs.target)
        let pieces = job.tokens.map { String(decoding: oracle.piece($0), as: UTF8.self) }
        var before = ""
        for (index, piece) in pieces.enumerated().dropLast(2) {
            let stop = piece.suffix(1) + pieces[index + 1] + pieces[index + 2].prefix(1)
            let head = before + piece.dropLast()
            before += piece
            guard index >= 20, piece.count > 1, pieces[index + 2].count > 1, let found = job.text.range(of: stop),
                job.text[..<found.lowerBound] == head
            else { continue }
            return (String(stop), head, index + 3)
        }
        return nil
    }

    private static func token(_ piece: String) throws -> UInt32? {
        let tokenizer = try LlamaTokenizer(path: Jobs.target)
        return (0..<UInt32(tokenizer.vocabularySize)).first {
            tokenizer.piece(TokenID(rawValue: $0)) == Array(piece.utf8)
        }
    }

    /// As a person writes it for `--stop`.
    private static func escaped(_ text: String) -> String {
        text.replacing("\\", with: "\\\\").replacing("\n", with: "\\n").replacing("\t", with: "\\t")
    }
}
