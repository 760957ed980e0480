/// Doubling pauses between tries, in microseconds. Deterministic: whoever needs jitter adds its own.
package struct Backoff: Sendable, Equatable {
    private let initial: Int
    private let limit: Int
    private var current: Int

    package init(initial: Int, limit: Int) {
        self.initial = initial
        self.limit = limit
        current = initial
    }

    /// The pause before the next try; the one after it will be twice as long, up to the limit.
    package mutating func next() -> Int {
        defer { current = min(limit, current * 2) }
        return current
    }

    /// A try succeeded.
    package mutating func reset() { current = initial }
}
