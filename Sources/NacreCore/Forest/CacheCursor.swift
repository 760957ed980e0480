/// How far one KV-cache sequence is filled, and how much of that is still true.
///
/// The engine's cache is edited only between passes, while rollbacks are decided at any time. So a rollback lowers
/// `valid` at once, and the next pass carries the rewind.
package struct CacheCursor: Sendable, Equatable {
    package let sequence: SequenceID
    /// Positions `0 ..< valid` hold the tokens that their owner's context now has.
    package private(set) var valid: Position = 0
    /// Positions `0 ..< filled` are in the engine's cache, or will be when the pass in flight ends.
    package private(set) var filled: Position = 0

    package init(sequence: SequenceID) { self.sequence = sequence }

    /// The context changed at `position`: what is cached from there on is void (ALGORITHMS I3).
    package mutating func cut(to position: Position) {
        valid = min(valid, position)
    }

    /// The edit that the next pass needs before it can append at `valid`; `nil` when the cache ends there already.
    package mutating func rewindIfNeeded() -> CacheEdit? {
        guard filled > valid else { return nil }
        filled = valid
        return .rewind(sequence, length: valid)
    }

    /// A pass that appends `count` tokens at `valid` is on its way.
    package mutating func advance(by count: Int) {
        precondition(filled == valid, "append at \(valid) to a cache filled to \(filled)")
        valid = valid + count
        filled = valid
    }

    /// The next pass gives the empty sequence the first `length` positions of another (`CacheEdit.fork`).
    package mutating func share(_ length: Position) {
        precondition(filled == 0, "a sequence of \(filled) positions takes over \(length) others")
        valid = length
        filled = length
    }

    /// The verdict on a pass with a tree is in, and the next pass will carry its settlement. A side branch that won
    /// leaves the cache as long as it is true; the spine leaves its rejected drafts to the next rewind.
    package mutating func settle(_ settlement: PathCover.Settlement) {
        guard !settlement.adoptions.isEmpty else { return cut(to: settlement.valid) }
        valid = settlement.valid
        filled = settlement.valid
    }

    /// The pass that `advance(by:)` announced was refused whole: nothing of it is in the cache.
    package mutating func retract(to position: Position) {
        valid = min(valid, position)
        filled = min(filled, position)
    }
}
