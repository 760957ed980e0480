import NacreClient
import NacreNode
import Testing

/// `nacre simulate`: what it reads, and that it asks the simulator what was asked.
@Suite struct SimulationQuestionTests {
    @Test("tables of passes are read as they are written")
    func tables() throws {
        let table = try Simulation.table("1:90,4:96.5,8:130", "--target")
        #expect(table.map(\.nodes) == [1, 4, 8] && table.map(\.milliseconds) == [90, 96.5, 130])
        #expect(try Simulation.table("42", "--target").map(\.milliseconds) == [42])
    }

    @Test(
        "what is no table is refused with an example",
        arguments: ["", "a", "1:", "4:1,1:1", "4:96,8:130", "0:1", "1:-1", "1:2:3", "1:nan"])
    func refused(text: String) {
        let error = #expect(throws: NacreError.self) { try Simulation.table(text, "--target") }
        #expect(error?.description.contains("1:90,4:96,8:130") == true)
    }

    /// ALGORITHMS 10.4: α .8, t_q 20 ms, t_p 90 + 10n ms, d 0: 10 tokens per second plain, 15.28 with γ = 4.
    @Test("plain and vanilla speculative decoding come out as the closed forms say")
    func golden() throws {
        var question = Simulation(
            target: (1...16).map { ($0, 90 + 10 * Double($0)) }, draft: [(nodes: 1, milliseconds: 20)])
        (question.policy, question.tokens) = ("fixed:gamma=4", 30_000)
        let answers = try question.run()
        #expect(answers.map(\.method) == ["autoregressive", "speculative", "pearl", "stream"])
        #expect(abs(answers[0].tokensPerSecond - 10) < 1e-6 && answers[0].acceptanceRate == nil)
        #expect(abs(answers[1].tokensPerSecond / 15.28 - 1) < 0.02, "\(answers[1].tokensPerSecond)")
        #expect(abs((answers[1].acceptanceRate ?? 0) - 0.8) < 0.02)
        let bound = try #require(question.bound)
        #expect(abs(bound.tokensPerSecond - 24.6964) < 1e-3 && bound.nodes == 7)
    }

    @Test("a question without an answer is refused")
    func complaints() {
        var question = Simulation(target: [(1, 1)], draft: [(1, 1)])
        question.verifiers = 1_001
        #expect(throws: NacreError.self) { try question.run() }
        question.verifiers = 1
        question.policy = "fastest"
        #expect(throws: NacreError.self) { try question.run() }
    }
}
