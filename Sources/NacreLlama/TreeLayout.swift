import NacreCore

/// Which sequences each node of a pass lies in, as libllama wants to be told.
///
/// To libllama, sequences that share a node must have had the same positions before the batch, and must be named from
/// their first node in the batch on. In an `EnginePass` a branch may begin further down, as a copy of a sequence that
/// the batch has lengthened already: then it lies in those nodes too.
struct TreeLayout {
    /// A branch and the sequence that it begins as a copy of; in an order in which that one is there already.
    private(set) var beginnings: [(branch: SequenceID, source: SequenceID)] = []
    /// For each node all sequences whose path it is on.
    private(set) var holders: [SequenceSet] = []

    init(_ nodes: [ForestNode]) {
        var begun = SequenceSet()
        holders.reserveCapacity(nodes.count)
        for node in nodes {
            for branch in node.branches where !begun.contains(branch) {
                begun.insert(branch)
                beginnings.append((branch, node.sequence))
                for index in holders.indices where holders[index].contains(node.sequence) {
                    holders[index].insert(branch)
                }
            }
            var own = SequenceSet(node.branches)
            own.insert(node.sequence)
            holders.append(own)
        }
    }
}
