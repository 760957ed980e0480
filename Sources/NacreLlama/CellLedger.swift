package import NacreCore

/// Which cell of the KV cache belongs to whom, in the order in which the cells were given out.
///
/// **Why.** Attention adds up a sequence's cells in the order in which they lie in the cache. Addition of floats is
/// not associative, so a sequence whose cells are not in position order has other last bits than one decoded alone,
/// and the promise "speculative output = plain output, bit for bit" is broken. libllama gives out the first free cells
/// it finds; after one job's tokens were rejected, another job's next tokens would land in the gap, before its own
/// prefix.
///
/// **How.** Cells are only ever given back at the end. What libllama 0.3.36 then does (`find_slot`, `seq_rm`): with no
/// gap below its head, it takes the cells after the head in the order of the batch; removing the newest cells moves
/// the head back to the first of them. So new cells are always behind all others, and a sequence's cells, which came
/// in position order, stay in it. The ledger keeps the same log as libllama does and sorts out removals:
///
/// - cells at the end of the log are really removed (`.remove`);
/// - others are buried (`.bury`): they stay occupied, owned by a sequence that nobody evaluates. Attention skips
///   them, since they are masked for everyone else;
/// - when the last live cell goes, everything is cleared (`.clear`).
///
/// Dead cells cost room and a little scanning. When they are many, or in the way, the owner rebuilds: it takes out
/// the state of each live sequence, clears the cache and puts them back one after the other, in order. While there is
/// only one sequence, nothing is ever buried.
///
/// With `isAppendOnly` false (an inexact engine, a model without cells) all removals are direct.
package struct CellLedger {
    /// What the owner must do to the cache, in this order.
    package enum Step: Equatable {
        /// Remove the positions from `from` on.
        case remove(SequenceID, from: Position)
        /// Hand these positions to the graveyard.
        case bury(SequenceID, Range<Position>)
        /// Empty the whole cache.
        case clear
    }

    /// Whether a batch fits.
    package enum Room: Equatable { case now, afterRebuild, never }

    /// Neighbouring cells of one sequence, or dead ones.
    private struct Run: Equatable {
        /// `nil`: dead.
        var sequence: SequenceID?
        /// The first position; without meaning for dead cells.
        var first: Int
        var count: Int
    }

    private let cells: Int
    private let liveMax: Int
    private let deadMin: Int
    private let isAppendOnly: Bool
    private var log: [Run] = []
    private var lengths: [Int]
    /// Cells of sequences.
    package private(set) var live = 0
    /// Cells occupied by nobody.
    package private(set) var dead = 0

    /// - Parameters:
    ///   - cells: the size of the cache.
    ///   - liveMax: cells that sequences may have together; the rest is slack for dead ones.
    ///   - deadMin: below this many dead cells a rebuild is not worth it, unless room is needed.
    package init(cells: Int, liveMax: Int, sequences: Int, deadMin: Int, isAppendOnly: Bool) {
        precondition(liveMax <= cells, "\(liveMax) live cells in a cache of \(cells)")
        self.cells = cells
        self.liveMax = liveMax
        self.deadMin = deadMin
        self.isAppendOnly = isAppendOnly
        lengths = Array(repeating: 0, count: sequences)
    }

    /// Positions that `sequence` has.
    package func length(_ sequence: SequenceID) -> Position { Position(rawValue: lengths[Int(sequence.rawValue)]) }

    /// Drops the positions of `sequence` from `length` on and adds what that means for the cache to `steps`.
    package mutating func rewind(_ sequence: SequenceID, to length: Position, into steps: inout [Step]) {
        let old = lengths[Int(sequence.rawValue)]
        guard length.rawValue < old else { return }
        lengths[Int(sequence.rawValue)] = length.rawValue
        live -= old - length.rawValue
        guard isAppendOnly else {
            steps.append(.remove(sequence, from: length))
            return
        }
        if live == 0 {
            clear()
            steps.append(.clear)
            return
        }
        let kept = Position(rawValue: old - pop(sequence, downTo: length.rawValue))
        if kept < Position(rawValue: old) { steps.append(.remove(sequence, from: kept)) }
        if length < kept {
            bury(sequence, from: length.rawValue)
            steps.append(.bury(sequence, length..<kept))
        }
    }

    /// Whether `count` more cells can be had.
    package func room(for count: Int) -> Room {
        guard live + count <= liveMax else { return .never }
        if live + dead + count <= cells { return .now }
        return .afterRebuild
    }

    /// Whether so many cells are dead that a rebuild pays.
    package var isLittered: Bool { dead > max(deadMin, live / 2) }

    /// Writes down that the next cell went to `sequence`.
    package mutating func append(_ sequence: SequenceID) {
        let position = lengths[Int(sequence.rawValue)]
        lengths[Int(sequence.rawValue)] += 1
        live += 1
        guard isAppendOnly else { return }
        if let last = log.last, last.sequence == sequence {
            log[log.count - 1].count += 1
        } else {
            log.append(Run(sequence: sequence, first: position, count: 1))
        }
    }

    /// The sequences that have cells.
    package var liveSequences: [SequenceID] {
        lengths.indices.filter { lengths[$0] > 0 }.map { SequenceID(rawValue: Int32($0)) }
    }

    /// Writes down that the cache was rebuilt: the live sequences one after the other, no dead cells.
    package mutating func rebuilt() {
        dead = 0
        log = liveSequences.map { Run(sequence: $0, first: 0, count: lengths[Int($0.rawValue)]) }
    }

    /// Writes down that the cache was emptied.
    package mutating func clear() {
        for sequence in lengths.indices { lengths[sequence] = 0 }
        log.removeAll(keepingCapacity: true)
        live = 0
        dead = 0
    }

    /// Takes cells of `sequence` off the end of the log, not below position `floor`; returns how many.
    private mutating func pop(_ sequence: SequenceID, downTo floor: Int) -> Int {
        guard let last = log.last, last.sequence == sequence else { return 0 }
        let kept = max(0, floor - last.first)
        if kept == 0 { log.removeLast() } else { log[log.count - 1].count = kept }
        // A run before this one belongs to someone else, or it would be the same run.
        return last.count - kept
    }

    /// Marks the cells of `sequence` from position `floor` on as dead.
    private mutating func bury(_ sequence: SequenceID, from floor: Int) {
        var index = log.count - 1
        while index >= 0 {
            let run = log[index]
            if run.sequence == sequence {
                let kept = max(0, floor - run.first)
                guard kept < run.count else { break }
                dead += run.count - kept
                log[index] = Run(sequence: nil, first: 0, count: run.count - kept)
                if kept > 0 {
                    log.insert(Run(sequence: sequence, first: run.first, count: kept), at: index)
                    break
                }
                if run.first <= floor { break }
            }
            index -= 1
        }
        mergeDead()
    }

    /// Joins neighbouring dead runs, so that the log grows with the live sequences only.
    private mutating func mergeDead() {
        var merged: [Run] = []
        merged.reserveCapacity(log.count)
        for run in log {
            if run.sequence == nil, let last = merged.last, last.sequence == nil {
                merged[merged.count - 1].count += run.count
            } else {
                merged.append(run)
            }
        }
        log = merged
    }
}
