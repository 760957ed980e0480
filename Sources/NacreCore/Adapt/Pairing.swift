import RealModule

/// What a drafter promises the jobs of a verifier, both as they run: the rule of `PlacementQuestion` for whoever can
/// choose between nodes and not between cores.
package struct Pairing: Sendable, Hashable {
    /// t_p(1) and t_q, with what else the drafter has to do; 2d; in microseconds.
    package let passMicroseconds, draftMicroseconds, roundTripMicroseconds: Double
    /// Share of drafts taken to stand.
    package let alpha: Double
    /// Whether the two take turns, because they have the same cores or the method has it so.
    package let isInTurns: Bool
    /// Tokens per second of a job at the best draft length over those of plain decoding.
    package let gain: Double

    /// - Parameters:
    ///   - model: of the two.
    ///   - sharesMemory: on one host, where passes and drafts that overlap slow each other down.
    package init(_ model: ThroughputModel, isInTurns: Bool, sharesMemory: Bool) {
        let best = isInTurns ? model.inTurns : model.overlapped
        let disturbance = sharesMemory && !isInTurns ? PlacementQuestion.disturbance : 1
        (passMicroseconds, draftMicroseconds) = (model.cost.microseconds(nodes: 1), model.draftMicroseconds)
        roundTripMicroseconds = 2 * model.delayMicroseconds
        (alpha, self.isInTurns) = (model.alpha, isInTurns)
        gain = best.tokensPerSecond / disturbance / model.autoregressive
    }

    /// What a drafter is taken to promise of which nothing is known: what a job has without one. It comes behind those
    /// that promise more, and before those that promise less.
    package static let unknownGain = 1.0

    /// How many steps of what a drafter must promise over another (`PlacementQuestion.gainMin`) one of this gain is
    /// below the best one there is; less is within what measurements at a start waver by.
    package static func grade(of gain: Double, below best: Double) -> Int {
        guard gain > 0, best.isFinite, best > gain else { return gain > 0 ? 0 : Self.gradeMax }
        return Int(min(Double(Self.gradeMax), Double.log(best / gain) / Double.log(PlacementQuestion.gainMin)))
    }

    private static let gradeMax = 1_000
}

extension Pairing: CustomStringConvertible {
    /// For people, for instance "1.31 times plain decoding expected overlapped: a pass 42.1 ms, a draft 2.6 ms, ...".
    package var description: String {
        func figure(_ value: Double, per step: Double = 10) -> String { "\((value * step).rounded() / step)" }
        let times = [
            "a pass \(figure(passMicroseconds / 1_000)) ms", "a draft \(figure(draftMicroseconds / 1_000)) ms",
            "the way and back \(figure(roundTripMicroseconds / 1_000)) ms", "acceptance \(figure(alpha, per: 100))",
        ]
        return "\(figure(gain, per: 100)) times plain decoding expected \(isInTurns ? "in turns" : "overlapped"): "
            + times.joined(separator: ", ")
    }
}
