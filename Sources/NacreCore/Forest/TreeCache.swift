/// Which sequence of a drafter's KV cache holds which node of its tree, while the tree grows pass by pass.
///
/// The *trunk* is the sequence of the committed text. A node goes on in its parent's sequence if it is the first to
/// come there; else a *branch* begins: a free sequence that shares the parent's cells (`CacheEdit.fork`). When the text
/// grows along a branch, that branch becomes the trunk, and nothing is copied.
///
/// Sequence ids come from the drafter's pool and go back to it with the edits that free them.
package struct TreeCache: Sendable {
    private struct Track: Sendable {
        /// Positions `0 ..< valid` hold the text and the nodes that they are believed to hold.
        var valid: Position
        /// Positions `0 ..< filled` are in the engine's cache, or will be when the pass in flight ends.
        var filled: Position
        /// Positions that are cached before the pass that is being planned: what can be forked in it.
        var before: Position = 0
    }

    /// The sequence of the committed text.
    package private(set) var trunk: SequenceID
    private var tracks: [SequenceID: Track]
    /// For each node of the growing tree its sequence; `nil` if it is not cached.
    private var places: [SequenceID?] = []

    package init(trunk: SequenceID) {
        self.trunk = trunk
        tracks = [trunk: Track(valid: 0, filled: 0)]
    }

    /// Positions of the committed text that are cached, up to `length`.
    package func cached(upTo length: Position) -> Position { min(track(trunk).valid, length) }

    /// Positions that are in the cache, true or not.
    package var filled: Position { track(trunk).filled }

    /// The sequences in use besides the trunk, rising.
    package var branches: [SequenceID] { tracks.keys.filter { $0 != trunk }.sorted() }

    package func isCached(_ node: NodeIndex) -> Bool { node.rawValue < places.count && places[node.rawValue] != nil }

    private func track(_ sequence: SequenceID) -> Track { tracks[sequence] ?? Track(valid: 0, filled: 0) }

    // MARK: - A pass

    /// A pass is about to be planned.
    package mutating func beginPass() {
        tracks = tracks.mapValues { Track(valid: $0.valid, filled: $0.filled, before: $0.valid) }
    }

    /// Where a node lies.
    package enum Placement: Sendable, Equatable {
        case at(SequenceID)
        /// It needs a branch, and what that begins with is evaluated in this very pass.
        case later
        /// It needs a branch, and none is free.
        case full
    }

    /// Puts the next `count` tokens of the committed text on the trunk.
    package mutating func extend(by count: Int, edits: inout [CacheEdit]) {
        rewindIfNeeded(trunk, &edits)
        let end = track(trunk).valid + count
        tracks[trunk] = Track(valid: end, filled: end, before: track(trunk).before)
    }

    /// Finds a place for a node whose parent is cached (the trunk for a child of the root, which stands on all of the
    /// committed text), and takes a branch from `free` if it needs one.
    ///
    package mutating func place(
        _ node: NodeIndex, in tree: DraftTree, free: inout [SequenceID], edits: inout [CacheEdit]
    ) -> Placement {
        let position = tree.position(of: node)
        let above = tree[node].parent.flatMap { places[$0.rawValue] } ?? trunk
        var sequence = above
        if track(above).valid > position {
            guard track(above).before >= position else { return .later }
            guard let branch = free.popLast() else { return .full }
            edits.append(.fork(above, to: branch, length: position))
            sequence = branch
        } else {
            rewindIfNeeded(above, &edits)
        }
        tracks[sequence] = Track(valid: position.next, filled: position.next, before: track(sequence).before)
        while places.count < tree.count { places.append(nil) }
        places[node.rawValue] = sequence
        return .at(sequence)
    }

    /// The next pass that appends to `sequence` drops what is in the way.
    private mutating func rewindIfNeeded(_ sequence: SequenceID, _ edits: inout [CacheEdit]) {
        let track = track(sequence)
        guard track.filled > track.valid else { return }
        edits.append(.rewind(sequence, length: track.valid))
        tracks[sequence]?.filled = track.valid
    }

    /// Nothing is cached any more that can be relied on. The trunk keeps its id.
    package mutating func reset(releases: inout [CacheEdit], free: inout [SequenceID]) {
        for branch in branches { release(branch, &releases, &free) }
        releases.append(.release(trunk))
        tracks[trunk] = Track(valid: 0, filled: 0)
        places = []
    }

    private mutating func cut(_ sequence: SequenceID, to length: Position) {
        let valid = min(track(sequence).valid, length)
        tracks[sequence]?.valid = valid
    }

    // MARK: - The text goes on

    /// The text grew along `path`, nodes of the tree before the commit from the root's child down.
    ///
    /// - Parameters:
    ///   - moved: for each node its index in the tree after the commit.
    ///   - releases: takes the edits that free the branches left behind, and `free` their ids.
    package mutating func commit(
        path: [NodeIndex], moved: [NodeIndex?], of tree: DraftTree, releases: inout [CacheEdit],
        free: inout [SequenceID]
    ) {
        let reached = path.last { isCached($0) }
        let winner = reached.flatMap { places[$0.rawValue] } ?? trunk
        let end = reached.map { tree.position(of: $0).next } ?? tree.root
        var kept: [SequenceID?] = []
        for (old, new) in moved.enumerated() where new != nil && old < places.count {
            while kept.count <= (new?.rawValue ?? 0) { kept.append(nil) }
            kept[new?.rawValue ?? 0] = places[old]
        }
        let alive = Set(kept.compactMap(\.self)).union([winner])
        for sequence in tracks.keys.sorted() where !alive.contains(sequence) {
            release(sequence, &releases, &free)
        }
        // What lies behind the text on its own sequence stays only if it is a node that is still there.
        if !kept.contains(winner) { cut(winner, to: end) }
        trunk = winner
        places = kept
    }

    /// The text left the tree behind its first `length` positions: all drafts are void.
    package mutating func abandon(
        keeping length: Position, path: [NodeIndex], of tree: DraftTree, releases: inout [CacheEdit],
        free: inout [SequenceID]
    ) {
        commit(path: path, moved: Array(repeating: nil, count: tree.count), of: tree, releases: &releases, free: &free)
        cut(trunk, to: length)
    }

    /// The row of the text's last token is wanted again.
    package mutating func repeatLast(of length: Position) { cut(trunk, to: length + (-1)) }

    /// Frees everything.
    package mutating func releaseAll(releases: inout [CacheEdit], free: inout [SequenceID]) {
        for sequence in tracks.keys.sorted() { release(sequence, &releases, &free) }
        places = []
    }

    private mutating func release(
        _ sequence: SequenceID, _ releases: inout [CacheEdit], _ free: inout [SequenceID]
    ) {
        tracks[sequence] = nil
        releases.append(.release(sequence))
        free.append(sequence)
    }
}

extension TreeCache {
    /// What one sequence is believed to hold, for audits.
    package struct Content: Sendable, Equatable {
        package let sequence: SequenceID
        package let tokens: [TokenID]
        /// Positions in the cache, of which those beyond `tokens` are void.
        package let filled: Int
    }

    /// The contents of all sequences in use.
    package func contents(text: [TokenID], tree: DraftTree) -> [Content] {
        tracks.keys.sorted().map { sequence in
            let deepest = tree.indices.last { $0.rawValue < places.count && places[$0.rawValue] == sequence }
            let tokens = text + tree.tokens(to: deepest)
            let track = track(sequence)
            return Content(
                sequence: sequence, tokens: Array(tokens.prefix(track.valid.rawValue)), filled: track.filled.rawValue)
        }
    }
}
