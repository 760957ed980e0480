import NacreCore
import NacreProtocol
import Testing

/// Who gets which draft-length policy, and when.
@Suite struct PolicyBookTests {
    private static let svip = PolicySpecification(.svip)
    private static let ema = PolicySpecification(.ema)

    @Test("a pair's own policy comes before the default, and what is taken back is as it was")
    func book() {
        var book = PolicyBook()
        let pair = PolicyBook.Scope.pair(target: "t", draft: "d")
        #expect(book.entry(target: "t", drafts: ["d"]) == PolicyBook.builtIn)
        let isSet = [
            book.set(PolicyBook.Entry(Self.svip, setBy: "a"), for: .all),
            book.set(PolicyBook.Entry(Self.ema, setBy: "b"), for: pair),
        ]
        #expect(isSet == [true, true])
        #expect(book.entry(target: "t", drafts: ["d"]).policy == Self.ema)
        #expect(book.entry(target: "t", drafts: ["other"]).policy == Self.svip)
        #expect(book.entry(target: "t", drafts: ["d", "other"]).policy == Self.svip, "a pair has one drafter")
        let isTaken = [book.set(nil, for: pair), book.set(nil, for: .all)]
        #expect(isTaken == [true, true])
        #expect(book.entry(target: "t", drafts: ["d"]) == PolicyBook.builtIn)
    }

    @Test("scopes are read as they are written", arguments: ["default", "t.gguf/d.gguf"])
    func scope(text: String) { #expect(PolicyBook.Scope(parsing: text)?.description == text) }

    @Test("what is no scope is none", arguments: ["", "t", "t/", "/d", "a/b/c", "Default"])
    func noScope(text: String) { #expect(PolicyBook.Scope(parsing: text) == nil) }

    @Test(
        "a pair's policy applies whatever bridge its drafter takes",
        arguments: [
            ("D.gguf (8M)", "D.gguf"), ("D.gguf by slem+tli (8M)", "D.gguf"), ("D.gguf by slem (8M)", "D.gguf"),
            ("D.gguf+suffix by tli (8M)", "D.gguf+suffix"), ("made by me.gguf (8M)", "made by me.gguf"),
            ("D.gguf by slrs", "D.gguf"),
        ])
    func fileName(model: String, name: String) { #expect(Hello.fileName(of: model) == name) }

    /// A job on verifier 1, drafted for by link 10.
    private static func rig(_ speculation: Speculation = Speculation(.stream)) -> CoordinatorRig {
        var rig = CoordinatorRig()
        rig.join(1, .verifier)
        rig.joinDrafter(10)
        rig.submit(speculation)
        return rig
    }

    private static func changes(_ rig: CoordinatorRig) -> [JobPolicy] {
        rig.effects.compactMap { effect in
            guard case .send(1, .jobPolicy(let change)) = effect else { return nil }
            return change
        }
    }

    @Test("a running job is told of a new policy at once, and only of a new one")
    func running() throws {
        var rig = Self.rig()
        #expect(rig.placed?.assignment.speculation.policy == .goodput)
        rig.step(.setPolicy(.all, PolicyBook.Entry(Self.svip, setBy: "a")))
        #expect(Self.changes(rig) == [JobPolicy(job: CoordinatorRig.job, attempt: 1, policy: Self.svip)])
        rig.step(.setPolicy(.all, PolicyBook.Entry(Self.svip, setBy: "another")))
        #expect(Self.changes(rig).isEmpty)
        #expect(rig.machine.jobs[CoordinatorRig.job]?.policy.setBy == "another")
        rig.step(.setPolicy(.all, nil))
        #expect(Self.changes(rig).map(\.policy) == [.goodput])
    }

    @Test("a job whose drafter is replaced by one of another model goes by that pair's policy")
    func replaced() throws {
        var rig = CoordinatorRig()
        rig.join(1, .verifier, modelName: "t.gguf")
        rig.join(10, .drafter, reportsVocabulary: false, incarnation: 10, modelName: "a.gguf")
        rig.submit(Speculation(.stream))
        rig.join(11, .drafter, reportsVocabulary: false, incarnation: 11, modelName: "b.gguf")
        let pair = try #require(PolicyBook.Scope(parsing: "t.gguf/b.gguf"))
        rig.step(.setPolicy(pair, PolicyBook.Entry(Self.svip, setBy: "a")))
        #expect(rig.machine.jobs[CoordinatorRig.job]?.policy.policy == .goodput)
        #expect(rig.hire(lost: 10) == ["a11"])
        #expect(rig.machine.jobs[CoordinatorRig.job]?.policy.policy == Self.svip)
    }

    @Test("a new job has it from the start")
    func assigned() {
        var rig = CoordinatorRig()
        rig.join(1, .verifier)
        rig.step(.setPolicy(.all, PolicyBook.Entry(Self.ema, setBy: "a")))
        rig.submit()
        #expect(rig.placed?.assignment.speculation.policy == Self.ema)
    }

    @Test(
        "jobs that a policy means nothing to keep theirs",
        arguments: [
            Speculation(.stream, shape: .best(nodesMax: 4, width: 2)), Speculation(.stream, branches: 2),
            Speculation(.speculative, gamma: 3), Speculation(.autoregressive),
        ])
    func untouched(speculation: Speculation) {
        var rig = Self.rig(speculation)
        rig.step(.setPolicy(.all, PolicyBook.Entry(Self.svip, setBy: "a")))
        #expect(Self.changes(rig).isEmpty)
    }
}
