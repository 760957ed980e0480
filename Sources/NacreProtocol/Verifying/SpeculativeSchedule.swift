import NacreCore

/// Vanilla speculative decoding (Leviathan et al. 2023, Algorithm 1; Chen et al. 2023): draft, then verify in one pass,
/// in turn. Of a chain γ tokens are drafted; of a tree (SpecInfer, Miao et al. 2024) all that its shape says. The
/// pass's last row gives the bonus token.
package struct SpeculativeSchedule: Sendable, Equatable {
    package let gamma: Int
    package let shape: DraftShape

    package init(gamma: Int, shape: DraftShape = .chain) {
        self.gamma = gamma
        self.shape = shape
    }

    package func turn(_ view: DraftView) -> Turn {
        guard shape == .chain else { return view.isExhausted || view.remaining == 1 ? .all : .wait }
        // γ is capped at remaining − 1: the pass itself yields one token more.
        let wanted = min(gamma, view.remaining - 1)
        return view.spine >= wanted || view.isExhausted ? .spine(min(wanted, view.verifiable)) : .wait
    }

    package var positionsAhead: Int {
        if case .fixed(let shape) = shape { shape.depth } else { gamma }
    }
}
