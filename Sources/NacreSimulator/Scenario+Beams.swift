import NacreCore
import NacreProtocol

extension Scenario {
    /// Jobs with beams, of a chance of their own, where every verifier can hold them.
    mutating func addBeamJobs() {
        var chance = Chance(seed: seed ^ 0xBEA3)
        let most = verifiers.map { min($0.node.branches - 1, $0.node.nodesMax / 2) }.min() ?? 0
        guard most > 0 else { return }
        for index in jobs.indices where chance.happens(0.2) {
            let width = chance.int(1...min(chance.pick([4, 4, DraftShape.widthMax]), most))
            var speculation = Speculation(.beam, beams: BeamSettings(width: width, answers: chance.int(1...3)))
            if chance.happens(0.7) {
                speculation.method = .dsbd
                speculation.gamma = chance.pick([0, 1, 2, 5])
                speculation.shape = .forest(draws: chance.int(1...min(4, most)))
                if chance.happens(0.3) {
                    speculation.beams.dynamic = DynamicWidth(threshold: chance.pick([0.3, 0.7, 0.9]))
                }
                if chance.happens(0.2) { speculation.beams.survivor = chance.pick([.drawn, .likeliest]) }
            }
            speculation.helpers = chance.pick([0, 0, 1, 2])
            jobs[index].specification.speculation = speculation
            jobs[index].specification.namesPolicy = false
            jobs[index].specification.stops = []
            if jobs[index].specification.sampling.isGreedy {
                jobs[index].specification.sampling = SamplingPolicy(temperature: 1)
            }
            // Beams do not share what they have drawn, nor what another verifier scores of them the prompt.
            var cells = width * jobs[index].specification.tokensMax + most * 8
            if speculation.helpers > 0 { cells += width * (jobs[index].specification.tokensMax + 64) }
            for verifier in verifiers.indices { verifiers[verifier].node.contextCells += cells }
        }
    }
}
