/// Which layers of a target to try to leave out next: backward elimination, greedy and lazy.
///
/// Each level drops the run of layers whose loss hurts agreement least. Nothing is tried that did worse on an earlier
/// level than the best of this one does: it is taken for granted that a layer is missed no less when others are gone
/// too. Where that is not so the result is a little worse than that of trying everything.
///
/// - Source: lazy evaluation, Minoux, "Accelerated greedy algorithms", 1978. Draft & Verify (Zhang et al. 2024,
///   2309.08168, section 3) searches by Bayesian optimisation.
package struct LayerElimination: Sendable {
    /// The layers that are left, rising.
    package private(set) var kept: [Int]
    /// The agreement without those that were dropped; 1 before the first.
    package private(set) var agreement = 1.0
    /// Layers that go together, as runs that start at multiples of this.
    private let unit: Int
    /// Last known agreement without a unit.
    private var known: [Int: Double] = [:]
    private var tried: Set<Int> = []
    private var best: (unit: Int, agreement: Double)?
    private var pending: Int?

    /// - Parameters:
    ///   - kept: layers to start from, rising.
    ///   - unit: layers that go together, at least 1.
    package init(kept: [Int], unit: Int = 1) {
        precondition(unit >= 1, "units of \(unit) layers")
        self.kept = kept
        self.unit = unit
    }

    /// The layers to try next; `nil` when no more can be dropped. Answer each with `record` before the next.
    ///
    /// - Parameter isAllowed: whether a model can consist of these.
    package mutating func next(where isAllowed: ([Int]) -> Bool = { _ in true }) -> [Int]? {
        while true {
            let promising = units.filter { !tried.contains($0) && isAllowed(without($0)) && !without($0).isEmpty }
                .max { (promise($0), -fromMiddle($0)) < (promise($1), -fromMiddle($1)) }
            if let best, promising.map({ promise($0) <= best.agreement }) ?? true {
                kept = without(best.unit)
                agreement = best.agreement
                tried = []
                self.best = nil
                continue
            }
            pending = promising
            return promising.map(without)
        }
    }

    /// Takes the agreement, 0 to 1, of what `next` gave.
    package mutating func record(_ agreement: Double) {
        guard let unit = pending else { return }
        pending = nil
        known[unit] = agreement
        tried.insert(unit)
        if best.map({ agreement > $0.agreement }) ?? true { best = (unit, agreement) }
    }

    private var units: Set<Int> { Set(kept.map { $0 / unit }) }

    private func without(_ number: Int) -> [Int] { kept.filter { $0 / unit != number } }

    private func promise(_ number: Int) -> Double { known[number] ?? 1 }

    /// The first and the last layers are missed most, as a rule: a search that ends early has tried the others.
    private func fromMiddle(_ number: Int) -> Double {
        let middle = Double(kept.count - 1) / 2
        let place = kept.firstIndex { $0 / unit == number } ?? 0
        // Of two that are as far the later: decided, so that a search can be repeated.
        return abs(Double(place) + Double(unit - 1) / 2 - middle) - Double(number) * 1e-6
    }
}
