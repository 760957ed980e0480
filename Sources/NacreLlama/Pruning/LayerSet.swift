import NacreCore

/// Some layers of a model, from the first: what is kept of a target in a drafter made from it.
package struct LayerSet: Sendable, Hashable, CustomStringConvertible {
    /// Why a list is not one of layers of the model, and what to write.
    package struct Refusal: Error, Sendable {
        package let message: String
        package let remedy: String
    }

    /// At least one number, rising, below `count`.
    package let layers: [Int]
    /// Layers of the whole model.
    package let count: Int

    /// Most layers that libllama knows; the check of a header refuses more.
    static let countMax = 512

    /// - Parameter layers: rising, from 0 below `count`, at least one.
    /// - Throws: for another list.
    package init(_ layers: [Int], of count: Int) throws(Refusal) {
        let remedy = "name layers from 0 to \(count - 1), rising, each once"
        guard !layers.isEmpty else { throw Refusal(message: "no layer is kept", remedy: remedy) }
        if let wrong = layers.first(where: { !(0..<count).contains($0) }) {
            throw Refusal(message: "there is no layer \(wrong) among \(count)", remedy: remedy)
        }
        for (one, next) in zip(layers, layers.dropFirst()) where one >= next {
            let words = one == next ? "layer \(one) is named twice" : "layer \(next) is named after \(one)"
            throw Refusal(message: words, remedy: remedy)
        }
        self.layers = layers
        self.count = count
    }

    /// Reads a list as people write it, `0-3,7`.
    ///
    /// - Throws: for what is no list, or none of these layers in their order.
    package init(_ text: String, of count: Int) throws(Refusal) {
        var layers: [Int] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
            guard (1...2).contains(ends.count), let first = ends.first ?? nil, let last = ends.last ?? nil,
                // Bounds a range before it is made.
                last < Self.countMax, first <= last
            else {
                throw Refusal(
                    message: "'\(text)' is no list of layers",
                    remedy: "write it as 0-3,7: layers from 0 to \(count - 1), rising")
            }
            layers += first...last
        }
        try self.init(layers, of: count)
    }

    /// Whether these are the first layers of the model and none behind them: an early exit.
    package var isPrefix: Bool { layers.last == layers.count - 1 }

    /// `0-3,7`: runs of neighbours with a dash.
    package var description: String { layers.runs }
}
