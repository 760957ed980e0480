/// What `nacre tune` chooses from: every method, under fixed draft lengths and under each policy as it is by default;
/// those that stop at a bound on each token at a lower and a higher one too, as what suits a pair is not known.
package enum TuningSpace {
    /// Draft lengths are tried as the policy `fixed`, not as a job's own γ: so they are under the governor that keeps
    /// them from being slower than plain decoding, as they will be when jobs get them from the coordinator.
    private static let lengths = [
        "speculative": [1, 2, 3, 4, 6, 8, 12], "pearl": [2, 3, 4, 6, 8], "stream": [2, 4, 8],
    ]
    private static let policies = [
        "heuristic", "ema", "ratio", "svip", "svip:h=0.4", "svip:h=0.8", "adaedl", "adaedl:lambda=0.15",
        "adaedl:lambda=0.4", "thompson", "thompson:worth=0.5", "threshold", "threshold:theta=0.5",
        "threshold:theta=0.7",
    ]

    /// - Parameter methods: those wanted, each at most once.
    package static func variants(methods: [String]) -> [DecodingVariant] {
        // Those that suit most pairs come first: they are what a budget too small for all is spent on.
        let first = methods.map { DecodingVariant(method: $0) }
        let rest = methods.flatMap { method in
            ((lengths[method] ?? []).map { "fixed:gamma=\($0)" } + policies).map {
                DecodingVariant(method: method, policy: $0)
            }
        }
        var trees: [DecodingVariant] = []
        if methods.contains("stream") {
            for branches in [nil, 8] {
                var tree = DecodingVariant(method: "stream")
                (tree.tree, tree.branches) = ("best", branches)
                trees.append(tree)
            }
        }
        return first + trees + rest
    }

    /// The fixed draft length of a variant; `nil` for any other.
    static func length(of variant: DecodingVariant) -> Int? {
        guard let text = variant.policy, text.hasPrefix("fixed:gamma=") else { return nil }
        return Int(text.dropFirst("fixed:gamma=".count))
    }
}
