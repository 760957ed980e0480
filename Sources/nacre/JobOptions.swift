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

    @Option(
        help: ArgumentHelp(
            "64-bit seed: under rule coupled it repeats the text, one for all lossless methods, and always that of "
                + "beam; not that of mtad and dsbd, which depends on timing (default: drawn)."))
    var seed: UInt64?

    @Flag(
        help: ArgumentHelp(
            "Go on behind tokens that end the text, which show as nothing, until --max-tokens, --stop or the context "
                + "ends the job; not with beam and dsbd."))
    var ignoreEos = false

    func apply(to request: inout JobRequest) {
        request.gamma = gamma
        request.maxTokens = maxTokens
        request.temperature = temperature
        request.topK = topK
        request.topP = topP
        request.minP = minP
        request.seed = seed
        request.ignoreEos = ignoreEos ? true : nil
    }
}

/// How a job is speculated on; none of it changes what its text may be, but for the lossy method and those with beams.
struct SpeculationOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "autoregressive, speculative, pearl or stream, which all give the target's own text; or mtad, LOSSY by "
                + "design: likelier text in fewer target passes; or beam sampling of the target, whose best text is "
                + "known at the end: beam, and dsbd with drafts (default: the coordinator's setting, else stream)."))
    var method: String?

    @Option(
        help: ArgumentHelp(
            "How draft lengths are chosen, as in adaedl:lambda=0.4; `nacre policy list` names them (default: the "
                + "coordinator's).",
            valueName: "policy"))
    var policy: String?

    @Option(help: ArgumentHelp("As llama.cpp's: most drafts of a round.", valueName: "n"))
    var specDraftNMax: Int?

    @Option(help: ArgumentHelp("As llama.cpp's: fewest drafts of a round.", valueName: "n"))
    var specDraftNMin: Int?

    @Option(help: ArgumentHelp("As llama.cpp's: drafts less probable than this end a round.", valueName: "p"))
    var specDraftPMin: Double?

    @Option(name: .customLong("draft-max"), help: .hidden)
    var draftMax: Int?

    @Option(name: .customLong("draft-min"), help: .hidden)
    var draftMin: Int?

    @Option(help: "How drafts are judged: coupled, rejection or block; all lossless (default coupled).")
    var rule: String?

    @Option(
        help: ArgumentHelp(
            "Which drafts are proposed: chain, a static tree (4,2,2,1: children per node, level by level), best "
                + "(grown where it is most probable), best:16 (of at most 16 drafts), best:16x4 (at most 4 below one "
                + "node); with --method mtad beams:4 (all of 4 beams) or path:4 (the likeliest of them) (default "
                + "chain; of mtad beams:4).",
            valueName: "shape"))
    var tree: String?

    @Option(
        help: ArgumentHelp(
            "Of --method mtad: how much less likely than to the drafter a block of drafts may be to the target, above "
                + "0 and at most 1; the smaller the faster and the less the target's (default 0.5).",
            valueName: "τ"))
    var tau: Double?

    @Flag(
        help: ArgumentHelp(
            "Measure how likely the output is under the target (perplexity); mtad, beam and dsbd always do. Not with "
                + "--rule rejection or block when sampling (use coupled), nor with --helpers (leave them out, or use "
                + "beam or dsbd)."))
    var likelihood = false

    @Option(help: "Drafts to prepare for likely outcomes of a pass, 0 to 256 (default 0).")
    var branches: Int?

    @Option(help: "Drafters whose candidates are united, 1 to 16 (default 1).")
    var drafters: Int?

    @Option(
        help: ArgumentHelp(
            "Other verifiers of the same target that may score parts of the drafts, with --method beam and dsbd the "
                + "trees of some beams, 0 to 16 (default 0)."))
    var helpers: Int?

    @Option(
        help: ArgumentHelp(
            "What tells rules that need it how drafts were drawn: rows, or scalar (less traffic, a round trip after a "
                + "rejection) (default rows).",
            valueName: "kind"))
    var payload: String?

    @Option(
        help: ArgumentHelp(
            "Drawn candidates for one position: distinct (without replacement) or independent (default distinct).",
            valueName: "kind"))
    var candidates: String?

    @Option(
        help: ArgumentHelp(
            "Continue hypotheses that meet again in their last n tokens once, 0 to 16 (default 0: never).",
            valueName: "n"))
    var merge: Int?

    func apply(to request: inout JobRequest) {
        request.method = method
        request.policy = policy
        if draftMax != nil || draftMin != nil {
            Terminal.standard().note(
                "--draft-max and --draft-min have gone from llama.cpp: here they are --spec-draft-n-max and -n-min")
        }
        request.draftNMax = specDraftNMax ?? draftMax
        request.draftNMin = specDraftNMin ?? draftMin
        request.draftPMin = specDraftPMin
        request.rule = rule
        request.tree = tree
        request.branches = branches
        request.drafters = drafters
        request.helpers = helpers
        request.payload = payload
        request.candidates = candidates
        request.merge = merge
        request.tau = tau
        request.likelihood = likelihood ? true : nil
    }
}

/// A prompt and how to continue it.
struct JobOptions: ParsableArguments {
    @Argument(help: "The prompt, taken as it is; - reads it from stdin.")
    var prompt: String?

    @Option(help: ArgumentHelp("Read the prompt from this file.", valueName: "path"))
    var file: String?

    @OptionGroup var speculation: SpeculationOptions
    @OptionGroup var beams: BeamOptions
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
        speculation.apply(to: &request)
        beams.apply(to: &request)
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
