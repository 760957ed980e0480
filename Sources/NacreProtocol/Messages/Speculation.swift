package import NacreCore

/// How a job is speculated on: all that its user may choose about it besides the text itself.
package struct Speculation: Sendable, Hashable {
    package var method: DecodingMethod
    /// Draft length γ, kept in every round; 0 leaves it to the policy.
    package var gamma: Int
    /// How draft lengths are chosen where γ does not fix them.
    package var policy: PolicySpecification
    package var rule: VerifyRuleKind
    package var shape: DraftShape
    /// Drafts that a drafter prepares for likely outcomes of a pass, beside those it hopes for; 0 prepares none.
    package var branches: Int
    /// What describes q to a rule that needs it.
    package var payload: PayloadKind
    /// How several drawn candidates for one position come to be.
    package var siblings: SiblingDraw
    /// Hypotheses that meet again in their last so many tokens are continued once (`ContinuationMemory`); 0 never.
    package var merge: Int
    /// Drafters whose candidates are united.
    package var drafters: Int
    /// Other verifiers of the same target that may score parts of the job's drafts.
    package var helpers: Int
    /// Whether a `JobRecording` is kept of it; tokens do not depend on that.
    package var isRecorded: Bool
    /// τ of a lossy method: how much less likely than to the drafter a block may be to the target; (0, 1].
    package var tau: Double
    /// Sum up ln p of the output; a lossy method, and one with beams, always does.
    package var measuresLikelihood: Bool
    /// Of a method with beams; else the default.
    package var beams: BeamSettings

    package static let tauDefault = LossyMTADRule().threshold

    package init(
        _ method: DecodingMethod, gamma: Int = 0, policy: PolicySpecification = .goodput,
        rule: VerifyRuleKind = .coupled, shape: DraftShape = .chain,
        branches: Int = 0, payload: PayloadKind = .rows, siblings: SiblingDraw = .withoutReplacement, merge: Int = 0,
        drafters: Int = 1, helpers: Int = 0, isRecorded: Bool = false, tau: Double = Speculation.tauDefault,
        measuresLikelihood: Bool = false, beams: BeamSettings = BeamSettings()
    ) {
        self.method = method
        self.gamma = gamma
        self.policy = policy
        self.rule = rule
        self.shape = shape
        self.branches = branches
        self.payload = payload
        self.siblings = siblings
        self.merge = merge
        self.drafters = drafters
        self.helpers = helpers
        self.isRecorded = isRecorded
        self.tau = tau
        self.measuresLikelihood = measuresLikelihood
        self.beams = beams
    }

    /// Whether drafts are draws from q, which the rule divides by. Greedy there is nothing to draw; and what is chosen
    /// by its probability must be proposed as what it is, a function of the text (`TreePlan`).
    package func draws(under sampling: SamplingPolicy) -> Bool {
        guard rule != .coupled, !sampling.isGreedy, branches == 0 else { return false }
        if case .best = shape { return false }
        return true
    }

    /// Whether draft lengths are set for each round by the policy and what is measured.
    package var isPaced: Bool {
        guard gamma == 0, shape == .chain, branches == 0 else { return false }
        // The stream's own choice of drafts is that of `goodput`, draft by draft.
        return method == .speculative || method == .pearl || method == .stream && policy != .goodput
    }

    /// Whether drafts rest where they do not pay (`Governor`). What a job fixes itself is kept, whatever it costs.
    package var isGoverned: Bool {
        if case .fixed = shape { return false }
        // What a lossy method accepts is no sign of what pays, and whoever asks for one asks for more than speed.
        return gamma == 0 && method != .autoregressive && method.keepsText
    }

    /// What is wrong with the policy, in words for the person who chose it.
    package func policyComplaint(under sampling: SamplingPolicy) -> String? {
        guard policy != .goodput else { return nil }
        if method == .autoregressive { return "method autoregressive drafts nothing: a policy means nothing to it" }
        if method.isLossy {
            return "method mtad drafts one beam search of gamma layers a round: give gamma, or no policy"
        }
        if method == .beam { return "method beam drafts nothing: a policy means nothing to it" }
        if method == .dsbd {
            return "method dsbd drafts a forest of gamma layers a round: give gamma, or no policy"
        }
        if gamma > 0 { return "gamma fixes the draft length: give gamma or a policy, not both" }
        if shape != .chain || branches > 0 {
            return "policies decide how long a chain becomes: use tree chain without branches, or no policy"
        }
        return DraftLengthPolicy(policy, key: 0).complaint(draftsAreDrawn: draws(under: sampling))
    }

    /// What does not go together, in words for the person who asked for it; `nil` if it is usable.
    package func complaint(under sampling: SamplingPolicy) -> String? {
        if let complaint = lossyComplaint ?? beamsComplaint(under: sampling) { return complaint }
        if measuresLikelihood && (rule != .coupled && !sampling.isGreedy || helpers > 0) {
            return "likelihoods are read off the rows that choose tokens: use rule coupled without helpers"
        }
        if method == .pearl && (shape != .chain || branches > 0) {
            return "method pearl drafts windows of one chain: use stream or speculative for trees and branches"
        }
        if method == .autoregressive && (shape != .chain || branches > 0 || rule != .coupled) {
            return
                "method autoregressive drafts nothing: use stream, pearl or speculative for rules, trees and branches"
        }
        if case .fixed = shape, branches > 0 {
            return "a static tree is fixed before anything is drawn: use branches with a chain or with --tree best"
        }
        if rule == .block && !sampling.isGreedy {
            if shape != .chain || branches > 0 {
                return "block verification judges chains: use rule rejection or coupled for sampled trees and branches"
            }
            if payload == .scalar {
                return "block verification needs q at every position: use payload rows"
            }
        }
        if let complaint = policyComplaint(under: sampling) { return complaint }
        if siblings == .independent && !method.isLossy {
            guard rule == .rejection, case .fixed = shape else {
                return "independent candidates are draws for a static tree: use rule rejection and a tree such as 4,2,2"
            }
        }
        if merge > 0 {
            if shape == .chain && branches == 0 {
                return "hypotheses of one chain never meet: use merge with a tree or with branches"
            }
            if draws(under: sampling) {
                return
                    "drawn candidates belong to the row they were drawn from: use merge with rule coupled or tree best"
            }
        }
        if rule != .coupled && !sampling.isGreedy && helpers > 0 {
            return "other verifiers score by tokens, and rule \(rule.name) needs laws: use rule coupled, or no helpers"
        }
        if draws(under: sampling) && drafters > 1 {
            return "drawn drafts of several drafters cannot be united: use rule coupled, or one drafter"
        }
        return nil
    }
}

/// How drafts are judged. All of them are lossless.
package enum VerifyRuleKind: UInt32, Sendable, CaseIterable {
    /// `CoupledRule`: the default; one seed, one text.
    case coupled = 0
    /// `RejectionRule`: the target's law.
    case rejection = 1
    /// `BlockRule`: the target's law.
    case block = 2

    package var name: String {
        switch self {
        case .coupled: "coupled"
        case .rejection: "rejection"
        case .block: "block"
        }
    }

    package init?(name: String) {
        guard let found = VerifyRuleKind.allCases.first(where: { $0.name == name }) else { return nil }
        self = found
    }
}

/// What describes q on the wire where a rule needs it (`DraftPayload`).
package enum PayloadKind: UInt32, Sendable, CaseIterable {
    /// Every row of q, as integer weights.
    case rows = 0
    /// One number for each group of siblings; the row is fetched at the first rejection.
    case scalar = 1

    package var name: String {
        switch self {
        case .rows: "rows"
        case .scalar: "scalar"
        }
    }

    package init?(name: String) {
        guard let found = PayloadKind.allCases.first(where: { $0.name == name }) else { return nil }
        self = found
    }
}

extension SiblingDraw {
    package static let names = ["distinct", "independent"]

    package var name: String {
        switch self {
        case .withoutReplacement: "distinct"
        case .independent: "independent"
        }
    }

    package init?(name: String) {
        switch name {
        case "distinct": self = .withoutReplacement
        case "independent": self = .independent
        default: return nil
        }
    }
}

/// Which drafts are proposed.
package enum DraftShape: Sendable, Hashable, CustomStringConvertible {
    /// One token after the other.
    case chain
    /// A static tree.
    case fixed(TreeShape)
    /// A tree that grows where it is most probable, up to so many drafts (0: as many as pay), each node with at most
    /// `width` children.
    case best(nodesMax: Int, width: Int)
    /// All drafts of a beam search of so many beams, or the path of the likeliest one alone (`DraftBeams`).
    case beams(width: Int, onePath: Bool)
    /// A tree for each beam of the target, so many draws a layer in all of them together (`DraftForest`). No person
    /// writes it: it goes with its method.
    case forest(draws: Int)

    package static let widthMax = 16
    private static let widthDefault = 4

    /// Reads `chain`, `4,2,2,1`, `best`, `best:16` (drafts) or `best:16x4` (drafts and width).
    package init(parsing text: String) throws(TreeShapeError) {
        guard text != "chain" else {
            self = .chain
            return
        }
        if let beams = try Self.beams(parsing: text) {
            self = beams
            return
        }
        guard text.hasPrefix("best") else {
            self = .fixed(try TreeShape(parsing: text))
            return
        }
        let rest = text.dropFirst("best".count)
        guard !rest.isEmpty else {
            self = .best(nodesMax: 0, width: Self.widthDefault)
            return
        }
        let parts = rest.dropFirst().split(separator: "x", omittingEmptySubsequences: false).map { Int($0) }
        guard rest.first == ":", parts.count <= 2, let nodes = parts[0], (1...TreeShape.nodesMax).contains(nodes),
            let width = parts.count == 2 ? parts[1] : Self.widthDefault, (1...Self.widthMax).contains(width)
        else {
            throw TreeShapeError(
                "'\(text)' is no tree: give 'best', 'best:16' for at most 16 drafts, or 'best:16x4' for at most 4 "
                    + "below one node (1 to \(TreeShape.nodesMax) drafts, 1 to \(Self.widthMax) below one)")
        }
        self = .best(nodesMax: nodes, width: width)
    }

    /// Reads `beams`, `beams:8`, `path` and `path:8`; `nil` if it is none of these.
    private static func beams(parsing text: String) throws(TreeShapeError) -> DraftShape? {
        for (name, onePath) in [("beams", false), ("path", true)] where text.hasPrefix(name) {
            let rest = text.dropFirst(name.count)
            if rest.isEmpty { return .beams(width: widthDefault, onePath: onePath) }
            guard rest.first == ":", let width = Int(rest.dropFirst()), (1...widthMax).contains(width) else {
                throw TreeShapeError(
                    "'\(text)' is no beam search: give '\(name)', or '\(name):8' for 8 beams (1 to \(widthMax))")
            }
            return .beams(width: width, onePath: onePath)
        }
        return nil
    }

    /// What method mtad drafts unless it is told otherwise.
    package static let beamsDefault = DraftShape.beams(width: widthDefault, onePath: false)

    package var description: String {
        switch self {
        case .chain: "chain"
        case .beams(let width, let onePath): "\(onePath ? "path" : "beams"):\(width)"
        case .fixed(let shape): shape.description
        case .forest(let draws): "forest:\(draws)"
        case .best(0, Self.widthDefault): "best"
        case .best(let nodes, let width): nodes == 0 ? "best" : "best:\(nodes)x\(width)"
        }
    }
}
