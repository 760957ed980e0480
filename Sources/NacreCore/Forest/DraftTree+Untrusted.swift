/// Why nodes that a peer sent do not make a tree. No honest drafter causes one.
package enum DraftTreeFault: Error, Sendable, Hashable, CustomStringConvertible {
    /// As many parents as tokens, and no or as many probabilities.
    case uneven(parents: Int, tokens: Int, probabilities: Int)
    case tooManyNodes(Int, max: Int)
    case tooDeep(node: Int, max: Int)
    /// A node has more children than are allowed.
    case tooWide(node: Int, max: Int)
    /// The parent is the node itself or comes after it.
    case parentNotBefore(node: Int, parent: Int)
    case tokenOutsideVocabulary(node: Int, vocabularySize: Int)
    /// A sibling before it holds the same token.
    case repeatedSibling(node: Int)
    /// Not a number in 0 ... 1.
    case impossibleProbability(node: Int)

    package var description: String {
        switch self {
        case .uneven(let parents, let tokens, let probabilities):
            "\(tokens) draft tokens came with \(parents) parents and \(probabilities) probabilities"
        case .tooManyNodes(let count, let max): "a draft tree of \(count) nodes passes the limit of \(max)"
        case .tooDeep(let node, let max): "draft node \(node) lies deeper than \(max)"
        case .tooWide(let node, let max): "draft node \(node) is more than the \(max)th child of its parent"
        case .parentNotBefore(let node, let parent): "draft node \(node) names node \(parent) as its parent"
        case .tokenOutsideVocabulary(let node, let size):
            "draft node \(node) holds a token outside the vocabulary of \(size)"
        case .repeatedSibling(let node): "draft node \(node) repeats the token of a sibling"
        case .impossibleProbability(let node): "the probability of draft node \(node) is not a number from 0 to 1"
        }
    }
}

extension DraftTree {
    /// What a tree from a peer may be.
    package struct Limits: Sendable, Hashable {
        package var nodesMax: Int
        package var depthMax: Int
        /// Most children of one node. Siblings are compared one by one, so it also bounds the work per node.
        package var widthMax: Int
        package var vocabularySize: Int

        package init(nodesMax: Int, depthMax: Int, widthMax: Int, vocabularySize: Int) {
            self.nodesMax = nodesMax
            self.depthMax = depthMax
            self.widthMax = widthMax
            self.vocabularySize = vocabularySize
        }
    }

    /// Appends nodes from a peer, all or none. Takes time linear in the nodes, at most `widthMax` steps for each.
    ///
    /// - Parameters:
    ///   - parents: for each node its parent's index + 1, counted from the first node of the tree; 0 is the root.
    ///   - probabilities: one for each node, or none if the peer gave none; then all count as 1 and tell nothing.
    package mutating func receive(
        parents: [UInt32], tokens: [TokenID], probabilities: [Double] = [], limits: Limits
    ) throws(DraftTreeFault) {
        guard parents.count == tokens.count, probabilities.isEmpty || probabilities.count == tokens.count else {
            throw .uneven(parents: parents.count, tokens: tokens.count, probabilities: probabilities.count)
        }
        guard tokens.count <= limits.nodesMax - count else {
            throw .tooManyNodes(count + tokens.count, max: limits.nodesMax)
        }
        var grown = self
        for offset in tokens.indices {
            try grown.receive(
                tokens[offset], parent: parents[offset],
                probability: probabilities.isEmpty ? 1 : probabilities[offset], limits)
        }
        self = grown
    }

    private mutating func receive(
        _ token: TokenID, parent number: UInt32, probability: Double, _ limits: Limits
    ) throws(DraftTreeFault) {
        let node = count
        guard number <= node else { throw .parentNotBefore(node: node, parent: Int(number) - 1) }
        let parent = number == 0 ? nil : NodeIndex(rawValue: Int(number) - 1)
        guard depth(of: parent) < limits.depthMax else {
            throw .tooDeep(node: node, max: limits.depthMax)
        }
        guard token.rawValue < limits.vocabularySize else {
            throw .tokenOutsideVocabulary(node: node, vocabularySize: limits.vocabularySize)
        }
        guard (0...1).contains(probability) else { throw .impossibleProbability(node: node) }
        var siblings = 0
        for sibling in children(of: parent) {
            siblings += 1
            guard self[sibling].token != token else { throw .repeatedSibling(node: node) }
        }
        guard siblings < limits.widthMax else { throw .tooWide(node: node, max: limits.widthMax) }
        append(token, under: parent, probability: probability)
    }
}
