package import NacreCore

/// Which cell of the KV cache belongs to whom, in the order in which the cells were given out.
///
/// **Why.** Attention adds up a sequence's cells in the order in which they lie in the cache. Addition of floats is
/// not associative, so a sequence whose cells are not in position order has other last bits than one decoded alone,
/// and the promise "speculative output = plain output, bit for bit" is broken. libllama gives out the first free cells
/// it finds; after one job's tokens were rejected, another job's next tokens would land in the gap, before its own
/// prefix, and after a side branch won so would those of its own job.
///
/// **How.** Free cells only ever lie behind all others. What libllama 0.3.36 then does (`find_slot`, `seq_rm`): with no
/// gap below its head, it takes the cells after the head in the order of the batch; removing the newest cells moves
/// the head back to the first of them. So new cells are always behind all others, and a sequence's cells, which came
/// in position order, stay in it. That holds for trees too: nodes come depth first, a branch begins with the cells of
/// the sequence that it copies, and sequences that share cells share them from position 0 on. The ledger keeps the same
/// log as libllama does and sorts out what edits leave without an owner:
///
/// - cells at the end of the log are really removed (`.remove`);
/// - gaps with little behind them, the losers of a tree or of a pass of several jobs, are closed: what lies behind is
///   taken out, all is removed, and it is put back (`.move`, "compaction");
/// - other gaps are filled (`.bury`): their cells stay occupied, owned by a sequence that nobody evaluates. Attention
///   skips them, since they are masked for everyone else;
/// - when the last live cell goes, everything is cleared (`.clear`).
///
/// Dead cells cost room and a little scanning. When they are many, or in the way, the owner rebuilds: it takes out
/// all live cells, clears the cache and puts them back in order.
///
/// With `isAppendOnly` false (an inexact engine, a model without cells) all removals are direct, and the ledger only
/// counts.
package struct CellLedger {
    /// What the owner must do to the cache, in this order.
    package enum Step: Equatable {
        /// Give positions of a sequence to another one too.
        case share(SequenceID, with: SequenceID, Range<Position>)
        /// Remove the positions from `from` on.
        case remove(SequenceID, from: Position)
        /// Give these positions to the graveyard too; the sequence gives them up in a later step.
        case bury(SequenceID, Range<Position>)
        /// Take these cells out, remove them from their sequences, put them back into the first free cells.
        case move([Block])
        /// Empty the whole cache.
        case clear
    }

    /// All cells of the positions that exactly these sequences hold.
    package struct Block: Equatable {
        package var sequences: [SequenceID]
        package var positions: Range<Position>

        package init(sequences: [SequenceID], positions: Range<Position>) {
            self.sequences = sequences
            self.positions = positions
        }
    }

    /// Whether a batch fits.
    package enum Room: Equatable { case now, afterRebuild, never }

    private let cells: Int
    private let liveMax: Int
    private let deadMin: Int
    private let movedMax: Int
    private let isAppendOnly: Bool
    private var log = CellLog()
    private var lengths: [Int]
    /// Cells of sequences; one that several share counts once.
    package private(set) var live = 0
    /// Cells occupied by nobody.
    package private(set) var dead = 0

    /// - Parameters:
    ///   - cells: the size of the cache.
    ///   - liveMax: cells that sequences may have together; the rest is slack for dead ones.
    ///   - deadMin: below this many dead cells a rebuild is not worth it, unless room is needed.
    ///   - movedMax: a gap with more live cells behind it is not closed but filled.
    package init(cells: Int, liveMax: Int, sequences: Int, deadMin: Int, movedMax: Int, isAppendOnly: Bool) {
        precondition(liveMax <= cells, "\(liveMax) live cells in a cache of \(cells)")
        self.cells = cells
        self.liveMax = liveMax
        self.deadMin = deadMin
        self.movedMax = movedMax
        self.isAppendOnly = isAppendOnly
        lengths = Array(repeating: 0, count: sequences)
    }

    /// Positions that `sequence` has.
    package func length(_ sequence: SequenceID) -> Position { Position(rawValue: lengths[Int(sequence.rawValue)]) }

    /// From position 0 on, how many cells the two have in common.
    package func commonLength(_ sequence: SequenceID, _ other: SequenceID) -> Position {
        Position(rawValue: log.commonCount(sequence, other))
    }

    /// Whether `count` more cells can be had.
    package func room(for count: Int) -> Room {
        guard live + count <= liveMax else { return .never }
        if live + dead + count <= cells { return .now }
        return .afterRebuild
    }

    /// Whether so many cells are dead that a rebuild pays.
    package var isLittered: Bool { dead > max(deadMin, live / 2) }

    /// The sequences that have cells.
    package var liveSequences: [SequenceID] {
        lengths.indices.filter { lengths[$0] > 0 }.map { SequenceID(rawValue: Int32($0)) }
    }

    // MARK: - Changes

    /// Performs the adoptions and edits of a pass and adds what they mean for the cache to `steps`.
    ///
    /// - Precondition: they are valid, as `LlamaEngine.check` finds out.
    package mutating func edit(
        _ edits: [CacheEdit], adoptions: [BranchAdoption] = [], into steps: inout [Step]
    ) {
        guard !edits.isEmpty || !adoptions.isEmpty else { return }
        log.markOrigins()
        var direct: [Step] = []
        for adoption in adoptions {
            drop(adoption.owner, from: adoption.positions.lowerBound, into: &direct)
            share(adoption.branch, with: adoption.owner, adoption.positions, into: &direct)
        }
        for edit in edits {
            switch edit {
            case .rewind(let sequence, let length): drop(sequence, from: length, into: &direct)
            case .release(let sequence): drop(sequence, from: 0, into: &direct)
            case .fork(let source, let target, let length): share(source, with: target, 0..<length, into: &direct)
            }
        }
        guard !direct.isEmpty else { return }
        live = log.liveCount
        settle(direct, into: &steps)
        log.merge()
    }

    /// Begins a branch as a copy of a sequence.
    package mutating func begin(_ branch: SequenceID, as source: SequenceID, into steps: inout [Step]) {
        share(source, with: branch, 0..<length(source), into: &steps)
    }

    /// Writes down that the next cell went to these sequences, which end at the same position.
    package mutating func append(_ sequences: SequenceSet) {
        guard let first = sequences.first else { preconditionFailure("a cell for nobody") }
        let position = lengths[Int(first.rawValue)]
        for sequence in sequences.sequences {
            precondition(lengths[Int(sequence.rawValue)] == position, "\(sequence) does not end at \(position)")
            lengths[Int(sequence.rawValue)] = position + 1
        }
        live += 1
        log.append(sequences, at: position)
    }

    /// What a rebuild takes out and puts back, in this order.
    package var blocks: [Block] { log.blocks(from: 0) }

    /// Writes down that the cache was rebuilt: the live blocks one after the other, no dead cells.
    package mutating func rebuilt() {
        dead = 0
        log.compact(from: 0)
        log.merge()
    }

    /// Writes down that the cache was emptied.
    package mutating func clear() {
        for sequence in lengths.indices { lengths[sequence] = 0 }
        log = CellLog()
        live = 0
        dead = 0
    }

    private mutating func drop(_ sequence: SequenceID, from length: Position, into direct: inout [Step]) {
        guard length.rawValue < lengths[Int(sequence.rawValue)] else { return }
        lengths[Int(sequence.rawValue)] = length.rawValue
        log.drop(sequence, from: length.rawValue)
        direct.append(.remove(sequence, from: length))
    }

    private mutating func share(
        _ source: SequenceID, with target: SequenceID, _ positions: Range<Position>, into direct: inout [Step]
    ) {
        guard !positions.isEmpty else { return }
        lengths[Int(target.rawValue)] = positions.upperBound.rawValue
        log.share(source, with: target, positions.lowerBound.rawValue..<positions.upperBound.rawValue)
        direct.append(.share(source, with: target, positions))
    }

    /// Sees to it that no gap is left.
    private mutating func settle(_ direct: [Step], into steps: inout [Step]) {
        guard isAppendOnly else {
            log.removeGaps()
            steps += direct
            return
        }
        guard live > 0 else {
            clear()
            steps.append(.clear)
            return
        }
        log.removeTail()
        guard let gap = log.firstGap else {
            steps += direct
            return
        }
        let behind = log.liveCount(from: gap)
        // Buried cells stay where they are: what is put back would flow around them.
        if behind <= movedMax && !log.hasDead(from: gap) {
            steps += direct + [.move(log.blocks(from: gap))]
            log.compact(from: gap)
        } else {
            for (sequence, positions) in log.bury(from: gap) {
                steps.append(.bury(sequence, positions))
                dead += positions.upperBound - positions.lowerBound
            }
            steps += direct
        }
    }
}
