/// The engine's batch-shape noise: how far a margin moves when only the shape of the pass differs.
///
/// It is measured on plain decoding alone, each prompt by itself and again beside the others: where the same token
/// stands after the same context in both outputs, only the passes differ. A divergence whose margin lies within it is a
/// tie that rounding tipped; any other is a defect of the method. No method under test has a part in the measurement: a
/// defect that moves margins would excuse itself.
package struct Noise: Sendable, Equatable, CustomStringConvertible {
    /// The largest difference of two margins of one token, in nats; 0 if all are equal bit for bit.
    package private(set) var nats: Float = 0
    /// Tokens compared.
    package private(set) var tokens = 0

    package init() {}

    /// Takes in two plain outputs of one prompt, with their margins in nats.
    package mutating func compare(_ one: [UInt32], _ margins: [Float?], _ other: [UInt32], _ otherMargins: [Float?]) {
        let common = zip(one, other).prefix { $0 == $1 }.count
        for case (let margin?, let otherMargin?) in zip(margins, otherMargins).prefix(common) {
            nats = max(nats, abs(margin - otherMargin))
            tokens += 1
        }
        // Outputs that part have shown a noise as large as the lead that it overcame.
        if common < min(one.count, other.count), common < margins.count, let lead = margins[common] {
            nats = max(nats, lead)
        }
    }

    /// Without noise not even a tie may tip: the rule that breaks it is the same.
    package func explains(_ divergence: Divergence) -> Bool {
        divergence.margin.map { nats > 0 && $0 <= nats } ?? false
    }

    package var description: String { "the noise of \(Figures.decimal(Double(nats), digits: 6)) nats" }
}
