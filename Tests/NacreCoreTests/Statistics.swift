import NacreCore
import RealModule

/// The tests' own randomness: SplitMix64, so that no test shares a generator with what it tests.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }

    mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }

    mutating func normal() -> Double {
        (-2 * Double.log(onePlus: -uniform())).squareRoot() * Double.cos(2 * .pi * uniform())
    }
}

/// ½ Σ |a − b| over the union of the outcomes.
func totalVariation<Outcome: Hashable>(_ a: [Outcome: Double], _ b: [Outcome: Double]) -> Double {
    Set(a.keys).union(b.keys).reduce(0) { $0 + abs((a[$1] ?? 0) - (b[$1] ?? 0)) } / 2
}

/// A distribution from weights that are known to be usable.
func distribution(_ weights: Double...) -> Distribution { distribution(weights) }

func distribution(_ weights: [Double]) -> Distribution {
    guard let distribution = Distribution(weights: weights) else { preconditionFailure("weights \(weights)") }
    return distribution
}

/// softmax(logits / T): the law that a row means, computed the plain way.
func softmax(_ logits: [Float], temperature: Double = 1) -> Distribution {
    let largest = Double(logits.max() ?? 0)
    return distribution(logits.map { Double.exp((Double($0) - largest) / temperature) })
}
