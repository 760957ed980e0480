import NacreCore
import NacreProtocol

/// What will happen, in order of time; events of one instant happen in the order they were scheduled.
struct EventQueue<Event> {
    private struct Entry {
        var time: Int
        var number: Int
        var event: Event

        func precedes(_ other: Entry) -> Bool { (time, number) < (other.time, other.number) }
    }

    /// A binary heap.
    private var entries: [Entry] = []
    private var nextNumber = 0

    var nextTime: Instant? { entries.first.map { Instant(rawValue: $0.time) } }

    mutating func schedule(_ event: Event, at time: Instant) {
        entries.append(Entry(time: time.rawValue, number: nextNumber, event: event))
        nextNumber += 1
        var child = entries.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard entries[child].precedes(entries[parent]) else { break }
            entries.swapAt(child, parent)
            child = parent
        }
    }

    mutating func popFirst() -> (time: Instant, event: Event)? {
        guard let first = entries.first else { return nil }
        entries[0] = entries[entries.count - 1]
        entries.removeLast()
        var parent = 0
        while 2 * parent + 1 < entries.count {
            var child = 2 * parent + 1
            if child + 1 < entries.count, entries[child + 1].precedes(entries[child]) { child += 1 }
            guard entries[child].precedes(entries[parent]) else { break }
            entries.swapAt(child, parent)
            parent = child
        }
        return (Instant(rawValue: first.time), first.event)
    }
}
