import NacreCore
import NacreProtocol
import Testing

@Suite struct SpeculationTests {
    @Test(
        "what is written of a shape is read again as it was",
        arguments: ["chain", "4,2,2,1", "best", "best:16x2", "beams:4", "path:3"])
    func roundTrip(text: String) throws {
        #expect(try DraftShape(parsing: text).description == text)
    }

    @Test("shapes are read as they are meant")
    func parsing() throws {
        #expect(try DraftShape(parsing: "chain") == .chain)
        #expect(try DraftShape(parsing: "best") == .best(nodesMax: 0, width: 4))
        #expect(try DraftShape(parsing: "best:16") == .best(nodesMax: 16, width: 4))
        #expect(try DraftShape(parsing: "best:16x3") == .best(nodesMax: 16, width: 3))
        #expect(try DraftShape(parsing: "3") == .fixed(try TreeShape([3])))
    }

    @Test(
        "what is no shape is refused with an example of one",
        arguments: [
            "", "best:", "best:0", "best:257", "best:4x0", "best:4x17", "best:4x", "best:x4", "best:4x4x4", "best16",
            "bester", "beams:", "beams:0", "beams:17", "path4", "4,,2", "0", "Chain",
        ])
    func refused(text: String) {
        #expect(throws: TreeShapeError.self) { try DraftShape(parsing: text) }
    }

    private static let warm = SamplingPolicy(temperature: 1)

    private static let tree = (try? TreeShape([2, 1])).map(DraftShape.fixed) ?? .chain

    @Test("what goes together", arguments: DecodingMethod.allCases)
    func usable(method: DecodingMethod) {
        guard !method.isLossy else {
            #expect(Speculation(method, shape: .beamsDefault, tau: 0.3).complaint(under: Self.warm) == nil)
            let widest = Speculation(method, gamma: 16, shape: .beams(width: 16, onePath: false))
            #expect(widest.complaint(under: Self.warm) == nil)
            return
        }
        guard !method.usesBeams else {
            let shape: DraftShape = method == .dsbd ? .forest(draws: 16) : .chain
            let whole = Speculation(method, shape: shape, beams: BeamSettings(width: 16, answers: 16))
            #expect(whole.complaint(under: Self.warm) == nil && !whole.isGoverned && !whole.isLossy)
            return
        }
        #expect(Speculation(method).complaint(under: Self.warm) == nil)
        for rule in VerifyRuleKind.allCases where method != .autoregressive {
            #expect(Speculation(method, rule: rule).complaint(under: Self.warm) == nil)
            #expect(Speculation(method, rule: rule, drafters: 2).complaint(under: .greedy) == nil)
        }
    }

    private static let svip = PolicySpecification(.svip)
    private static let dropping = (try? PolicySpecification(parsing: "threshold:keep=0")) ?? svip

    struct Refusal: Sendable {
        var speculation: Speculation
        var word: String
        var sampling = warm
    }

    @Test(
        "what does not go together is refused, with a word of what would",
        arguments: [
            Refusal(speculation: Speculation(.pearl, shape: tree), word: "stream or speculative"),
            Refusal(speculation: Speculation(.pearl, branches: 3), word: "stream or speculative"),
            Refusal(speculation: Speculation(.autoregressive, rule: .block), word: "use stream"),
            Refusal(speculation: Speculation(.stream, shape: tree, branches: 3), word: "--tree best"),
            Refusal(speculation: Speculation(.stream, rule: .block, shape: tree), word: "rejection or coupled"),
            Refusal(speculation: Speculation(.stream, rule: .block, branches: 1), word: "rejection or coupled"),
            Refusal(speculation: Speculation(.stream, rule: .block, payload: .scalar), word: "payload rows"),
            Refusal(speculation: Speculation(.stream, rule: .rejection, helpers: 1), word: "coupled"),
            Refusal(speculation: Speculation(.stream, rule: .rejection, drafters: 2), word: "one drafter"),
            Refusal(speculation: Speculation(.stream, shape: tree, siblings: .independent), word: "rule rejection"),
            Refusal(speculation: Speculation(.stream, rule: .rejection, siblings: .independent), word: "4,2,2"),
            Refusal(speculation: Speculation(.stream, merge: 2), word: "tree or with branches"),
            Refusal(speculation: Speculation(.autoregressive, policy: svip), word: "drafts nothing"),
            Refusal(speculation: Speculation(.stream, gamma: 2, policy: svip), word: "gamma or a policy"),
            Refusal(speculation: Speculation(.stream, policy: svip, shape: tree), word: "tree chain"),
            Refusal(speculation: Speculation(.stream, policy: dropping, rule: .rejection), word: "keep=1"),
            Refusal(speculation: Speculation(.stream, rule: .rejection, shape: tree, merge: 2), word: "rule coupled"),
            Refusal(speculation: Speculation(.mtad), word: "tree beams"),
            Refusal(speculation: Speculation(.beam), word: "above 0", sampling: .greedy),
            Refusal(speculation: Speculation(.beam, gamma: 2), word: "method dsbd"),
            Refusal(speculation: Speculation(.beam, shape: .forest(draws: 2)), word: "method dsbd"),
            Refusal(
                speculation: Speculation(.beam, beams: BeamSettings(dynamic: DynamicWidth())), word: "method dsbd"),
            Refusal(speculation: Speculation(.beam, beams: BeamSettings(survivor: .drawn)), word: "method dsbd"),
            Refusal(speculation: Speculation(.beam, rule: .block), word: "leave the rule out"),
            Refusal(speculation: Speculation(.beam, policy: svip), word: "drafts nothing"),
            Refusal(speculation: Speculation(.beam, isRecorded: true), word: "record another"),
            Refusal(speculation: Speculation(.beam, drafters: 2), word: "one drafter"),
            Refusal(speculation: Speculation(.stream, beams: BeamSettings(width: 2)), word: "beam or dsbd"),
            Refusal(speculation: Speculation(.stream, shape: .forest(draws: 2)), word: "method dsbd"),
            Refusal(speculation: Speculation(.dsbd), word: "draft_beams"),
            Refusal(speculation: Speculation(.dsbd, shape: tree), word: "draft_beams"),
            Refusal(speculation: Speculation(.dsbd, gamma: 32, shape: .forest(draws: 16)), word: "gamma 16"),
            Refusal(
                speculation: Speculation(.dsbd, rule: .rejection, shape: .forest(draws: 2)), word: "leave the rule out"),
            Refusal(speculation: Speculation(.dsbd, shape: .forest(draws: 2), branches: 2), word: "without branches"),
            Refusal(speculation: Speculation(.dsbd, shape: .forest(draws: 2), merge: 2), word: "without branches"),
            Refusal(speculation: Speculation(.dsbd, shape: .forest(draws: 2), drafters: 2), word: "one drafter"),
            Refusal(speculation: Speculation(.dsbd, shape: .forest(draws: 2), payload: .scalar), word: "payload out"),
            Refusal(
                speculation: Speculation(.dsbd, shape: .forest(draws: 2), siblings: .independent),
                word: "candidates out"),
            Refusal(speculation: Speculation(.dsbd, policy: svip, shape: .forest(draws: 2)), word: "no policy"),
            Refusal(
                speculation: Speculation(
                    .dsbd, shape: .forest(draws: 2), beams: BeamSettings(dynamic: DynamicWidth(threshold: 1.5))),
                word: "at most at 1"),
            Refusal(
                speculation: Speculation(
                    .dsbd, shape: .forest(draws: 2), beams: BeamSettings(dynamic: DynamicWidth(widthMin: 17))),
                word: "smaller min_beams"),
            Refusal(
                speculation: Speculation(.mtad, rule: .rejection, shape: .beamsDefault), word: "leave the rule out"),
            Refusal(speculation: Speculation(.mtad, shape: .beamsDefault, tau: 1.1), word: "at most at 1"),
            Refusal(speculation: Speculation(.mtad, shape: .beamsDefault, drafters: 2), word: "one drafter"),
            Refusal(speculation: Speculation(.mtad, shape: .beamsDefault, helpers: 1), word: "one drafter"),
            Refusal(speculation: Speculation(.mtad, policy: svip, shape: .beamsDefault), word: "no policy"),
            Refusal(speculation: Speculation(.mtad, shape: .beamsDefault, isRecorded: true), word: "record another"),
            Refusal(
                speculation: Speculation(.mtad, gamma: 29, shape: .beams(width: 9, onePath: false)), word: "gamma 28"),
            Refusal(
                speculation: Speculation(.mtad, gamma: 32, shape: .beams(width: 16, onePath: true)), word: "8 beams"),
            Refusal(speculation: Speculation(.mtad, shape: .beamsDefault, payload: .scalar), word: "payload out"),
            Refusal(speculation: Speculation(.stream, shape: .beamsDefault), word: "method mtad"),
            Refusal(speculation: Speculation(.stream, tau: 0.3), word: "method mtad"),
            Refusal(
                speculation: Speculation(.stream, rule: .rejection, measuresLikelihood: true), word: "rule coupled"),
        ])
    func refused(_ refusal: Refusal) throws {
        let complaint = try #require(refusal.speculation.complaint(under: refusal.sampling))
        #expect(complaint.contains(refusal.word), "\(complaint)")
    }

    @Test("drafts are drawn under rules that divide by q, unless they are chosen by their probability")
    func draws() {
        for rule in [VerifyRuleKind.rejection, .block] {
            #expect(Speculation(.stream, rule: rule).draws(under: Self.warm))
            #expect(!Speculation(.stream, rule: rule).draws(under: .greedy))
            #expect(!Speculation(.stream, rule: rule, shape: .best(nodesMax: 4, width: 2)).draws(under: Self.warm))
            #expect(!Speculation(.stream, rule: rule, branches: 1).draws(under: Self.warm))
        }
        #expect(Speculation(.stream, rule: .rejection, shape: Self.tree).draws(under: Self.warm))
        #expect(!Speculation(.stream, rule: .coupled, shape: Self.tree).draws(under: Self.warm))
    }
}
