import Foundation
import NacreAPI
import NacreCore
package import NacreProtocol

/// Turns the body of `POST /v1/jobs` into a job, or into words for its sender.
package enum JobIntake {
    package struct Refusal: Error, Sendable, Equatable {
        package let status: Int
        package let message: String
    }

    /// A checked job, and whether its client stays attached to it.
    package struct Accepted: Sendable {
        package var specification: JobSpecification
        package var isAttached: Bool
    }

    /// - Parameters:
    ///   - defaults: how jobs are decoded that say nothing about it.
    ///   - drawSeed: gives a seed to a request that names none.
    /// - Throws: `Refusal` with the mistake and the remedy.
    package static func read(
        _ body: [UInt8], defaults: JobDefaults = JobDefaults(), drawSeed: () -> UInt64
    ) throws(Refusal) -> Accepted {
        try checkKeys(body)
        var request: JobRequest
        do {
            request = try JSON.decode(JobRequest.self, from: body)
        } catch {
            throw Refusal(status: 400, message: "the body is not a job: \(describe(error))")
        }
        defaults.fill(&request)
        let specification = try check(request, seed: request.seed ?? drawSeed())
        if specification.speculation.method.usesBeams, request.stream == true {
            throw Refusal(
                status: 400,
                message: "method \(specification.speculation.method.name) has no text before its end, when the best of "
                    + "its beams is known, so that there is nothing to stream: submit the job without stream and read "
                    + "it when it is over, or use method stream")
        }
        return Accepted(specification: specification, isAttached: request.stream ?? false)
    }

    /// A misspelt key would otherwise be ignored without a word.
    private static func checkKeys(_ body: [UInt8]) throws(Refusal) {
        guard let object = try? JSONSerialization.jsonObject(with: Data(body)) as? [String: Any] else {
            throw Refusal(status: 400, message: "the body is not a JSON object")
        }
        for key in object.keys.sorted() where !JobRequest.keys.contains(key) {
            throw Refusal(
                status: 400, message: NearestName.complaint(about: key, kind: "key", among: JobRequest.keys))
        }
    }

    static func check(_ request: JobRequest, seed: UInt64) throws(Refusal) -> JobSpecification {
        let tokensMax = request.maxTokens ?? 128
        guard (1...Limits.outputTokensMax).contains(tokensMax) else {
            throw Refusal(
                status: 400, message: "max_tokens must lie in 1 ... \(Limits.outputTokensMax), not \(tokensMax)")
        }
        let sampling = SamplingPolicy(
            temperature: request.temperature ?? 0, topK: request.topK ?? 0, topP: request.topP ?? 1,
            minP: request.minP ?? 0)
        if let complaint = sampling.complaint { throw Refusal(status: 400, message: complaint) }
        let policy = try PolicyIntake.policy(of: request)
        let speculation = try speculation(of: request, policy ?? .goodput)
        if let complaint = speculation.complaint(under: sampling) { throw Refusal(status: 400, message: complaint) }
        let prompt = Array(request.prompt.utf8)
        guard prompt.count <= Limits.promptBytesMax else {
            throw Refusal(
                status: 413,
                message: "the prompt has \(prompt.count) bytes, at most \(Limits.promptBytesMax) are taken")
        }
        let stops = (request.stop ?? []).map { Array($0.utf8) }
        guard stops.count <= Limits.stopStringsMax,
            stops.allSatisfy({ (1...Limits.stopStringBytesMax).contains($0.count) })
        else {
            throw Refusal(
                status: 400,
                message: "stop takes at most \(Limits.stopStringsMax) strings, "
                    + "each of 1 to \(Limits.stopStringBytesMax) bytes")
        }
        if speculation.method.usesBeams {
            guard stops.isEmpty else {
                throw Refusal(
                    status: 400,
                    message: "method \(speculation.method.name) ranks whole texts, which a stop string would cut "
                        + "afterwards: leave stop out, or use method stream")
            }
            guard request.ignoreEos != true else {
                throw Refusal(
                    status: 400,
                    message:
                        "method \(speculation.method.name) takes a text that ends for a finished beam, so that none "
                        + "goes on behind its end: leave ignore_eos out, or use method stream")
            }
            guard tokensMax <= Limits.beamTokensMax else {
                throw Refusal(
                    status: 400,
                    message: "max_tokens of method \(speculation.method.name) must lie in 1 ... "
                        + "\(Limits.beamTokensMax), not \(tokensMax)")
            }
        }
        return JobSpecification(
            prompt: prompt, speculation: speculation, namesPolicy: policy != nil, sampling: sampling, seed: seed,
            tokensMax: tokensMax, stops: stops, ignoresEnds: request.ignoreEos ?? false)
    }

    /// How the job is speculated on: each value by itself.
    private static func speculation(
        of request: JobRequest, _ policy: PolicySpecification
    ) throws(Refusal) -> Speculation {
        let method =
            try named(request.method, "method", DecodingMethod.init(name:), DecodingMethod.allCases.map(\.name))
            ?? .stream
        try checkLossy(request, method)
        try checkBeams(request, method)
        let fallback = try defaultShape(of: method, request)
        return Speculation(
            method,
            gamma: try checked(request.gamma, "gamma", 1...Limits.gammaMax) ?? 0, policy: policy,
            rule: try named(request.rule, "rule", VerifyRuleKind.init(name:), VerifyRuleKind.allCases.map(\.name))
                ?? .coupled,
            shape: try request.tree.map(shape) ?? fallback,
            branches: try checked(request.branches, "branches", 0...Limits.branchesMax) ?? 0,
            payload: try named(request.payload, "payload", PayloadKind.init(name:), PayloadKind.allCases.map(\.name))
                ?? .rows,
            siblings: try named(request.candidates, "candidates", SiblingDraw.init(name:), SiblingDraw.names)
                ?? .withoutReplacement,
            merge: try checked(request.merge, "merge", 0...Limits.mergeMax) ?? 0,
            drafters: try checked(request.drafters, "drafters", 1...Limits.draftersMax) ?? 1,
            helpers: try checked(request.helpers, "helpers", 0...Limits.helpersMax) ?? 0,
            isRecorded: request.record ?? false,
            tau: request.tau ?? Speculation.tauDefault, measuresLikelihood: request.likelihood ?? false,
            beams: try beams(of: request))
    }

    static func checked(_ value: Int?, _ key: String, _ range: ClosedRange<Int>) throws(Refusal) -> Int? {
        guard let value, !range.contains(value) else { return value }
        throw Refusal(
            status: 400, message: "\(key) must lie in \(range.lowerBound) ... \(range.upperBound), not \(value)")
    }

    /// What only the request tells: a rule that was named, be it the default one, and tau without its method.
    private static func checkLossy(_ request: JobRequest, _ method: DecodingMethod) throws(Refusal) {
        if method.isLossy, let rule = request.rule {
            throw Refusal(
                status: 400,
                message: "method \(method.name) is lossy and has a rule of its own, so that rule \(rule) cannot hold: "
                    + "leave the rule out, or use method stream, pearl or speculative with it")
        }
        if !method.isLossy, request.tau != nil {
            throw Refusal(
                status: 400,
                message: "tau is the threshold of method mtad, which is lossy; method \(method.name) accepts nothing "
                    + "but the target's own text: use method mtad, or no tau")
        }
    }

    static func named<Value>(
        _ name: String?, _ kind: String, _ value: (String) -> Value?, _ known: [String]
    ) throws(Refusal) -> Value? {
        guard let name else { return nil }
        guard let value = value(name) else {
            throw Refusal(status: 400, message: NearestName.complaint(about: name, kind: kind, among: known))
        }
        return value
    }

    private static let shapeNames = ["chain", "best", "beams", "path"]

    private static func shape(_ text: String) throws(Refusal) -> DraftShape {
        // A word is a misspelt name rather than a shape with a bad number.
        if text.allSatisfy(\.isLetter), !shapeNames.contains(text) {
            throw Refusal(
                status: 400,
                message: NearestName.complaint(about: text, kind: "tree", among: shapeNames + ["4,2,2,1"]))
        }
        do {
            return try DraftShape(parsing: text)
        } catch {
            throw Refusal(status: 400, message: "\(error)")
        }
    }

    /// What a decoder found, in words.
    private static func describe(_ error: any Error) -> String {
        switch error {
        case DecodingError.keyNotFound(let key, _): "'\(key.stringValue)' is missing"
        case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context):
            "'\(context.codingPath.map(\.stringValue).joined(separator: "."))' has the wrong type"
        case DecodingError.dataCorrupted(let context): context.debugDescription
        default: "\(error)"
        }
    }
}
