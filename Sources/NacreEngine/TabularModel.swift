package import NacreCore

/// A language model that is a plain function of its context: what the reference engine computes with.
package struct TabularModel: Sendable {
    package let vocabularySize: Int
    /// The token that ends a generation.
    package let endOfGeneration: TokenID
    private let fill: @Sendable (_ context: ArraySlice<TokenID>, _ row: inout [Float]) -> Void

    /// - Parameter fill: writes the logits that follow `context` into `row`, which has `vocabularySize` elements;
    ///   a function of `context` alone.
    package init(
        vocabularySize: Int, endOfGeneration: TokenID,
        fill: @escaping @Sendable (_ context: ArraySlice<TokenID>, _ row: inout [Float]) -> Void
    ) {
        precondition(Int(endOfGeneration.rawValue) < vocabularySize, "\(endOfGeneration) of \(vocabularySize) tokens")
        self.vocabularySize = vocabularySize
        self.endOfGeneration = endOfGeneration
        self.fill = fill
    }

    /// Writes the logits that follow `context` into `row`, which is resized to the vocabulary.
    package func logits(after context: ArraySlice<TokenID>, into row: inout [Float]) {
        if row.count != vocabularySize { row = Array(repeating: 0, count: vocabularySize) }
        fill(context, &row)
    }

    /// A made-up language: the last `order` tokens and `seed` are hashed into a row with a few likely tokens.
    ///
    /// The last id of the vocabulary ends a generation. It is likely in one context of `endEvery` and nearly
    /// impossible in the others, so that greedy and sampled texts end alike.
    package static func hashed(vocabulary: Int, seed: UInt64, order: Int = 3, endEvery: UInt64 = 64) -> TabularModel {
        precondition(vocabulary >= 2 && order >= 0 && endEvery >= 1, "\(vocabulary) tokens, order \(order)")
        return TabularModel(
            vocabularySize: vocabulary, endOfGeneration: TokenID(rawValue: UInt32(vocabulary - 1))
        ) { context, row in
            var hash = ContextHash(context.suffix(order), seed: seed)
            let ends = hash.next() % endEvery == 0
            var bits: UInt64 = 0
            for token in row.indices {
                if token % 4 == 0 { bits = hash.next() }
                let uniform = Float(UInt16(truncatingIfNeeded: bits)) * 0x1p-16
                bits >>= 16
                // The cube leaves a few tokens near the top: about two nats of entropy over 32 tokens.
                row[token] = peak * uniform * uniform * uniform
            }
            row[row.count - 1] = ends ? peak + 2 : -peak
        }
    }

    /// A draft model for this one: in about the share `agreement` of all contexts it gives this model's row, in the
    /// others the row of an unrelated language.
    package func drafter(agreement: Double, seed: UInt64, order: Int = 3) -> TabularModel {
        precondition((0...1).contains(agreement), "agreement \(agreement)")
        let other = TabularModel.hashed(vocabulary: vocabularySize, seed: ~seed, order: order)
        let target = fill
        return TabularModel(vocabularySize: vocabularySize, endOfGeneration: endOfGeneration) { context, row in
            var hash = ContextHash(context.suffix(order), seed: seed)
            if Double(hash.next() >> 11) * 0x1p-53 < agreement {
                target(context, &row)
            } else {
                other.fill(context, &row)
            }
        }
    }

    /// The largest logit of an ordinary token in a hashed language.
    private static let peak: Float = 12
}

/// A stream of numbers determined by a context.
///
/// - Source: the mixer is SplitMix64 of Steele, Lea, Flood, "Fast splittable pseudorandom number generators",
///   OOPSLA 2014.
private struct ContextHash {
    private var state: UInt64

    init(_ context: ArraySlice<TokenID>, seed: UInt64) {
        state = seed
        for token in context { state = next() ^ UInt64(token.rawValue) }
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}
