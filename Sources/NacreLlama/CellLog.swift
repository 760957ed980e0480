import NacreCore

/// The cells of a cache in the order in which they lie there, as runs; `CellLedger` says what for.
///
/// Every walk is linear in the runs: one for each job's part in each pass at worst, until a rebuild joins them.
struct CellLog {
    /// Neighbouring cells of the same sequences at neighbouring positions, or dead ones.
    private struct Run {
        /// Empty: dead, or a gap.
        var holders: SequenceSet
        /// One that held the cells before the edits of this pass; none: dead since before.
        var origin: SequenceID?
        /// The first position; without meaning for dead cells.
        var first: Int
        var count: Int

        /// Without an owner since these edits.
        var isGap: Bool { holders.isEmpty && origin != nil }
        var isDead: Bool { holders.isEmpty && origin == nil }
        var end: Int { first + count }
    }

    private var runs: [Run] = []

    var liveCount: Int { liveCount(from: 0) }

    func liveCount(from index: Int) -> Int { runs[index...].reduce(0) { $0 + ($1.holders.isEmpty ? 0 : $1.count) } }

    func commonCount(_ sequence: SequenceID, _ other: SequenceID) -> Int {
        runs.reduce(0) { $0 + ($1.holders.contains(sequence) && $1.holders.contains(other) ? $1.count : 0) }
    }

    /// The first gap; an index for the functions that take one.
    var firstGap: Int? { runs.firstIndex(where: \.isGap) }

    func hasDead(from index: Int) -> Bool { runs[index...].contains(where: \.isDead) }

    // MARK: - Changes

    /// The edits of a pass begin: gaps are what they leave.
    mutating func markOrigins() {
        for index in runs.indices { runs[index].origin = runs[index].holders.first }
    }

    mutating func append(_ holders: SequenceSet, at position: Int) {
        if let last = runs.last, last.holders == holders, last.end == position {
            runs[runs.count - 1].count += 1
        } else {
            runs.append(Run(holders: holders, origin: nil, first: position, count: 1))
        }
    }

    /// Takes the cells from position `length` on from `sequence`.
    mutating func drop(_ sequence: SequenceID, from length: Int) {
        for index in runs.indices.reversed() where runs[index].holders.contains(sequence) {
            // Positions fall on the way back: nothing before this is cut.
            guard runs[index].end > length else { return }
            let cut = split(index, at: length)
            runs[cut].holders.remove(sequence)
        }
    }

    /// Gives the cells of these positions of `source` to `target` too.
    mutating func share(_ source: SequenceID, with target: SequenceID, _ positions: Range<Int>) {
        for index in runs.indices.reversed() where runs[index].holders.contains(source) {
            let run = runs[index]
            guard run.end > positions.lowerBound else { return }
            guard run.first < positions.upperBound else { continue }
            _ = split(index, at: positions.upperBound)
            let part = split(index, at: positions.lowerBound)
            runs[part].holders.insert(target)
        }
    }

    /// Cuts a run in two; returns the index of what begins at `position`, the run itself if nothing lies before it.
    private mutating func split(_ index: Int, at position: Int) -> Int {
        let run = runs[index]
        guard run.first < position, position < run.end else { return index }
        runs[index].count = position - run.first
        runs.insert(
            Run(holders: run.holders, origin: run.origin, first: position, count: run.end - position), at: index + 1)
        return index + 1
    }

    /// Cells without an owner at the end are free.
    mutating func removeTail() {
        while let last = runs.last, last.isGap { runs.removeLast() }
    }

    /// All cells without an owner are free.
    mutating func removeGaps() { runs.removeAll(where: \.holders.isEmpty) }

    /// Makes gaps dead cells; returns them by a sequence that held them before the edits.
    mutating func bury(from index: Int) -> [(SequenceID, Range<Position>)] {
        var buried: [(SequenceID, Range<Position>)] = []
        for index in index..<runs.count where runs[index].holders.isEmpty {
            guard let origin = runs[index].origin else { continue }
            buried.append((origin, Position(rawValue: runs[index].first)..<Position(rawValue: runs[index].end)))
            runs[index].origin = nil
        }
        return buried
    }

    /// The live cells from a run on, those of the same sequences together.
    ///
    /// Sequences share their cells from position 0 on, so what exactly these sequences hold are neighbouring positions,
    /// and in the order of the first ones everybody's stay in order.
    func blocks(from index: Int) -> [CellLedger.Block] {
        var bounds: [SequenceSet: Range<Int>] = [:]
        for run in runs[index...] where !run.holders.isEmpty {
            let own = bounds[run.holders] ?? run.first..<run.end
            bounds[run.holders] = min(own.lowerBound, run.first)..<max(own.upperBound, run.end)
        }
        let blocks = bounds.map { holders, positions in
            CellLedger.Block(
                sequences: holders.sequences,
                positions: Position(rawValue: positions.lowerBound)..<Position(rawValue: positions.upperBound))
        }
        return blocks.sorted {
            ($0.positions.lowerBound, $0.sequences[0]) < ($1.positions.lowerBound, $1.sequences[0])
        }
    }

    /// Writes down that the live cells from a run on were put in the order of `blocks`, one after the other.
    mutating func compact(from index: Int) {
        let blocks = blocks(from: index)
        runs.removeSubrange(index...)
        runs += blocks.map {
            Run(
                holders: SequenceSet($0.sequences), origin: nil, first: $0.positions.lowerBound.rawValue,
                count: $0.positions.upperBound - $0.positions.lowerBound)
        }
    }

    /// Joins neighbouring runs, so that the log grows with the live sequences only.
    mutating func merge() {
        var merged: [Run] = []
        merged.reserveCapacity(runs.count)
        for run in runs {
            if let last = merged.last, last.holders == run.holders, run.holders.isEmpty || last.end == run.first {
                merged[merged.count - 1].count += run.count
            } else {
                merged.append(run)
            }
        }
        runs = merged
    }
}
