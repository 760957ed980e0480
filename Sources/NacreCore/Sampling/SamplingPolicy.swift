/// How a next token is drawn from a row of logits: temperature, then top-k, then top-p, then min-p, then
/// renormalisation. `temperature == 0` is greedy: the largest logit, the lowest token id on a tie, and the
/// three filters have no say.
package struct SamplingPolicy: Hashable, Sendable {
    /// Divides the logits; 0 means greedy. Range 0 ... 100.
    package var temperature: Double
    /// Keep the k most probable tokens; 0 keeps all.
    package var topK: Int
    /// Keep the smallest set of most probable tokens whose mass reaches p; 1 keeps all. Range (0, 1].
    package var topP: Double
    /// Drop tokens less probable than `minP` times the most probable; 0 drops none. Range [0, 1].
    package var minP: Double

    package init(temperature: Double, topK: Int = 0, topP: Double = 1, minP: Double = 0) {
        self.temperature = temperature
        self.topK = topK
        self.topP = topP
        self.minP = minP
    }

    package static let greedy = SamplingPolicy(temperature: 0)

    package var isGreedy: Bool { temperature == 0 }

    /// What is wrong with these numbers, in words for the person who wrote them; `nil` if they are usable.
    package var complaint: String? {
        if !(temperature.isFinite && (0...100).contains(temperature)) {
            return "temperature must lie between 0 (greedy) and 100, not \(temperature)"
        }
        if topK < 0 { return "top-k must be 0 (off) or more, not \(topK)" }
        if !(topP > 0 && topP <= 1) { return "top-p must lie above 0 and at most at 1 (off), not \(topP)" }
        if !(minP >= 0 && minP <= 1) { return "min-p must lie between 0 (off) and 1, not \(minP)" }
        return nil
    }
}
