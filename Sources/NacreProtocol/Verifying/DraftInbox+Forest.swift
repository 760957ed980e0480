package import NacreCore

/// A forest that a drafter may send in one epoch.
package struct ExpectedForest: Sendable {
    /// What has come of it.
    package internal(set) var forest: DraftForest
    package let layersMax: Int
    package let drawsMax: Int

    package init(_ empty: DraftForest, layersMax: Int, drawsMax: Int) {
        forest = empty
        self.layersMax = layersMax
        self.drawsMax = drawsMax
    }
}

// A stream of forests: one for each epoch, and each verdict begins another, since it says which beams there are.
extension DraftInbox {
    /// The stream begins with this forest.
    package mutating func expect(_ forest: ExpectedForest) { self.forest = forest }

    /// A verdict is about to tell the drafter which beams there are.
    /// - Returns: the number to offer in it.
    package mutating func offer(_ next: ExpectedForest, positionLimit: Position) -> Epoch {
        let epoch = offer(committed: next.forest.trees[0].root, positionLimit: positionLimit)
        forests[epoch] = next
        return epoch
    }

    /// The forest for the beams of the last verdict, whole; `nil` while it is on its way.
    package var wholeForest: DraftForest? {
        isExhausted && epoch == lastEpoch ? forest?.forest : nil
    }

    mutating func enterForest() {
        forest = forests[epoch]
        forests = forests.filter { $0.key > epoch }
    }

    /// Takes what a message adds to the forest.
    mutating func takeLayers(_ draft: Draft, _ vocabularySize: Int) throws(ProtocolFault) {
        guard forest != nil else {
            guard draft.layers.isEmpty else { throw ProtocolFault("Draft of a forest in a stream of one text") }
            return
        }
        guard draft.tokens.isEmpty else { throw ProtocolFault("Draft of one text in a stream of forests") }
        // Each verdict begins another: without this an old one would answer it, and nothing more be owed.
        guard draft.epoch == draft.heard else {
            throw ProtocolFault("Draft of forest \(draft.epoch) answers verdict \(draft.heard)")
        }
        for layer in draft.layers {
            guard layer.draws.allSatisfy({ Int($0.token.rawValue) < vocabularySize }) else {
                throw ProtocolFault("Draft holds a token outside the vocabulary of \(vocabularySize)")
            }
            guard var expected = forest else { return }
            do throws(PayloadFault) {
                try expected.forest.receive(layer, drawsMax: expected.drawsMax, layersMax: expected.layersMax)
            } catch {
                throw ProtocolFault("Draft: \(error.description)")
            }
            forest = expected
        }
    }
}
