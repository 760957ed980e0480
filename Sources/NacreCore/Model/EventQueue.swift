/// What will happen, in order of time; events of one time happen in the order they were scheduled.
///
/// Inlinable, because the simulators of other modules live in it.
package struct EventQueue<Time: Comparable, Event> {
    @usableFromInline
    struct Entry {
        @usableFromInline var time: Time
        @usableFromInline var number: Int
        @usableFromInline var event: Event

        @inlinable
        init(time: Time, number: Int, event: Event) {
            self.time = time
            self.number = number
            self.event = event
        }

        @inlinable
        func precedes(_ other: Entry) -> Bool {
            time < other.time || (time == other.time && number < other.number)
        }
    }

    /// A binary heap.
    @usableFromInline var entries: [Entry] = []
    @usableFromInline var nextNumber = 0

    @inlinable
    package init() {}

    @inlinable package var nextTime: Time? { entries.first?.time }

    @inlinable
    package mutating func schedule(_ event: Event, at time: Time) {
        entries.append(Entry(time: time, number: nextNumber, event: event))
        nextNumber += 1
        var child = entries.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard entries[child].precedes(entries[parent]) else { break }
            entries.swapAt(child, parent)
            child = parent
        }
    }

    @inlinable
    package mutating func popFirst() -> (time: Time, event: Event)? {
        guard let first = entries.first else { return nil }
        entries[0] = entries[entries.count - 1]
        entries.removeLast()
        var parent = 0
        while 2 * parent + 1 < entries.count {
            var child = 2 * parent + 1
            if child + 1 < entries.count, entries[child + 1].precedes(entries[child]) { child += 1 }
            guard entries[child].precedes(entries[parent]) else { break }
            entries.swapAt(parent, child)
            parent = child
        }
        return (first.time, first.event)
    }
}
