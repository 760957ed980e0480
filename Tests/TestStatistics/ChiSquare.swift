import RealModule

/// The p-value of Pearson's chi-square test of `counts` against the law `expected`.
///
/// Outcomes with fewer than 8 expected samples are pooled; an outcome of probability 0 that occurs yields 0.
package func chiSquarePValue<Outcome: Hashable>(counts: [Outcome: Int], expected: [Outcome: Double]) -> Double {
    let total = Double(counts.values.reduce(0, +))
    guard counts.keys.allSatisfy({ (expected[$0] ?? 0) > 0 }) else { return 0 }
    var statistic = 0.0
    var cells = 0
    var pooled = (observed: 0.0, expected: 0.0)
    func cell(_ observed: Double, _ expected: Double) {
        statistic += (observed - expected) * (observed - expected) / expected
        cells += 1
    }
    for (outcome, probability) in expected where probability > 0 {
        let observed = Double(counts[outcome] ?? 0)
        if probability * total < 8 {
            pooled.observed += observed
            pooled.expected += probability * total
        } else {
            cell(observed, probability * total)
        }
    }
    if pooled.expected > 0 { cell(pooled.observed, pooled.expected) }
    return upperIncompleteGamma(Double(cells - 1) / 2, statistic / 2)
}

/// Q(a, x), the regularised upper incomplete gamma function: the series for P below a + 1, the continued fraction
/// for Q above (Abramowitz and Stegun 6.5.29 and 6.5.31).
package func upperIncompleteGamma(_ a: Double, _ x: Double) -> Double {
    if x <= 0 { return 1 }
    let scale = Double.exp(-x + a * Double.log(x) - Double.logGamma(a))
    if x < a + 1 {
        var term = 1 / a
        var sum = term
        var n = a
        while term > sum * 1e-16 {
            n += 1
            term *= x / n
            sum += term
        }
        return 1 - sum * scale
    }
    // Modified Lentz.
    var b = x + 1 - a
    var c = 1e300
    var d = 1 / b
    var h = d
    for i in 1...10_000 {
        let numerator = -Double(i) * (Double(i) - a)
        b += 2
        d = 1 / (numerator * d + b)
        c = b + numerator / c
        h *= d * c
        if abs(d * c - 1) < 1e-15 { break }
    }
    return h * scale
}
