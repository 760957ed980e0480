/// How a drafter's tokens become the target's.
package enum BridgeKind: String, Sendable, Hashable, CaseIterable, Codable {
    /// One vocabulary: ids are interchangeable, nothing is done.
    case none = "identity"
    /// Token-level intersection.
    case tli
    /// String-level exact match.
    case slem
    /// SLEM for greedy text, TLI for sampled: a draft of SLEM's is not coupled to the target's noise.
    case mixed = "slem+tli"
    /// String-level rejection sampling. Lossless like the others, but only for small vocabularies: never chosen by
    /// `auto`.
    case slrs

    /// What people ask for: `auto`, or a bridge by name.
    package static let names = ["auto"] + allCases.filter { $0 != .none }.map(\.rawValue)
}

/// Why two models cannot be paired in the way that was asked for, with what works.
package enum BridgeRefusal: Error, Sendable, Hashable, CustomStringConvertible {
    case differentVocabularies
    case nothingInCommon
    case nothingToBridge
    case cannotSpell
    case tooManyRows(max: Int)

    package var description: String {
        switch self {
        case .differentVocabularies: "the vocabularies differ: use the bridge `tli` or `slem`, or leave it to `auto`"
        case .nothingInCommon: "the vocabularies have no token in common: use the bridge `slem`"
        case .cannotSpell:
            "one of the tokenizers does not give a text back byte for byte: use the bridge `tli`, if they have tokens "
                + "in common"
        case .nothingToBridge: "the vocabularies are the same: no bridge is needed"
        case .tooManyRows(let max):
            "`slrs` takes more than \(max) rows of the drafter for a token here, as it is for targets of a few hundred "
                + "tokens and drafters that speak in bytes: use `slem` or `tli`"
        }
    }
}

/// What is known of a pair of vocabularies before anything runs, and the bridge that follows from it.
///
///     var survey = BridgeSurvey(overlap: overlap, intersection: both)
///     survey.observe(text: targetTokenizer.tokens(of: sample))             // overlap by mass, no weights needed
///     survey.observe(p: p, q: q)                                           // or at positions of it, with both models
///     let bridge = try survey.choice(asked: nil)
package struct BridgeSurvey: Sendable {
    package let overlap: VocabularyOverlap
    package let intersection: TokenLevelIntersection
    private static let sampledShareMin = 0.5
    /// Prose and code, for the overlap of vocabularies whose text is not known.
    package static let sample = """
        The first request of a session opens a connection; later ones reuse it, so that only one of them waits.
        In 1998 the library had 12,400 readers, most of whom came in the evening and stayed until it closed.

        def load_settings(path, *, default=None):
            \"\"\"Read a JSON file and return its settings as a dictionary.\"\"\"
            if not os.path.exists(path):
                return default or {}
            with open(path, encoding="utf-8") as handle:
                settings = json.load(handle)
            for name, value in sorted(settings.items()):
                if value is None:
                    raise ValueError(f"{name} has no value in {path!r}")
            return settings

        class Stack:
            def __init__(self, items=()):
                self._items = list(items)

            def push(self, item):
                self._items.append(item)
                return len(self._items)
        """

    private var textTokens = 0
    private var textShared = 0.0
    private var positions = 0
    private var mass = 0.0
    private var sums: [BridgeKind: Double] = [:]

    package init(overlap: VocabularyOverlap, intersection: TokenLevelIntersection) {
        self.overlap = overlap
        self.intersection = intersection
    }

    /// Counts the target's tokens of a sample text.
    package mutating func observe(text tokens: [TokenID]) {
        textTokens += tokens.count
        textShared += intersection.share(of: tokens) * Double(tokens.count)
    }

    /// Counts one position of a text: p over the target's ids, q over the drafter's, both after the sampler transform.
    package mutating func observe(p: Distribution, q: Distribution) {
        positions += 1
        mass += intersection.mass(of: q)
        if let projected = intersection.project(q) {
            sums[.tli, default: 0] += zip(p.probabilities, projected.probabilities).reduce(0) { $0 + min($1.0, $1.1) }
        }
        let likeliest = q.likeliest(1).first.flatMap(intersection.targetToken(of:))
        sums[.slem, default: 0] += likeliest.map { p[$0] } ?? 0
        if overlap.isSame {
            sums[.none, default: 0] += zip(p.probabilities, q.probabilities).reduce(0) { $0 + min($1.0, $1.1) }
        }
    }

    /// The part of the sample text's tokens that the drafter has; `nil` without a sample.
    package var textShare: Double? { textTokens == 0 ? nil : textShared / Double(textTokens) }
    /// Mean Z, the drafter's probability of tokens that the target has; `nil` without rows.
    package var draftMass: Double? { positions == 0 ? nil : mass / Double(positions) }

    /// The probability that a drafted token is accepted, by the rows observed; `nil` without rows.
    ///
    /// `none`, `tli`: Σ min(p, q'), as rejection sampling accepts; coupling accepts a little less. `slem`: p of the
    /// likeliest draft, a lower bound, as texts of several drafted tokens are not followed up.
    package func predictedAcceptance(_ kind: BridgeKind) -> Double? {
        positions == 0 ? nil : sums[kind].map { $0 / Double(positions) }
    }

    /// The bridge to use.
    ///
    /// On `auto`: none if the vocabularies are the same; with rows, the better of TLI and SLEM by predicted acceptance;
    /// else TLI if the drafter has at least `shareMin` of the sample text's tokens (without a sample: of the target's
    /// vocabulary). A token that TLI cannot propose costs a rejection each time it is due, so below that share SLEM,
    /// which lacks none, goes further: it costs some more passes of the drafter. Of sampled text that is so only below
    /// a half, since the drafts of TLI are coupled or judged by their probabilities, and those of SLEM are not.
    ///
    /// - Parameter asked: `nil` is `auto`.
    /// - Throws: `.differentVocabularies` for `none`, `.nothingInCommon` for `tli`, where it cannot work.
    package func choice(asked: BridgeKind?, shareMin: Double = 0.95) throws(BridgeRefusal) -> BridgeKind {
        switch asked {
        case nil: break
        case .none?: if !overlap.isSame { throw .differentVocabularies }
        case .tli?, .mixed?: if intersection.count == 0 { throw .nothingInCommon }
        case .slem?, .slrs?: break
        }
        if let asked { return asked }
        if overlap.isSame { return .none }
        if intersection.count == 0 { return .slem }
        if let tli = predictedAcceptance(.tli), let slem = predictedAcceptance(.slem) {
            return tli >= slem ? .tli : .slem
        }
        let share = textShare ?? overlap.targetShare
        return share >= shareMin ? .tli : share >= Self.sampledShareMin ? .mixed : .slem
    }
}
