import Foundation

/// How much of what they could do the tests do.
package enum Thoroughness {
    /// `NACRE_THOROUGH=1`, which `make test-thorough` sets. It is read here and nowhere else.
    package static let isFull = ProcessInfo.processInfo.environment["NACRE_THOROUGH"] == "1"
}

extension Sequence {
    /// All elements where tests are thorough; else those at the places that `isTaken` names, which have every way in
    /// them, though not every way with every other.
    package func covering(_ isTaken: (Int) -> Bool) -> [Element] {
        enumerated().filter { Thoroughness.isFull || isTaken($0.offset) }.map(\.element)
    }
}
