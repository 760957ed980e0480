/// The same draft length in every round.
///
/// - Source: Leviathan et al. 2023, algorithm 1. Default 4; Hugging Face drafts 20 (older releases 5), llama.cpp 3
///   (older 16).
package struct FixedLength: DraftPolicy {
    package static let manual = PolicyManual(
        .fixed, "a draft length that never changes",
        [PolicyParameter("gamma", 4, 1...64, isWhole: true, "drafts of a round")])

    private let gamma: Int

    package init(_ parameters: PolicyParameters, key: StreamKey) { gamma = parameters.whole("gamma") }

    package func draftLength(_ conditions: RoundConditions) -> Int { gamma }
}
