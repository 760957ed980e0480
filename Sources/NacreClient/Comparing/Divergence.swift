/// Where one method's output first leaves plain decoding's.
package struct Divergence: Sendable, Codable, Equatable {
    /// Index of the prompt, from 0.
    package let prompt: Int
    /// Index of the output token, from 0.
    package let position: Int
    /// The tokens there; absent where one output ends before the other.
    package let plainToken: UInt32?
    package let token: UInt32?
    /// Best minus second-best score of plain decoding there, in nats; absent where there was no second best.
    package let margin: Float?

    package init(prompt: Int, position: Int, plainToken: UInt32?, token: UInt32?, margin: Float?) {
        self.prompt = prompt
        self.position = position
        self.plainToken = plainToken
        self.token = token
        self.margin = margin
    }

    /// The first difference; `nil` if the outputs are the same.
    package init?(prompt: Int, plain: [UInt32], margins: [Float?], other: [UInt32]) {
        let common = zip(plain, other).prefix { $0 == $1 }.count
        guard common < max(plain.count, other.count) else { return nil }
        self.init(
            prompt: prompt, position: common, plainToken: common < plain.count ? plain[common] : nil,
            token: common < other.count ? other[common] : nil,
            margin: common < margins.count ? margins[common] : nil)
    }

    /// "prompt 3, token 17: 401 instead of 398, which led by 0.0021 nats".
    package var sentence: String {
        func name(_ token: UInt32?) -> String { token.map { "token \($0)" } ?? "the end" }
        let lead = margin.map { ", which led by \(Figures.decimal(Double($0), digits: 6)) nats" } ?? ""
        return "prompt \(prompt + 1), position \(position): \(name(token)) instead of \(name(plainToken))\(lead)"
    }
}
