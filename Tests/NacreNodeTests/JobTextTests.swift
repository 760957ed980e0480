import NacreAPI
import NacreClient
import Testing

@Suite struct JobTextTests {
    private func job(_ edit: (inout JobDocument) -> Void = { _ in }) -> [String: String] {
        var job = JobDocument(
            id: "a", state: "done", outcome: nil, error: nil, method: "stream", seed: 3, promptTokens: 1,
            outputTokens: 2, text: "", tokens: [], verifiers: [], contextLimited: false,
            statistics: StatisticsDocument())
        edit(&job)
        return Dictionary(JobText.settings(of: job), uniquingKeysWith: { first, _ in first })
    }

    @Test("the rarer settings of a job are shown where they are not the default, and which models drafted")
    func rare() {
        let plain = job()
        #expect(plain["seed"] == "3" && ["candidates", "merge", "draft_models"].allSatisfy { plain[$0] == nil })
        let other = job {
            $0.candidates = "independent"
            $0.merge = 2
            $0.draftModels = ["a", "b"]
        }
        #expect(other["candidates"] == "independent" && other["merge"] == "2" && other["draft_models"] == "a,b")
    }
}
