/// The same draft length in every round.
///
/// - Source: Leviathan et al. 2023, algorithm 1. Default 4; Hugging Face drafts 20 (older releases 5), llama.cpp 3
///   (older 16).
package struct FixedLength: DraftPolicy {
    package static let manual = PolicyManual(
        .fixed, "a draft length that never changes",
        [
            PolicyParameter(
                "gamma", 4, 0...Double(PolicyManual.draftsMax), isWhole: true, "drafts of a round; 0 turns drafts off")
        ])

    private let gamma: Int

    package init(_ parameters: PolicyParameters, key: StreamKey) { gamma = parameters.whole("gamma") }

    package func draftLength(_ conditions: RoundConditions) -> Int { gamma }
}
