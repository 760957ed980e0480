import NacreAPI

/// How one method compared with plain decoding over all prompts.
///
/// Where the same token stands after the same context in both outputs, its two margins differ only by what the shape of
/// a pass does to the target's arithmetic. The largest such difference is the noise that this run has measured; a
/// divergence whose margin lies within it is a tie that rounding tipped, any other is a defect.
package struct MethodComparison: Sendable, Codable, Equatable {
    package let method: String
    package var prompts = 0
    package var tokens = 0
    /// Prompts whose output differs.
    package private(set) var divergences = 0
    /// Divergences that the noise does not explain.
    package private(set) var unexplained = 0
    package private(set) var first: Divergence?
    /// The largest difference of two margins of one token after one context, in nats; 0 if all are equal bit for bit.
    package private(set) var noise: Float = 0
    /// Draft tokens accepted and judged, over all prompts.
    package var accepted = 0
    package var judged = 0
    /// Plain decoding's margin at each divergence.
    private var divergentMargins: [Float?] = []

    private enum CodingKeys: String, CodingKey {
        case method, prompts, tokens, divergences, unexplained, first, noise, accepted, judged
    }

    package init(method: String) { self.method = method }

    mutating func add(_ finished: FinishedJob, against plain: FinishedJob, prompt: Int) {
        prompts += 1
        tokens += finished.document.tokens.count
        accepted += finished.document.statistics.accepted
        judged += finished.document.statistics.judged
        compare(
            finished.document.tokens, finished.margins, against: plain.document.tokens, plain.margins, prompt: prompt)
    }

    /// - Parameters:
    ///   - margins: of `tokens`, in nats, as far as there are any.
    ///   - prompt: index of the prompt, from 0.
    package mutating func compare(
        _ tokens: [UInt32], _ margins: [Float?], against plain: [UInt32], _ plainMargins: [Float?], prompt: Int
    ) {
        let common = zip(tokens, plain).prefix { $0 == $1 }.count
        for case (let margin?, let plainMargin?) in zip(margins, plainMargins).prefix(common) {
            noise = max(noise, abs(margin - plainMargin))
        }
        if let divergence = Divergence(prompt: prompt, plain: plain, margins: plainMargins, other: tokens) {
            divergences += 1
            divergentMargins.append(divergence.margin)
            first = first ?? divergence
        }
        unexplained = divergentMargins.count { !isWithinNoise($0) }
    }

    /// Without noise not even a tie may tip: the rule that breaks it is the same.
    private func isWithinNoise(_ margin: Float?) -> Bool { margin.map { noise > 0 && $0 <= noise } ?? false }

    /// "prompt 3, position 17: ..., which led by 0.000021 nats: within the noise of 0.000040 nats"; `nil` without one.
    package var firstSentence: String? {
        guard let first else { return nil }
        let noise = "the noise of \(Figures.decimal(Double(noise), digits: 6)) nats"
        return "\(first.sentence): \(isWithinNoise(first.margin) ? "within" : "not explained by") \(noise)"
    }
}
