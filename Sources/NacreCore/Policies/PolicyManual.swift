/// What people are told about a policy.
package struct PolicyManual: Sendable, Hashable {
    /// No round of a chain is longer.
    package static let draftsMax = 32

    package let name: PolicySpecification.Name
    package let summary: String
    /// In the order in which they are explained, with the bounds that all policies have at the end.
    package let parameters: [PolicyParameter]
    /// Whether it decides in the drafter, for each token, or once per round.
    package let decidesPerToken: Bool

    init(
        _ name: PolicySpecification.Name, _ summary: String, _ parameters: [PolicyParameter],
        decidesPerToken: Bool = false, draftsMax: Int = PolicyManual.draftsMax
    ) {
        self.name = name
        self.summary = summary
        self.decidesPerToken = decidesPerToken
        let bounds = 0...Double(PolicyManual.draftsMax)
        self.parameters =
            parameters + [
                PolicyParameter(
                    "min", 0, bounds, isWhole: true, "drafts before the rule may stop a round", llama: "draft-n-min"),
                PolicyParameter(
                    "max", Double(draftsMax), 1...Double(PolicyManual.draftsMax), isWhole: true,
                    "drafts at which every round ends", llama: "draft-n-max"),
            ]
    }

    /// The parameter that a user calls `name`, by our name or llama.cpp's.
    func parameter(_ name: some StringProtocol) -> PolicyParameter? {
        parameters.first { $0.name == name || $0.llama.map { $0 == name } ?? false }
    }
}

/// One parameter of a policy.
package struct PolicyParameter: Sendable, Hashable, CustomStringConvertible {
    package let name: String
    package let initial: Double
    package let range: ClosedRange<Double>
    package let isWhole: Bool
    package let meaning: String
    /// llama.cpp's name for the same, without the leading `--spec-`.
    package let llama: String?

    init(
        _ name: String, _ initial: Double, _ range: ClosedRange<Double>, isWhole: Bool = false, _ meaning: String,
        llama: String? = nil
    ) {
        self.name = name
        self.initial = initial
        self.range = range
        self.isWhole = isWhole
        self.meaning = meaning
        self.llama = llama
    }

    /// `lambda (0 to 1, default 0.25)`.
    package var description: String {
        "\(name) (\(isWhole ? "whole, " : "")\(Self.text(range.lowerBound)) to \(Self.text(range.upperBound)), "
            + "default \(Self.text(initial)))"
    }

    /// The shortest text that reads back as `value`; whole numbers without a point.
    static func text(_ value: Double) -> String {
        let text = "\(value)"
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }
}

/// The values of one policy's parameters: what was given, and defaults.
package struct PolicyParameters: Sendable {
    private let values: [String: Double]

    init(_ values: [String: Double]) { self.values = values }

    package subscript(_ name: String) -> Double {
        guard let value = values[name] else { preconditionFailure("no parameter \(name) among \(values.keys)") }
        return value
    }

    package func whole(_ name: String) -> Int { Int(self[name]) }
}
