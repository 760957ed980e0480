import NacreCore
import NacreEngine
import NacreProtocol

/// What a job of method `beam` must answer: its beams drawn from whole texts, one step at a time; `nil` for other jobs.
func beamOracle(_ specification: JobSpecification, model: TabularModel, contextMax: Int) -> [[TokenID]]? {
    let (speculation, sampling) = (specification.speculation, specification.sampling)
    guard speculation.method == .beam else { return nil }
    let prompt = Language.tokenize(specification.prompt)
    let tokensMax = min(specification.tokensMax, contextMax - prompt.count)
    var beams = TargetBeams(ends: [Language.end], endsMax: speculation.beams.width)
    var chance = KeyedChance(key: specification.key)
    var scratch = CoupledScratch()
    var logits: [Float] = []
    while beams.index < tokensMax, !beams.isOver {
        let rows = beams.live.map { beam in
            model.logits(after: (prompt + beam.text.tokens)[...], into: &logits)
            return DraftBeams.Row(
                scoring: Distribution(logits.span, sampling.jointScoring, scratch: &scratch), sampling)
        }
        let forest = DraftForest(roots: beams.live.count, root: 0, index: beams.index)
        _ = DSBDRule(width: .fixed(speculation.beams.width)).advance(
            &beams, over: forest, chance: &chance, row: { rows[$0.tree].draw }, score: { rows[$0.tree].score })
        _ = beams.merge()
    }
    return beams.answers(speculation.beams.answers).map(\.tokens)
}
