/// Which sequences of a KV cache hold the beams of one job, from pass to pass.
///
/// The text before the beams lies in the *trunk*, which this never changes; every beam lies in a *branch*, which shares
/// the cells of all that it has in common with the others. What is cached of a text is named by a *stem*: the first so
/// many positions of a sequence. A stem stays true while its sequence grows, so that a text may have several
/// continuations: one goes on in the sequence itself, each other in a fork.
///
///     cache.keep(stems, free: &free, edits: &pass.edits)                  // what became of beams that fell
///     let branch = cache.open(stem, claims: stems, …)                     // a sequence that ends where the stem does
///     cache.extend(branch, by: 1)                                         // and the node that goes there
///
/// Edits come before a pass's nodes, so a stem must have been evaluated in an earlier pass.
package struct BeamCache: Sendable {
    /// The first `length` positions of `sequence`.
    package struct Stem: Sendable, Hashable {
        package var sequence: SequenceID
        package var length: Position

        package init(sequence: SequenceID, length: Position) {
            self.sequence = sequence
            self.length = length
        }
    }

    package let trunk: SequenceID
    /// For each branch in use the positions that are in the engine's cache, or will be when the pass in flight ends.
    private var filled: [SequenceID: Position] = [:]
    /// The same after the edits of the pass in flight, before its nodes.
    private var edited: [SequenceID: Position] = [:]
    /// Branches that the pass being planned goes on in.
    private var taken: Set<SequenceID> = []

    package init(trunk: SequenceID) { self.trunk = trunk }

    /// The branches in use, rising.
    package var branches: [SequenceID] { filled.keys.sorted() }

    /// Positions of a branch that are in the cache.
    package func filled(_ branch: SequenceID) -> Position { filled[branch] ?? 0 }

    /// A pass is about to be planned.
    package mutating func beginPass() { taken = [] }

    /// Frees the branches of which no stem is kept.
    package mutating func keep(
        _ stems: some Sequence<Stem>, free: inout [SequenceID], edits: inout [CacheEdit]
    ) {
        let kept = Set(stems.map(\.sequence))
        for branch in branches where !kept.contains(branch) {
            filled[branch] = nil
            edited[branch] = nil
            edits.append(.release(branch))
            free.append(branch)
        }
    }

    /// A branch that ends where `stem` does, and that no other stem goes on in.
    ///
    /// - Parameter claims: stems that must stay true, `stem` may be among them.
    /// - Returns: `nil` if it takes a fork and no sequence is free.
    package mutating func open(
        _ stem: Stem, claims: some Sequence<Stem>, free: inout [SequenceID], edits: inout [CacheEdit]
    ) -> SequenceID? {
        var branch = stem.sequence
        let isInTheWay = claims.contains { $0.sequence == branch && $0.length > stem.length }
        if branch == trunk || taken.contains(branch) || filled(branch) > stem.length && isInTheWay {
            guard let fork = free.popLast() else { return nil }
            if stem.length > 0 { edits.append(.fork(branch, to: fork, length: stem.length)) }
            branch = fork
        } else if filled(branch) > stem.length {
            edits.append(.rewind(branch, length: stem.length))
        }
        taken.insert(branch)
        filled[branch] = stem.length
        edited[branch] = stem.length
        return branch
    }

    /// The pass adds so many nodes at a branch's end.
    package mutating func extend(_ branch: SequenceID, by count: Int) { filled[branch] = filled(branch) + count }

    /// The pass begins this branch by itself, as a copy of another (`ForestNode.branches`).
    package mutating func begin(_ branch: SequenceID, length: Position) { filled[branch] = length }

    /// The pass in flight was evaluated.
    package mutating func conclude() { edited = filled }

    /// The pass in flight was refused whole, but for its edits.
    package mutating func retract() { filled = edited }

    /// Frees everything but the trunk.
    package mutating func releaseAll(free: inout [SequenceID], edits: inout [CacheEdit]) {
        keep([], free: &free, edits: &edits)
    }
}
