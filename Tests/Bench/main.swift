import NacreCore
import NacreEngine
import NacreLlama

// How long it takes to score the rows of a pass, on the engine's threads, and what share of the pass that is (medians);
// `Scripts/bench-scores` builds and runs it. Built only when NACRE_BENCH is set.
//
//     nacre-bench-scores THREADS MODEL.gguf ...

/// When an engine began to score.
private final class Tap {
    var begin: ContinuousClock.Instant?
}

private func pass(_ count: Int, _ policy: SamplingPolicy, vocabulary: Int) -> EnginePass {
    let nodes = (0..<count).map { index in
        ForestNode(
            token: TokenID(rawValue: UInt32((64 + index * 977) % vocabulary)), position: Position(rawValue: 64 + index),
            sequence: 0, score: ScoreRequest(key: 5, index: index, policy: policy))
    }
    return EnginePass(edits: [.rewind(0, length: 64)], nodes: nodes)
}

private func measure(_ path: String, threads: Int) throws {
    let model = try LlamaModel(path: path)
    var engine = try LlamaEngine(
        model: model, settings: LlamaSettings(threads: threads, contextPerJob: 128, nodesMax: 64))
    let clock = ContinuousClock()
    let vocabulary = engine.shape.vocabularySize
    _ = try engine.readContext(before: 16)
    let policies: [(String, SamplingPolicy)] = [
        ("greedy", .greedy), ("temperature 1", SamplingPolicy(temperature: 1)),
        ("temperature 0.7, top-k 40, top-p 0.9", SamplingPolicy(temperature: 0.7, topK: 40, topP: 0.9)),
        ("temperature 1, top-p 0.9", SamplingPolicy(temperature: 1, topP: 0.9)),
    ]
    print("\(model.description), vocabulary \(vocabulary), \(threads) threads")
    for (name, policy) in policies {
        for count in [1, 4, 8, 16] {
            let plan = pass(count, policy, vocabulary: vocabulary)
            let tap = Tap()
            engine.rowTap = { _, _ in tap.begin = tap.begin ?? clock.now }
            var times: [(whole: Double, scoring: Double)] = []
            for _ in 0..<15 {
                tap.begin = nil
                let begin = clock.now
                _ = try engine.run(plan)
                let end = clock.now
                times.append(((end - begin) / .microseconds(1), (end - (tap.begin ?? end)) / .microseconds(1)))
            }
            let whole = times.map(\.whole).sorted()[times.count / 2]
            let scoring = times.map(\.scoring).sorted()[times.count / 2]
            print(
                "  \(name): \(count) rows, pass \(Int(whole)) us, scoring \(Int(scoring)) us, "
                    + "\(Int((1_000 * scoring / whole).rounded())) per mille")
        }
    }
}

private let arguments = CommandLine.arguments.dropFirst()
guard let threads = arguments.first.flatMap({ Int($0) }), arguments.count > 1 else {
    fatalError("usage: nacre-bench-scores THREADS MODEL.gguf ...")
}
for path in arguments.dropFirst() { try measure(path, threads: threads) }
