/// One of the texts that a job with beams ended with.
package struct AnswerDocument: Codable, Sendable, Equatable {
    package var text: String
    package var tokens: [UInt32]
    /// The sum of ln p over its tokens under the target, temperature applied and nothing else, in nats.
    package var logLikelihood: Double
    /// The same per token: what answers are ranked by.
    package var meanLogLikelihood: Double
    /// It ends the text; else the budget cut it.
    package var ended: Bool
    /// How many of the beams drawn came to it.
    package var copies: Int

    package init(text: String, tokens: [UInt32], logLikelihood: Double, ended: Bool, copies: Int) {
        self.copies = copies
        self.text = text
        self.tokens = tokens
        self.logLikelihood = logLikelihood
        meanLogLikelihood = logLikelihood / Double(max(1, tokens.count))
        self.ended = ended
    }
}
