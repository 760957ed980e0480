import NacreCore
import NacreEngine
import Testing

/// One model with its own engine, decoding one sequence.
private struct Speaker {
    var engine: ReferenceEngine
    let key: StreamKey
    let policy: SamplingPolicy
    let prompt: Int

    init(_ model: TabularModel, key: StreamKey, policy: SamplingPolicy, prompt: Int) {
        engine = ReferenceEngine(model: model, contextCells: 4096, sequences: 1, nodesMax: 256)
        self.key = key
        self.policy = policy
        self.prompt = prompt
    }

    /// Rolls back to the common prefix with `tokens`, evaluates the rest and returns the choices behind the last
    /// `scored` tokens. The last token is always evaluated afresh.
    mutating func evaluate(_ tokens: [TokenID], scored: Int) throws -> [Choice] {
        let cached = engine.cached(0)
        var kept = 0
        while kept < min(cached.count, tokens.count - scored), cached[kept] == tokens[kept] { kept += 1 }
        let nodes = (kept..<tokens.count).map { place in
            ForestNode(
                token: tokens[place], position: Position(rawValue: place), sequence: 0,
                score: place < tokens.count - scored
                    ? nil : ScoreRequest(key: key, index: place + 1 - prompt, policy: policy))
        }
        return try engine.run(
            EnginePass(edits: [.rewind(0, length: Position(rawValue: kept))], nodes: nodes)
        ).compactMap(\.choice)
    }
}

/// Coupled decoding of `length` tokens: the drafter proposes `gammas` drafts in turn, the target verifies.
private func coupledDecoding(
    _ target: inout Speaker, _ drafter: inout Speaker, prompt: [TokenID], gammas: [Int], length: Int
) throws -> (tokens: [TokenID], passes: Int) {
    var committed = prompt
    var passes = 0
    while committed.count < prompt.count + length {
        var chain: [TokenID] = []
        for _ in 0..<gammas[passes % gammas.count] {
            chain.append(try drafter.evaluate(committed + chain, scored: 1)[0].token)
        }
        let choices = try target.evaluate(committed + chain, scored: chain.count + 1)
        let tree = ProposedTree.chain(chain.map { ($0, .coupled) })
        var chance = KeyedChance(key: 0)
        let selection = CoupledRule().select(tree, chance: &chance) { node, _ in choices[tree.drafts.depth(of: node)] }
        committed += selection.tokens(of: tree)
        passes += 1
        // The target's cache holds what was committed before this pass and the chain behind it.
        #expect(target.engine.cached(0).starts(with: committed.dropLast()))
    }
    return (Array(committed.dropFirst(prompt.count).prefix(length)), passes)
}

@Suite("Coupled decoding is a function of target, prompt and key alone")
struct InvarianceTests {
    @Test(
        "Drafters and draft lengths change the number of passes, never a token",
        arguments: [
            SamplingPolicy.greedy, SamplingPolicy(temperature: 1),
            SamplingPolicy(temperature: 0.7, topK: 8, topP: 0.9, minP: 0.05),
        ])
    func pathwiseEquality(policy: SamplingPolicy) throws {
        let model = TabularModel.hashed(vocabulary: 32, seed: 4)
        let prompt: [TokenID] = [3, 1, 4]
        for key: StreamKey in [1, 2, 3] {
            func decode(_ draft: TabularModel, _ gammas: [Int]) throws -> (tokens: [TokenID], passes: Int) {
                var target = Speaker(model, key: key, policy: policy, prompt: prompt.count)
                var drafter = Speaker(draft, key: key, policy: policy, prompt: prompt.count)
                return try coupledDecoding(&target, &drafter, prompt: prompt, gammas: gammas, length: 80)
            }
            let alone = try decode(model, [0])
            #expect(alone.passes == 80)
            for agreement in [0, 0.5, 0.9] {
                for gammas in [[1], [4], [7], [3, 0, 9, 1]] {
                    let drafted = try decode(model.drafter(agreement: agreement, seed: 77), gammas)
                    #expect(drafted.tokens == alone.tokens, "key \(key) agreement \(agreement) gammas \(gammas)")
                    if agreement == 0.9 { #expect(drafted.passes < 80) }
                }
            }
            let itself = try decode(model, [7])
            #expect(itself.tokens == alone.tokens && itself.passes == 10)
        }
    }

    @Test("Another key gives another text")
    func keysDiffer() throws {
        let model = TabularModel.hashed(vocabulary: 32, seed: 4)
        let texts = try Set(
            (0..<UInt64(20)).map { key in
                let policy = SamplingPolicy(temperature: 1)
                var target = Speaker(model, key: StreamKey(rawValue: key), policy: policy, prompt: 1)
                var drafter = target
                return try coupledDecoding(&target, &drafter, prompt: [1], gammas: [4], length: 20).tokens
            })
        #expect(texts.count == 20)
    }
}
