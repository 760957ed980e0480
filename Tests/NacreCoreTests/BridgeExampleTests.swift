import NacreCore
import Testing

/// Acceptance of the bridges on tables that can be worked out by hand (ALGORITHMS 5.2 and 5.3).
@Suite struct BridgeExampleTests {
    @Test("SLRS and SLEM on strings over {a, b}, for a target of a, b, ab and ba")
    func strings() throws {
        let text = AlignedText(.pieces(["a", "b", "ab", "ba"]), .pieces(["a", "b"]))
        let rule = try StringLevelRejectionSampling(target: text.target, draft: text.draft)
        // Behind an a come a or b by .3 and .7, else by .6 and .4.
        let psi = try rule.law { $0.last == 0 ? distribution(0.3, 0.7) : distribution(0.6, 0.4) }.probabilities
        let expected = [0.6 * 0.3, 0.4 * 0.4, 0.6 * 0.7, 0.4 * 0.6]
        #expect(zip(psi, expected).allSatisfy { abs($0 - $1) < 1e-12 }, "\(psi)")
        let p = [0.4, 0.3, 0.2, 0.1]
        let slrs = zip(p, psi).reduce(0) { $0 + min($1.0, $1.1) }
        let slem = zip(p, psi).reduce(0) { $0 + $1.0 * $1.1 }
        // .18 + .16 + .2 + .1, and .4 · .18 + .3 · .16 + .2 · .42 + .1 · .24.
        #expect(abs(slrs - 0.64) < 1e-12 && abs(slem - 0.228) < 1e-12)
    }

    @Test("TLI renormalises over what both have: Σ min(p, q/Z), against Σ min(p, q) on the union")
    func intersection() throws {
        let text = AlignedText(.pieces(["a", "b", "c", "ab"]), .pieces(["c", "x", "a", "b"]))
        // In the drafter's order.
        let q = distribution(0.1, 0.2, 0.4, 0.3)
        let p = [0.45, 0.25, 0.1, 0.2]
        #expect(abs(text.intersection.mass(of: q) - 0.8) < 1e-12)
        let projected = try #require(text.intersection.project(q)?.probabilities)
        #expect(zip(projected, [0.5, 0.375, 0.125, 0]).allSatisfy { abs($0 - $1) < 1e-12 }, "\(projected)")
        let tli = zip(p, projected).reduce(0) { $0 + min($1.0, $1.1) }
        let union = zip(p, projected).reduce(0) { $0 + min($1.0, $1.1 * 0.8) }
        // .45 + .25 + .1, and .4 + .25 + .1.
        #expect(abs(tli - 0.8) < 1e-12 && abs(union - 0.75) < 1e-12)
    }
}
