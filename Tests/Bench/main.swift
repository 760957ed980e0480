import NacreCore
import NacreEngine
import NacreLlama

// How long rows take to be scored, and what share of a pass that is; `Scripts/bench-scores` builds and runs it. Built
// only when NACRE_BENCH is set.
//
//     nacre-bench-scores THREADS MODEL.gguf ...

/// The median of `count` times of `body`, in microseconds.
private func median(of count: Int, _ body: () throws -> Void) rethrows -> Double {
    let clock = ContinuousClock()
    var times: [Double] = []
    for _ in 0..<count {
        let begin = clock.now
        try body()
        times.append((clock.now - begin) / .microseconds(1))
    }
    return times.sorted()[count / 2]
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
            var rows: [[Float]] = []
            engine.rowTap = { _, row in rows.append(row.withUnsafeBufferPointer { Array($0) }) }
            let plan = pass(count, policy, vocabulary: vocabulary)
            _ = try engine.run(plan)
            engine.rowTap = nil
            let whole = try median(of: 9) { _ = try engine.run(plan) }
            var scratch = CoupledScratch()
            let scoring = median(of: 9) {
                for (index, row) in rows.enumerated() {
                    let request = ScoreRequest(key: 5, index: index, policy: policy)
                    _ = Score(row.span, request, scratch: &scratch)
                }
            }
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
