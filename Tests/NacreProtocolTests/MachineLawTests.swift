import NacreCore
import NacreProtocol
import TestStatistics
import Testing

/// What the machines commit together, held against plain decoding: as a law where tokens are drawn, token for token
/// where they are the target's own choice (ALGORITHMS 0.3, T2 and T4).
@Suite struct MachineLawTests {
    #if DEBUG
        private static let keys: UInt64 = 400
    #else
        private static let keys: UInt64 = 4_000
    #endif

    struct Case: Sendable, CustomTestStringConvertible {
        var speculation: Speculation
        var testDescription: String {
            let s = speculation
            return "\(s.method) \(s.rule) \(s.shape) γ \(s.gamma) \(s.payload) b \(s.branches) d \(s.drafters) "
                + "\(s.siblings.name) m \(s.merge) \(s.policy)"
        }
    }

    private static func tree(_ widths: Int...) -> DraftShape {
        (try? TreeShape(widths)).map(DraftShape.fixed) ?? .chain
    }

    private static let methods: [DecodingMethod] = [.stream, .speculative, .pearl]

    /// Every way to draw drafts and to judge them by q. Where tests are not thorough, each policy and each shape has one
    /// method, the next one another.
    static let drawn: [Case] = {
        var cases = methods.flatMap { method in
            [
                Case(speculation: Speculation(method, gamma: 2, rule: .rejection)),
                Case(speculation: Speculation(method, gamma: 2, rule: .rejection, payload: .scalar)),
                Case(speculation: Speculation(method, gamma: 3, rule: .block)),
            ]
        }
        for (number, name) in PolicySpecification.Name.allCases.enumerated() {
            let policy = PolicySpecification(name)
            let ways: [(DecodingMethod, VerifyRuleKind)] = [
                (.speculative, .rejection), (.stream, .block), (.pearl, .rejection),
            ]
            for (method, rule) in ways.covering({ $0 == number % 3 }) {
                cases.append(Case(speculation: Speculation(method, policy: policy, rule: rule)))
            }
        }
        for (place, method) in methods.dropLast().enumerated() {
            cases += shapes(method).map(Case.init).covering { $0 % 2 == place }
        }
        return cases
    }()

    /// Every way to propose several drafts for one position.
    private static func shapes(_ method: DecodingMethod) -> [Speculation] {
        let best = DraftShape.best(nodesMax: 6, width: 2)
        return [tree(2, 2), tree(1, 3), tree(3)].map { Speculation(method, rule: .rejection, shape: $0) } + [
            Speculation(method, rule: .rejection, shape: tree(2, 2), payload: .scalar),
            Speculation(method, rule: .rejection, shape: tree(2, 2), siblings: .independent),
            Speculation(method, rule: .rejection, shape: tree(3, 1), payload: .scalar, siblings: .independent),
            Speculation(method, rule: .rejection, shape: best, merge: 1),
            Speculation(method, rule: .rejection, shape: best),
            Speculation(method, rule: .rejection, branches: 4),
        ]
    }

    @Test("the law of what is committed is the target's", arguments: drawn)
    func law(of tested: Case) {
        let language = TabularLanguage(vocabulary: 3, seed: 11)
        var setting = MachineLoop.Setting(language: language, speculation: tested.speculation)
        setting.ends = [2]
        var loop = MachineLoop(setting, seed: 5)
        let far = distance(loop.run(keys: 0..<Self.keys), length: 4, setting)
        #expect(far < 3.7, "\(far) standard deviations")
        #expect(loop.statistics.accepted > Self.keys / 4, "hardly a draft was judged")
        #expect((loop.rowsFetched > 0) == (tested.speculation.payload == .scalar))
    }

    /// How far the first `length` tokens are from the law, in standard deviations.
    private func distance(_ texts: [[TokenID]], length: Int, _ setting: MachineLoop.Setting) -> Double {
        var counts: [[TokenID]: Int] = [:]
        for text in texts { counts[Array(text.prefix(length)), default: 0] += 1 }
        return excess(
            of: counts, over: setting.language.law(after: setting.prompt, length: length, ends: setting.ends))
    }

    /// The counterexample of ALGORITHMS 0.5: q = (.9, .1) judged for p = (.5, .5) gives (.55, .45).
    @Test("a drafter that drops improbable draws is found out", arguments: [false, true])
    func illegal(isIllegal: Bool) {
        let language = TabularLanguage(p: [0.5, 0.5], q: [0.9, 0.1])
        var setting = MachineLoop.Setting(
            language: language, speculation: Speculation(.speculative, gamma: 1, rule: .rejection))
        setting.isIllegal = isIllegal
        var loop = MachineLoop(setting, seed: 6)
        let far = distance(loop.run(keys: 0..<6_000), length: 3, setting)
        #expect((far > 3.7) == isIllegal, "\(far) standard deviations")
    }

    /// Every way to draft that may not change a token: under coupling at any temperature, greedily under every rule.
    static let own: [Case] = methods.flatMap { method in
        VerifyRuleKind.allCases.flatMap { rule in
            [DraftShape.chain, tree(2, 2, 1), .best(nodesMax: 0, width: 3), .best(nodesMax: 9, width: 2)].flatMap {
                shape in
                [(0, 1, 0), (5, 1, 0), (0, 2, 0), (0, 1, 1), (5, 2, 2)].compactMap { branches, drafters, merge in
                    let speculation = Speculation(
                        method, gamma: 3, rule: rule, shape: shape, branches: branches, merge: merge,
                        drafters: drafters)
                    return speculation.complaint(under: .greedy) == nil ? Case(speculation: speculation) : nil
                }
            }
        }
    }

    /// Every policy, also those that may not be used where drafts are drawn.
    static let ownByPolicy: [Case] = methods.flatMap { method in
        (PolicySpecification.Name.allCases.map(PolicySpecification.init)
            + ["threshold:theta=0.5,keep=0", "adaedl:lambda=0.9,min=1", "fixed:gamma=1"].compactMap {
                try? PolicySpecification(parsing: $0)
            }).map { Case(speculation: Speculation(method, policy: $0)) }
    }

    @Test("what is committed is the target's own choice, token for token", arguments: own + ownByPolicy)
    func tokens(of tested: Case) {
        let language = TabularLanguage(vocabulary: 5, seed: 12)
        for sampling in [.greedy, SamplingPolicy(temperature: 1)] {
            guard sampling.isGreedy || tested.speculation.rule == .coupled else { continue }
            for (branches, nodesMax) in [(16, 64), (2, 6), (0, 64)] {
                var setting = MachineLoop.Setting(language: language, speculation: tested.speculation)
                (setting.sampling, setting.branches, setting.nodesMax) = (sampling, branches, nodesMax)
                (setting.length, setting.ends) = (12, [4])
                var loop = MachineLoop(setting, seed: 7)
                let texts = loop.run(keys: 0..<6)
                for (key, text) in texts.enumerated() {
                    let own = language.text(
                        after: setting.prompt, length: setting.length, ends: setting.ends,
                        key: StreamKey(rawValue: UInt64(key) &* 0x9E37_79B9), sampling)
                    #expect(text == own, "key \(key), \(branches) branches")
                }
            }
        }
    }
}
