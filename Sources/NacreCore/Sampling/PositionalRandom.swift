import RealModule

/// The noise of one stream, as a pure function of where and for what it is used: batching, retries and failover
/// cannot change a token (ALGORITHMS 9.4).
///
///     let noise = PositionalRandom(key: request.key)
///     let score = logit / temperature + noise.gumbel(at: request.index, token: 17)
///
/// `index` is always the logical index of the generated token, never a cache slot (I5).
package struct PositionalRandom: Sendable, Hashable {
    /// What a uniform decides. Two lanes never share a number: one uniform used for two checks biases the output
    /// (the defect of ALGORITHMS 2.3-1).
    package enum Lane: UInt32, Sendable, Hashable, CaseIterable {
        // Tag 0 belongs to the Gumbel noise.
        /// The drafter's draw of a token.
        case draft = 1
        /// The test of a drafted token.
        case accept
        /// The target's own token: the correction after a rejection, the bonus after full acceptance.
        case correction
        /// The tests of a block, numbered by `sibling`, at the index of the block's first token.
        case block
        /// What a draft-length policy draws, numbered by `index`: no token is at that place.
        case policy
        /// Which of several beams is kept, at the index behind their last token.
        case beam
    }

    private static let gumbelTag: UInt32 = 0

    private let key: SIMD2<UInt32>

    /// The noise of the stream that `key` names.
    package init(key: StreamKey) {
        self.key = SIMD2(UInt32(truncatingIfNeeded: key.rawValue), UInt32(truncatingIfNeeded: key.rawValue >> 32))
    }

    /// A uniform number in (0, 1), both ends excluded; `sibling` tells several candidates for one position apart,
    /// `epoch` (below 2²⁴) repeated draws there.
    package func uniform(at index: Int, lane: Lane, sibling: Int = 0, epoch: Int = 0) -> Double {
        let tag = lane.rawValue | UInt32(truncatingIfNeeded: epoch) << 8
        let block = Philox.block(counter: Self.counter(index, UInt32(truncatingIfNeeded: sibling), tag), key: key)
        return Self.uniform(bits: Self.bits(block, odd: false))
    }

    /// The standard Gumbel noise of a token at `index`, within −3.61 ... 36.74.
    package func gumbel(at index: Int, token: TokenID) -> Double {
        Self.gumbel(bits: bits(at: index, token: token.rawValue))
    }

    // MARK: - Bits

    /// The 52 random bits behind `gumbel(at:token:)`. One Philox block serves two neighbouring tokens.
    @inline(__always)
    func bits(at index: Int, token: UInt32) -> UInt64 {
        let block = Philox.block(counter: Self.counter(index, token >> 1, Self.gumbelTag), key: key)
        return Self.bits(block, odd: token & 1 == 1)
    }

    /// The 32 leading bits of the 52 of sixteen tokens from `first`, a multiple of 16: those of the even tokens and
    /// those of the odd ones.
    @inline(__always)
    func leadingBitsOfSixteen(at index: Int, first: UInt32) -> (even: SIMD8<UInt32>, odd: SIMD8<UInt32>) {
        let words = Philox.leadingWordsOfEight(counter: Self.counter(index, first >> 1, Self.gumbelTag), key: key)
        return (words.first, words.third)
    }

    @inline(__always)
    private static func counter(_ index: Int, _ item: UInt32, _ tag: UInt32) -> SIMD4<UInt32> {
        SIMD4(item, tag, UInt32(truncatingIfNeeded: index), UInt32(truncatingIfNeeded: index >> 32))
    }

    @inline(__always)
    private static func bits(_ block: SIMD4<UInt32>, odd: Bool) -> UInt64 {
        let high = odd ? block[2] : block[0]
        let low = odd ? block[3] : block[1]
        return UInt64(high) << 20 | UInt64(low >> 12)
    }

    /// u = (r + ½) / 2⁵² for 52 bits r: exact in a Double and never 0 or 1. A half-step at 53 bits could round to 1.
    @inline(__always)
    private static func uniform(bits: UInt64) -> Double { (Double(bits) + 0.5) * 0x1p-52 }

    /// G = −ln E with E = −ln(1 − u). `log1p` keeps small u, the noise's upper tail, at full precision.
    @inline(__always)
    package static func gumbel(bits: UInt64) -> Double { -Double.log(-Double.log(onePlus: -uniform(bits: bits))) }
}
