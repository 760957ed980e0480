import NacreCore

/// How long numbered questions to a peer take to be answered: the way there and back.
struct RoundTrip: Sendable {
    /// Answers that count: the fastest of them, since a peer that was busy is no longer way.
    private static let memory = 8

    private var asked: (number: UInt64, at: Instant)?
    private var answers: [Int] = []

    mutating func ask(_ number: UInt64, at now: Instant) { asked = (number, now) }

    /// An answer to anything but the last question says nothing.
    mutating func answer(to number: UInt64, at now: Instant) {
        guard let asked, asked.number == number else { return }
        self.asked = nil
        answers = answers.suffix(Self.memory - 1) + [max(1, now - asked.at)]
    }

    /// 0 before the first answer.
    var microseconds: UInt32 { UInt32(clamping: answers.min() ?? 0) }
}
