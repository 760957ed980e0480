import NacreCore
import NacreProtocol
import Testing

/// Texts of other verifiers' jobs, held and scored here.
@Suite struct GuestTests {
    private static let host: LinkID = 7

    /// A verifier with the texts of another one's streams 1, 2 ...
    private static func rig(guests: Int, contextMax: Int = 256) -> VerifierRig {
        var rig = VerifierRig(sequences: 5, branches: 8, contextMax: contextMax)
        rig.step(.hostOpened(host))
        rig.step(
            .host(
                host,
                .greeting(
                    Greeting(
                        wireMin: 1, wireMax: 1, node: "home", role: .verifier, incarnation: 2, vocabularyDigest: 7))))
        for stream in 1...guests { open(StreamID(rawValue: UInt32(stream)), on: &rig) }
        return rig
    }

    private static func open(_ stream: StreamID, on rig: inout VerifierRig) {
        let open = ScoreOpen(
            stream: stream, job: JobID(high: 0, low: 9), attempt: 1, key: 1, sampling: VerifierRig.policy,
            promptLength: 3, contextTotal: 3, contextOffset: 0, context: [1, 2, 3])
        rig.step(.host(host, .scoreOpen(open)))
    }

    /// Two drafts, one below the other, behind the text as it is.
    private static func shard(_ stream: StreamID, keep: Position = 3, tokens: [TokenID] = []) -> ScoreShard {
        ScoreShard(stream: stream, shard: 5, keep: keep, tokens: tokens, parents: [0, 1], drafts: [4, 6])
    }

    private static func closed(_ effects: [VerifierMachine.Effect]) -> [ScoreClose] {
        effects.compactMap { if case .toHost(host, .scoreClose(let close)) = $0 { close } else { nil } }
    }

    private static func scored(_ effects: [VerifierMachine.Effect]) -> [StreamID] {
        effects.compactMap { if case .toHost(host, .scores(let scores)) = $0 { scores.stream } else { nil } }
    }

    @Test("A shard in a pass that the cache had no room for is given back at once, and nobody else has to go")
    func refusedPass() {
        var rig = Self.rig(guests: 3)
        rig.step(.control(.assignJob(VerifierRig.assignment(.autoregressive, gamma: 0))))
        // The shards come while the prompt is read, and go into the next pass together.
        #expect(rig.pass != nil)
        for stream: StreamID in [1, 2] { rig.step(.host(Self.host, .scoreShard(Self.shard(stream)))) }
        rig.choose([8])
        #expect(rig.pass?.nodes.count { $0.score != nil } == 1 + 2 * 3, "\(rig.pass?.line ?? "no pass")")
        let effects = rig.end(.cacheFull)
        #expect(
            Set(Self.closed(effects).map(\.stream)) == [1, 2]
                && Self.closed(effects).allSatisfy { $0.reason == .noRoom },
            "\(Self.closed(effects))")
        #expect(effects.ended == nil && rig.machine.jobCount == 1, "the job stays")
        // It decodes on, and the third text is here as before.
        #expect(rig.pass?.nodes.count { $0.score != nil } == 1, "\(rig.pass?.line ?? "no pass")")
        rig.step(.host(Self.host, .scoreShard(Self.shard(3))))
        rig.choose([9])
        #expect(rig.pass?.nodes.count { $0.score != nil } == 1 + 3, "\(rig.pass?.line ?? "no pass")")
        #expect(Self.scored(rig.choose([10, 4, 6, 7])) == [3])
    }

    @Test("Where no shard was in the pass, a guest makes room before any job does")
    func makesRoom() {
        var rig = Self.rig(guests: 2)
        rig.step(.control(.assignJob(VerifierRig.assignment(.autoregressive, gamma: 0))))
        let effects = rig.end(.cacheFull)
        #expect(Self.closed(effects).map(\.stream) == [2] && effects.ended == nil)
    }

    @Test("A text without anything new is scored again: its last token is evaluated once more")
    func again() {
        var rig = Self.rig(guests: 1)
        for _ in 0..<2 {
            rig.step(.host(Self.host, .scoreShard(Self.shard(1))))
            #expect(rig.pass?.nodes.last?.position == 4, "\(rig.pass?.line ?? "no pass")")
            #expect(Self.scored(rig.choose([4, 6, 7])) == [1])
        }
    }

    @Test("Text and drafts that the context does not hold end one stream, not the link", arguments: [7, 6, 5, 4])
    func contextTooLong(contextMax: Int) {
        var rig = Self.rig(guests: 2, contextMax: contextMax)
        // Four tokens, and two drafts behind them.
        let effects = rig.step(.host(Self.host, .scoreShard(Self.shard(1, tokens: [5]))))
        let fits = contextMax >= 6
        #expect(
            Self.closed(effects) == (fits ? [] : [ScoreClose(stream: 1, reason: .contextTooLong)])
                && (rig.pass != nil) == fits)
        #expect(!effects.contains { if case .closeHost = $0 { true } else { false } })
    }
}
