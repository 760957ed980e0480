/// A static tree: how many children every node of each depth has. `4,2,2,1` is four first drafts, two after each of
/// them, two after each of those, and one more: 4 + 8 + 16 + 16 = 44 nodes.
///
/// The shape is fixed before anything is drawn, so it is legal under every verify rule (ALGORITHMS 0.5).
package struct TreeShape: Sendable, Hashable, CustomStringConvertible {
    /// Nodes of the largest tree.
    package static let nodesMax = 256
    package static let depthMax = 64

    /// Children of the root, then of each of its children, and so on; all at least 1.
    package let widths: [Int]
    /// Nodes of the whole tree, the root not counted.
    package let nodes: Int

    /// A shape with these widths.
    package init(_ widths: [Int]) throws(TreeShapeError) {
        guard !widths.isEmpty else { throw TreeShapeError("a tree shape needs at least one width") }
        guard widths.count <= Self.depthMax else {
            throw TreeShapeError("a tree shape of \(widths.count) levels is too deep: give at most \(Self.depthMax)")
        }
        var level = 1
        var nodes = 0
        for (depth, width) in widths.enumerated() {
            guard width >= 1 else {
                throw TreeShapeError("width \(width) on level \(depth + 1) of a tree shape: it must be at least 1")
            }
            // Kept within bounds on every level, so that the products cannot overflow.
            guard width <= Self.nodesMax, nodes + level * width <= Self.nodesMax else {
                throw TreeShapeError(
                    "the tree \(Self.text(widths)) has more than \(Self.nodesMax) nodes by level \(depth + 1): "
                        + "make it narrower or shallower")
            }
            level *= width
            nodes += level
        }
        self.widths = widths
        self.nodes = nodes
    }

    /// Reads `4,2,2,1`; blanks around the numbers are allowed.
    package init(parsing text: some StringProtocol) throws(TreeShapeError) {
        var widths: [Int] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let trimmed = part.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()
            let number = String(trimmed)
            guard let width = Int(number) else {
                let found = number.isEmpty ? "nothing" : "'\(number)'"
                throw TreeShapeError(
                    "'\(text)' is no tree shape: \(found) stands where the width of level \(widths.count + 1) should: "
                        + "give the children per node of each level, as in 4,2,2,1")
            }
            widths.append(width)
        }
        try self.init(widths)
    }

    /// γ drafts in a row.
    package static func chain(_ gamma: Int) throws(TreeShapeError) -> TreeShape {
        try TreeShape(Array(repeating: 1, count: min(max(0, gamma), depthMax + 1)))
    }

    package var depth: Int { widths.count }
    package var description: String { Self.text(widths) }

    private static func text(_ widths: [Int]) -> String { widths.map(String.init).joined(separator: ",") }
}

/// Why a tree shape cannot be used, and what would do.
package struct TreeShapeError: Error, Sendable, Hashable, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}
