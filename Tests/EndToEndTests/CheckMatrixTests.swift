import Testing

@Suite struct CheckMatrixTests {
    @Test("every rule, tree and branch gives plain decoding's text, for several jobs and nodes too")
    func matrix() async throws {
        let result = try await Command.run("nacre", ["check", "--matrix", "--max-tokens", "12", "--json"])
        #expect(result.status == 0, "\(result)")
        #expect(result.output.contains(#""unexplained":0"#), "\(result.output)")
        // A combination that was left out was not checked.
        #expect(!result.output.contains(#""refusal""#), "\(result.output)")
        // Of 128 combinations: four outputs each, though a text may end early.
        #expect(result.output.matches(of: /"outputs":4,/).count == 128)
    }

    @Test("what does not go together is shown as refused, and what was not checked at all fails")
    func refusals() async throws {
        let some = ["check", "--methods", "stream,pearl", "--tree", "chain", "--tree", "2,1", "--max-tokens", "4"]
        let partly = try await Command.run("nacre", some + ["--json"])
        #expect(partly.status == 0 && partly.output.contains(#""refusal":"method pearl drafts windows"#), "\(partly)")
        let none = try await Command.run(
            "nacre", ["check", "--methods", "pearl", "--tree", "2,1", "--max-tokens", "4"])
        #expect(none.status == 2, "\(none)")
        #expect(none.complaints.last?.contains("nothing was checked with pearl, coupled, 2,1") == true, "\(none)")
    }
}
