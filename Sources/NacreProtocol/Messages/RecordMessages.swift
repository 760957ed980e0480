import NacreCore

/// What q was like where a draft was drawn, as a drafter reports it of a job that is recorded. −1 where not known.
package struct DraftMeasure: Sendable, Hashable {
    /// As `TokenStatistics`; the margin may be infinite.
    package var entropy: Float
    package var top: Float
    package var margin: Float
    /// q of the token that was drafted.
    package var probability: Float

    package static let unknown = DraftMeasure(entropy: -1, top: -1, margin: -1, probability: -1)

    package init(entropy: Float, top: Float, margin: Float, probability: Float) {
        self.entropy = entropy
        self.top = top
        self.margin = margin
        self.probability = probability
    }

    init(_ statistics: TokenStatistics, probability: Double) {
        // Rounding must not carry a value out of its range.
        func known(_ value: Double, most: Double = .infinity) -> Float { value >= 0 ? Float(min(value, most)) : -1 }
        entropy = known(statistics.entropy)
        top = known(statistics.topProbability, most: 1)
        margin = known(statistics.margin)
        self.probability = known(probability, most: 1)
    }

    /// What is wrong with it, in words; `nil` if it can be used.
    package var complaint: String? {
        func isKnown(_ value: Float, most: Float) -> Bool { value == -1 || value >= 0 && value <= most }
        guard isKnown(entropy, most: .greatestFiniteMagnitude), isKnown(margin, most: .infinity),
            isKnown(top, most: 1), isKnown(probability, most: 1)
        else { return "has entropy \(entropy), top \(top), margin \(margin), probability \(probability)" }
        return nil
    }
}

/// How one attempt's drafts did, position by position, and what its passes cost. Sent before `JobEnded`, of jobs that
/// are recorded.
package struct JobRecording: Sendable, Equatable {
    /// Whether the drafter's token at a position was the target's, given that all before it were.
    package enum Agreement: UInt8, Sendable, CaseIterable {
        /// No draft for the position was ever held against it.
        case unknown = 0
        case differs = 1
        case agrees = 2
    }

    package struct Position: Sendable, Hashable {
        package var agreement: Agreement
        /// Microseconds since the position before was committed; 0 for the first.
        package var delay: UInt32
        package var measure: DraftMeasure

        package init(_ agreement: Agreement = .unknown, delay: UInt32, measure: DraftMeasure = .unknown) {
            self.agreement = agreement
            self.delay = delay
            self.measure = measure
        }
    }

    /// A pass of so many nodes takes so long.
    package struct Pass: Sendable, Hashable {
        package var nodes: Int
        package var microseconds: Float

        package init(nodes: Int, microseconds: Float) {
            self.nodes = nodes
            self.microseconds = microseconds
        }
    }

    /// With that many a message keeps within `Limits.frameBytesMax`; no job has more output.
    package static let positionsMax = Limits.outputTokensMax

    package var job: JobID
    package var attempt: Attempt
    /// t_p(n), where it was measured; at most `Limits.passTimesMax`.
    package var passes: [Pass]
    /// t_q; 0 if there was no drafter.
    package var draftMicroseconds: Float
    /// 2d.
    package var roundTripMicroseconds: Float
    /// The attempt's, in order.
    package var positions: [Position]

    package init(
        job: JobID, attempt: Attempt, passes: [Pass], draftMicroseconds: Float, roundTripMicroseconds: Float,
        positions: [Position]
    ) {
        self.job = job
        self.attempt = attempt
        self.passes = passes
        self.draftMicroseconds = draftMicroseconds
        self.roundTripMicroseconds = roundTripMicroseconds
        self.positions = positions
    }
}
