import ArgumentParser
import Foundation
import NacreAPI
import NacreClient
import NacreNode

/// How a job is decoded; the coordinator knows the defaults and checks the ranges.
struct DecodingOptions: ParsableArguments {
    @Option(help: "Draft length γ, 1 to 32 (default: the verifier's choice).")
    var gamma: Int?

    @Option(help: "Most output tokens (default 128).")
    var maxTokens: Int?

    @Option(help: "0 is greedy (default 0).")
    var temperature: Double?

    @Option(help: "Draw from the k most probable tokens (default off).")
    var topK: Int?

    @Option(help: "Draw from the most probable tokens that make up p (default off).")
    var topP: Double?

    @Option(help: "Drop tokens less probable than this share of the best one's (default off).")
    var minP: Double?

    @Option(help: "64-bit seed: the same seed gives the same tokens, whatever the method (default: drawn).")
    var seed: UInt64?

    func apply(to request: inout JobRequest) {
        request.gamma = gamma
        request.maxTokens = maxTokens
        request.temperature = temperature
        request.topK = topK
        request.topP = topP
        request.minP = minP
        request.seed = seed
    }
}

/// A prompt and how to continue it.
struct JobOptions: ParsableArguments {
    @Argument(help: "The prompt, taken as it is; - reads it from stdin.")
    var prompt: String?

    @Option(help: ArgumentHelp("Read the prompt from this file.", valueName: "path"))
    var file: String?

    @Option(help: "autoregressive, speculative, pearl or stream (default stream).")
    var method: String?

    @OptionGroup var decoding: DecodingOptions

    @Option(
        help: ArgumentHelp(
            #"End the text before this string; can be given up to 16 times. \n, \t and \r mean what they mean in "#
                + #"code, \\ is a backslash."#,
            valueName: "text"))
    var stop: [String] = []

    func validate() throws {
        guard (prompt == nil) != (file == nil) else {
            throw ValidationError("Give one prompt: \"text\", --file F or - for stdin.")
        }
    }

    /// The job to submit.
    func request() throws -> JobRequest {
        var request = JobRequest(prompt: try text())
        request.method = method
        decoding.apply(to: &request)
        request.stop = stop.isEmpty ? nil : try stop.map { try StopText.unescaped($0) }
        return request
    }

    private func text() throws -> String {
        let data: Data
        if let file {
            guard let contents = FileManager.default.contents(atPath: file) else {
                throw NacreError(.badUsage, "cannot read the prompt file \(file)", remedy: "check --file")
            }
            data = contents
        } else if prompt == "-" {
            data = try FileHandle.standardInput.readToEnd() ?? Data()
        } else {
            return prompt ?? ""
        }
        guard let text = String(bytes: data, encoding: .utf8) else {
            throw NacreError(.badUsage, "the prompt is not UTF-8 text")
        }
        return text
    }
}
