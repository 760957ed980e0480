// After the verdict: only the winner's cells stay.
extension PathCover {
    /// What the next pass does to the cache before anything else, and what the job's sequence then holds.
    ///
    /// It belongs in the very next pass, whether the job has a part in that or not: then no branch is alive when cells
    /// are given out or compacted, other than those of that pass.
    package struct Settlement: Sendable, Hashable {
        /// One if a side branch won, none if the spine did.
        package var adoptions: [BranchAdoption]
        /// Forgets every branch, the winner too: its ids are free for the nodes of the same pass.
        package var releases: [CacheEdit]
        /// Positions `0 ..< valid` of the job's sequence are committed tokens. If the spine won, its rejected drafts
        /// may follow (`CacheCursor.settle`).
        package var valid: Position

        package init(adoptions: [BranchAdoption], releases: [CacheEdit], valid: Position) {
            self.adoptions = adoptions
            self.releases = releases
            self.valid = valid
        }
    }

    /// The edits that keep the path to `node`, the last accepted draft, and nothing else; `nil` if none was accepted.
    ///
    /// All accepted drafts are cached then, and the token that the target chose itself is the next to evaluate: the
    /// rest state I1 (ALGORITHMS 0.2).
    package func settle(accepting node: NodeIndex?) -> Settlement {
        let place = node.flatMap { node in drafts.firstIndex { $0.node == node } }
        precondition(node == nil || place != nil, "an accepted draft that was not in the pass")
        let releases = branches.map { CacheEdit.release($0) }
        let valid = place.map { drafts[$0].position.next } ?? start + lead.count
        guard let place, !drafts[place].sequences.contains(owner) else {
            return Settlement(adoptions: [], releases: releases, valid: valid)
        }
        // From the first draft on that the job's own sequence does not have.
        var fork = drafts[place].position
        var next = parents[place]
        while let above = next, !drafts[above].sequences.contains(owner) {
            fork = drafts[above].position
            next = parents[above]
        }
        let adoption = BranchAdoption(branch: drafts[place].sequences[0], owner: owner, positions: fork..<valid)
        return Settlement(adoptions: [adoption], releases: releases, valid: valid)
    }
}
