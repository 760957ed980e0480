import NacreCore
import NacreEngine

/// An exact engine of which some passes fail, by dice of its own: full before anything is evaluated, or with nobody knows
/// how much of the pass done.
struct FaultyEngine: Engine {
    private(set) var inner: ReferenceEngine
    /// How many of a hundred passes fail.
    private let percent: Int
    private var dice: Dice
    private(set) var faults = 0

    init(_ inner: ReferenceEngine, percent: Int, seed: UInt64) {
        self.inner = inner
        self.percent = percent
        dice = Dice(seed: seed)
    }

    var shape: EngineShape { inner.shape }

    mutating func run(_ pass: EnginePass) throws(EngineError) -> [Score] {
        guard !pass.nodes.isEmpty, dice.next() % 100 < UInt64(percent) else { return try inner.run(pass) }
        faults += 1
        if dice.next() % 2 == 0 {
            _ = try inner.run(EnginePass(edits: pass.edits))
            throw EngineError(.cacheFull, "full, as asked")
        }
        _ = try inner.run(pass)
        throw EngineError(.failed, "failed, as asked")
    }
}
