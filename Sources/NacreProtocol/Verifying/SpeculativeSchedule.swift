/// Vanilla speculative decoding (Leviathan et al. 2023, Algorithm 1; Chen et al. 2023): draft γ tokens, then verify
/// them in one pass of γ + 1, in turn. The pass's last row gives the bonus token.
package struct SpeculativeSchedule: Sendable, Equatable {
    package let gamma: Int

    package init(gamma: Int) { self.gamma = gamma }

    package func turn(_ view: ChainView) -> Turn {
        // γ is capped at remaining − 1: the pass itself yields one token more.
        let wanted = min(gamma, view.remaining - 1)
        return view.unjudged >= wanted || view.isExhausted ? .exactly(min(wanted, view.verifiable)) : .wait
    }
}
