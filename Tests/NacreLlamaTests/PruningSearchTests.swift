import NacreCore
import NacreEngine
import NacreLlama
import NacreModels
import Testing

/// The search for the layers that a self-drafter can do without.
struct PruningSearchTests {
    private func search(_ budget: Duration, prompts: [String]) throws -> PruningSearch {
        PruningSearch(
            target: try LayerPruning(path: Fixture.target), threads: 1, prompts: prompts, budget: budget, folder: "/tmp"
        )
    }

    private static let prompts = ["def main():\n", "import os\n", "class Stack:\n", "for i in range("]

    @Test("with hardly any time there is a result, and it says how sure it is and that it is not the end")
    func tiny() async throws {
        let (report, keep) = try await search(.milliseconds(1), prompts: Self.prompts).run { _ in }
        #expect(report.tried == 1 && !report.isComplete && report.layers == 8)
        #expect(keep.layers.count == 7 && report.result.layers == keep.description)
        let result = report.result
        #expect(result.judged > 0 && result.agreementLow <= result.agreement)
        #expect(result.agreement <= result.agreementHigh && result.agreementHigh - result.agreementLow > 0.01)
        #expect(result.speedUpLow <= result.speedUpHigh && result.passMicroseconds > 0)
        #expect(report.rows.contains { $0.0 == "search" && $0.1.contains("there may be better ones") })
    }

    @Test("with time the search comes to its end, on other texts than the result is measured on")
    func whole() async throws {
        let (report, keep) = try await search(.seconds(600), prompts: Self.prompts).run { _ in }
        #expect(report.isComplete && report.isHeldOut && report.tried >= 8, "\(report.rows)")
        #expect(report.searched.layers == keep.description && keep.layers.count < 8)
        #expect(report.searched.judged > 40 && report.result.judged > 40)
    }

    @Test("the interval of a share is Wilson's")
    func interval() {
        // 81 of 263: the example of Newcombe, "Two-sided confidence intervals for the single proportion", 1998.
        let (low, high) = MeasuredAgreement(agreed: 81, judged: 263).interval
        #expect(abs(low - 0.2553) < 1e-4 && abs(high - 0.3662) < 1e-4, "\(low) \(high)")
        let all = MeasuredAgreement(agreed: 20, judged: 20).interval
        #expect(all.high == 1 && all.low > 0.83 && all.low < 0.84)
        for judged in 1...200 {
            let (none, all) = (
                MeasuredAgreement(agreed: 0, judged: judged), MeasuredAgreement(agreed: judged, judged: judged)
            )
            #expect(none.interval.low == 0 && all.interval.high == 1, "of \(judged)")
        }
    }
}
