import NacreCore
import Testing

/// The children of one node by what their drafter said of them.
private func judged(_ probabilities: Double...) -> [(node: NodeIndex, probability: Double)] {
    probabilities.enumerated().map { (NodeIndex(rawValue: $0), $1) }
}

@Suite("What a drafter's confidence is worth")
struct ConfidenceTests {
    private let tree: DraftTree = {
        var tree = DraftTree(root: 0)
        let first = tree.append(1, under: nil, probability: 0.9)
        tree.append(2, under: nil, probability: 0.05)
        tree.append(3, under: first, probability: 0.9)
        return tree
    }()

    @Test("before any verdict the drafter is trusted, within bounds")
    func prior() {
        let fresh = ConfidenceCalibration()
        #expect(abs(fresh.acceptance(probability: 0.4, isFirst: true) - 0.4) < 1e-12)
        #expect(fresh.acceptance(probability: 1, isFirst: true) == 0.9)
        #expect(fresh.acceptance(probability: 0, isFirst: false) == 0.01)
    }

    @Test("a drafter that overstates its probabilities gains nothing", arguments: [0.2, 0.5, 0.8])
    func learns(rate: Double) {
        var calibration = ConfidenceCalibration()
        var random = SplitMix(seed: UInt64(rate * 100))
        for _ in 0..<2_000 {
            calibration.record(children: judged(0.95), accepted: random.uniform() < rate ? 0 : nil)
        }
        #expect(abs(calibration.acceptance(probability: 0.95, isFirst: true) - rate) < 0.15)
        // Other confidences and later siblings learn by themselves.
        #expect(abs(calibration.acceptance(probability: 0.35, isFirst: true) - 0.35) < 1e-12)
        #expect(abs(calibration.acceptance(probability: 0.95, isFirst: false) - 0.9) < 1e-12)
    }

    @Test("of siblings the first is told apart from the others")
    func siblings() {
        var calibration = ConfidenceCalibration()
        for _ in 0..<200 { calibration.record(children: judged(0.55, 0.55), accepted: 1) }
        #expect(calibration.acceptance(probability: 0.55, isFirst: true) < 0.1)
        #expect(calibration.acceptance(probability: 0.55, isFirst: false) > 0.9)
    }

    @Test("what was long ago is forgotten")
    func forgets() {
        var calibration = ConfidenceCalibration()
        for accepted in [NodeIndex(rawValue: 0), nil] {
            for _ in 0..<400 { calibration.record(children: judged(0.95), accepted: accepted) }
        }
        #expect(calibration.acceptance(probability: 0.95, isFirst: true) < 0.1)
    }

    @Test("the worth of a draft is the product along its path, and never above its parent's")
    func worth() {
        var calibration = ConfidenceCalibration()
        for _ in 0..<50 { calibration.record(children: judged(0.9, 0.05), accepted: 0) }
        let worth = calibration.worth(of: tree)
        let first = calibration.acceptance(probability: 0.9, isFirst: true)
        #expect(worth.count == 3 && worth[0] == first && worth[2] == first * first)
        #expect(worth[1] == calibration.acceptance(probability: 0.05, isFirst: false))
        #expect(worth[1] < worth[0] && worth[2] <= worth[0])
    }
}
