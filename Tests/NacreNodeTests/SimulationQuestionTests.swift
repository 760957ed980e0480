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

    /// Each job drafts one token, which stands, and is done by a pass of 100 ms on a verifier of its own: 2n tokens in
    /// 100 ms and what one drafter takes for n texts.
    @Test(
        "a drafter's pass costs for each text in it",
        arguments: [
            // One number: as many times that.
            ([(1, 10.0)], 1, 2 / 0.110), ([(1, 10)], 2, 4 / 0.120), ([(1, 10)], 8, 16 / 0.180),
            ([(1, 10)], 300, 600 / 3.1), ([(1, 10)], 1_000, 2_000 / 10.1),
            // Between two of them and beyond the last on a line.
            ([(1, 10), (8, 24)], 4, 8 / 0.116), ([(1, 10), (8, 24)], 8, 16 / 0.124),
            ([(1, 10), (8, 24)], 1_000, 2_000 / 2.108),
        ] as [([(nodes: Int, milliseconds: Double)], Int, Double)])
    func draftsForMany(draft: [(nodes: Int, milliseconds: Double)], jobs: Int, rate: Double) throws {
        var question = Simulation(target: [(1, 100)], draft: draft)
        (question.alpha, question.policy, question.methods) = (1, "fixed:gamma=1", ["speculative"])
        (question.jobs, question.verifiers, question.tokens) = (jobs, jobs, 2)
        let answer = try #require(try question.run().first)
        #expect(abs(answer.tokensPerSecond / rate - 1) < 1e-9, "\(answer.tokensPerSecond) for \(rate)")
        #expect(abs(answer.ratio - answer.tokensPerSecond / (10 * Double(jobs))) < 1e-9)
        let isAssumed = question.assumptions.contains { $0.contains("one number for drafts") }
        #expect(isAssumed == (draft.count == 1 && jobs > 1))
    }

    @Test("what is assumed of tables of one number is said, and nothing of others")
    func assumptions() {
        var question = Simulation(target: [(1, 90)], draft: [(1, 6)])
        #expect(question.assumptions.map { $0.prefix(18) } == ["one number for the"])
        question.jobs = 3
        #expect(question.assumptions.count == 2)
        question.drafters = 3
        #expect(question.assumptions.count == 1)
        (question.target, question.draft, question.drafters) = ([(1, 90), (4, 96)], [(1, 6), (8, 14)], 1)
        #expect(question.assumptions.isEmpty)
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
