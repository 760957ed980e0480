/// The documents of the coordinator's HTTP API, as JSON. Names are snake_case on the wire.
///
/// `POST /v1/jobs` takes a `JobRequest`; `GET /v1/jobs/{id}` gives a `JobDocument`; event streams carry
/// `JobStarted`, `JobTokens` and `JobDocument` as the data of events `started`, `tokens` and `ended`.
package struct JobRequest: Codable, Sendable, Equatable {
    package var prompt: String
    /// autoregressive, speculative, pearl, stream (default), mtad (lossy), beam or dsbd (several texts).
    package var method: String?
    /// Draft length γ, 1 ... 32; absent: the verifier's choice.
    package var gamma: Int?
    /// How draft lengths are chosen, as `adaedl:lambda=0.4`; absent: what the coordinator has for the pair of models.
    package var policy: String?
    /// llama.cpp's words for policies: at most and at least so many drafts, and a least probability of each.
    package var draftNMax: Int?
    package var draftNMin: Int?
    package var draftPMin: Double?
    /// How drafts are judged: coupled (default), rejection or block.
    package var rule: String?
    /// Which drafts are proposed: chain (default), widths as in 4,2,2,1, best, best:16 (drafts) or best:16x4 (drafts
    /// and most below one node).
    package var tree: String?
    /// Drafts prepared for likely outcomes of a pass, 0 (default) ... 256.
    package var branches: Int?
    /// Drafters whose candidates are united, 1 (default) ... 16.
    package var drafters: Int?
    /// Other verifiers of the target that may score for the job's, 0 (default) ... 16.
    package var helpers: Int?
    /// What tells rules that need it of q: rows (default) or scalar.
    package var payload: String?
    /// How several drawn candidates for one position come to be: distinct (default) or independent.
    package var candidates: String?
    /// Hypotheses that meet again in their last so many tokens are continued once, 0 (default: never) ... 16.
    package var merge: Int?
    /// Of mtad: how much less likely than to the drafter a block may be to the target, in (0, 1]; default 0.5.
    package var tau: Double?
    /// Sum up how likely the output is under the target (default false; mtad always does).
    package var likelihood: Bool?
    /// Of beam and dsbd: beams of the target drawn at each step, 1 ... 16; default 4, or fewer `draftBeams`.
    package var beams: Int?
    /// Of dsbd: draws in a layer of the draft forest, 1 ... 16; default 4, or more `beams`.
    package var draftBeams: Int?
    /// Of dsbd: how likely drafts must yield a step's width, above 0 and at most 1; absent: the width is fixed.
    package var widthThreshold: Double?
    /// With `widthThreshold`: the least width, 1 (default) ... 16.
    package var minBeams: Int?
    /// Of dsbd: keep one beam after each round, drawn or likeliest; absent: all.
    package var keepOne: String?
    /// Of beam and dsbd: texts to answer with, 1 (default) ... 16.
    package var nBest: Int?
    /// Most output tokens; default 128.
    package var maxTokens: Int?
    /// 0 (default) is greedy.
    package var temperature: Double?
    package var topK: Int?
    package var topP: Double?
    package var minP: Double?
    /// Absent: the coordinator draws one and returns it.
    package var seed: UInt64?
    package var stop: [String]?
    /// A token that ends the text is one as any other, of which the text shows nothing; default false.
    package var ignoreEos: Bool?
    /// Keep how drafts do, position by position, for `GET /v1/jobs/{id}/record`; default false.
    package var record: Bool?
    /// Answer with the event stream at once; the job is cancelled if the client goes away.
    package var stream: Bool?

    package init(prompt: String) { self.prompt = prompt }

    /// Every key the API knows, for naming the nearest one to a misspelt key.
    package static let keys = [
        "prompt", "method", "gamma", "policy", "draft_n_max", "draft_n_min", "draft_p_min", "rule", "tree", "branches",
        "drafters", "helpers", "payload", "candidates", "merge", "tau", "likelihood", "beams", "draft_beams",
        "width_threshold", "min_beams", "keep_one", "n_best", "max_tokens", "temperature", "top_k", "top_p", "min_p",
        "seed", "stop", "ignore_eos", "record", "stream",
    ]
}

/// A job as it stands.
package struct JobDocument: Codable, Sendable, Equatable {
    package var id: String
    /// queued, running, done, failed or cancelled.
    package var state: String
    /// end (of generation), length, stop, cancelled or failed; absent while the job runs.
    package var outcome: String?
    package var error: String?
    /// Why a job that ran before is queued again, and what it waits for; absent in all other jobs.
    package var waiting: String?
    package var method: String
    /// As `JobRequest`'s, with its defaults filled in; so are the next six. `lossy-joint` is that of mtad, `beams` that
    /// of beam and dsbd.
    package var rule: String
    package var tree: String
    package var branches: Int
    package var drafters: Int
    package var helpers: Int
    /// In force now, and who chose it.
    package var policy = "goodput"
    package var policySetBy = "built in"
    package var candidates = "distinct"
    package var merge = 0
    /// The output need not be the target's own text, by design of the method; then with the threshold it was held to.
    package var lossy = false
    package var tau: Double?
    /// Of methods with beams, as `JobRequest`'s.
    package var beams: Int?
    package var draftBeams: Int?
    package var widthThreshold: Double?
    package var minBeams: Int?
    package var keepOne: String?
    /// What a job with beams ended with, best first; the first is `text`. Absent before the end.
    package var answers: [AnswerDocument]?
    package var seed: UInt64
    package var promptTokens: Int
    package var outputTokens: Int
    package var text: String
    package var tokens: [UInt32]
    /// Names of the verifiers it ran on, in order.
    package var verifiers: [String]
    /// Models of the drafters it was offered.
    package var draftModels: [String] = []
    /// Whether a drafter of it computes on its verifier's cores: whatever the method, the two take turns.
    package var sharesCores = false
    /// Why it has the drafter that it was offered last, by what was measured; absent where nodes have not said.
    package var pairing: String?
    /// Whether all of them are exact. If not, the output may differ from plain decoding's where two tokens lie as close
    /// as rounding.
    package var exact: Bool
    /// The output was cut at the verifier's context, before `max_tokens`.
    package var contextLimited: Bool
    package var statistics: StatisticsDocument

    package init(
        id: String, state: String, outcome: String?, error: String?, method: String, rule: String = "coupled",
        tree: String = "chain", branches: Int = 0, drafters: Int = 1, helpers: Int = 0, seed: UInt64,
        promptTokens: Int, outputTokens: Int, text: String, tokens: [UInt32], verifiers: [String],
        exact: Bool = true, contextLimited: Bool, statistics: StatisticsDocument
    ) {
        self.id = id
        self.state = state
        self.outcome = outcome
        self.error = error
        self.method = method
        self.rule = rule
        self.tree = tree
        self.branches = branches
        self.drafters = drafters
        self.helpers = helpers
        self.seed = seed
        self.promptTokens = promptTokens
        self.outputTokens = outputTokens
        self.text = text
        self.tokens = tokens
        self.verifiers = verifiers
        self.exact = exact
        self.contextLimited = contextLimited
        self.statistics = statistics
    }
}

/// `GET /v1/jobs`.
package struct JobListDocument: Codable, Sendable, Equatable {
    package var jobs: [JobSummary]
    package init(jobs: [JobSummary]) { self.jobs = jobs }
}

/// A job's line in the list.
package struct JobSummary: Codable, Sendable, Equatable {
    package var id: String
    package var state: String
    package var method: String
    package var promptTokens: Int
    package var outputTokens: Int
    package var policy = "goodput"
    package var tree = "chain"
    /// The target's name; absent until it is known.
    package var targetModel: String?
    /// Models of the drafters it was offered.
    package var draftModels: [String] = []
    /// Where it runs now; absent unless it does.
    package var verifier: String?

    package init(id: String, state: String, method: String, promptTokens: Int, outputTokens: Int) {
        self.id = id
        self.state = state
        self.method = method
        self.promptTokens = promptTokens
        self.outputTokens = outputTokens
    }
}

/// `GET /v1/status`.
package struct StatusDocument: Codable, Sendable, Equatable {
    package var version: String
    package var uptimeSeconds: Double
    /// Whether a job submitted now would be decoded: a verifier is there and its vocabulary is known.
    package var ready: Bool
    package var verifiers: Int
    package var drafters: Int
    package var jobsOpen: Int
    package var jobsFinished: Int
    /// What verifiers do with drafts, and why.
    package var pairs: [PairDocument]

    package init(
        version: String, uptimeSeconds: Double, ready: Bool, verifiers: Int, drafters: Int, jobsOpen: Int,
        jobsFinished: Int, pairs: [PairDocument] = []
    ) {
        self.version = version
        self.uptimeSeconds = uptimeSeconds
        self.ready = ready
        self.verifiers = verifiers
        self.drafters = drafters
        self.jobsOpen = jobsOpen
        self.jobsFinished = jobsFinished
        self.pairs = pairs
    }
}

/// The body of every answer that is not a success.
package struct ErrorDocument: Codable, Sendable, Equatable {
    package var error: String
    package init(error: String) { self.error = error }
}
