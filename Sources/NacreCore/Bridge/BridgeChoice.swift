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

    /// Where `auto` takes this bridge by shares of a text, the one that is worth measuring beside it: greedy text by
    /// the other way, sampled text by the same. `nil` where there is none.
    package var rival: BridgeKind? {
        switch self {
        case .tli: .mixed
        case .mixed: .tli
        // For `slem` the drafter lacks half of the text.
        case .none, .slem, .slrs: nil
        }
    }

    /// By how much a rival must be faster: less may be chance, at some hundred positions.
    private static let rivalGainMin = 1.05

    /// Which of these to take, by the tokens per second to be expected; the first is what `auto` takes unmeasured.
    package static func fastest(_ tokensPerSecond: [Double]) -> Int {
        guard let first = tokensPerSecond.first,
            let best = tokensPerSecond.indices.max(by: { tokensPerSecond[$0] < tokensPerSecond[$1] })
        else { return 0 }
        return tokensPerSecond[best] > rivalGainMin * first ? best : 0
    }
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
            "`slrs` takes more than \(max) rows of the drafter for a token here; it is meant for targets of a few "
                + "hundred tokens and drafters that speak in bytes, so use `slem` or `tli`"
        }
    }
}

/// What is known of a pair of vocabularies before anything runs, and the bridge that follows from it.
///
///     var survey = BridgeSurvey(overlap: overlap, intersection: both)
///     survey.observe(target: target.tokens(of: sample), draft: draft.tokens(of: sample))    // no weights needed
///     let bridge = try survey.choice(asked: nil)
package struct BridgeSurvey: Sendable {
    package let overlap: VocabularyOverlap
    package let intersection: TokenLevelIntersection
    private static let sharedMin = 0.95
    private static let sampledSharedMin = 0.5
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

    /// The part of the sample text's tokens that the drafter has; `nil` without a sample.
    package private(set) var textShare: Double?
    /// The part of the drafter's own tokens of it that the target has.
    package private(set) var draftTextShare: Double?

    package init(overlap: VocabularyOverlap, intersection: TokenLevelIntersection) {
        self.overlap = overlap
        self.intersection = intersection
    }

    /// Counts what of a sample text's tokens, in both vocabularies, the other one has; nothing of one that cannot spell
    /// it, and so has none.
    package mutating func observe(target: [TokenID], draft: [TokenID]) {
        if !target.isEmpty { textShare = intersection.share(of: target) }
        if !draft.isEmpty { draftTextShare = intersection.share(ofDraft: draft) }
    }

    /// The bridge to use.
    ///
    /// On `auto`: none if the vocabularies are the same; else by the sample text (without one, by the vocabularies).
    ///
    /// - TLI if nearly all of its tokens are shared, the target's and the drafter's. What the drafter lacks TLI cannot
    ///   propose, and each time it is due that costs a rejection. Where the target lacks what the drafter would say,
    ///   the best shared token is the beginning of something else.
    /// - SLEM if the drafter has less than half of the target's.
    /// - Between these SLEM for greedy text, of which it lacks nothing, at some more passes of the drafter; TLI for
    ///   sampled text, as its drafts are coupled or judged by their probabilities, and those of SLEM are neither.
    ///
    /// - Parameter asked: `nil` is `auto`.
    /// - Throws: `.differentVocabularies` for `none`, `.nothingInCommon` for `tli`, where it cannot work.
    package func choice(asked: BridgeKind?) throws(BridgeRefusal) -> BridgeKind {
        switch asked {
        case nil: break
        case .none?: if !overlap.isSame { throw .differentVocabularies }
        case .tli?, .mixed?: if intersection.count == 0 { throw .nothingInCommon }
        case .slem?, .slrs?: break
        }
        if let asked { return asked }
        if overlap.isSame { return .none }
        if intersection.count == 0 { return .slem }
        let share = textShare ?? overlap.targetShare
        if share < Self.sampledSharedMin { return .slem }
        return min(share, draftTextShare ?? overlap.draftShare) >= Self.sharedMin ? .tli : .mixed
    }
}
