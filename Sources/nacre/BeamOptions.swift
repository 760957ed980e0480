import ArgumentParser
import NacreAPI

/// What methods beam and dsbd are told.
struct BeamOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Of --method beam and dsbd: beams of the target drawn at each step, 1 to 16 (default 4, or --draft-beams "
                + "if those are fewer).", valueName: "n"))
    var beams: Int?

    @Option(
        help: ArgumentHelp(
            "Of --method dsbd: draws in a layer of the draft forest, 1 to 16, without --width-threshold at least as "
                + "many as beams (default 4, or as many as beams if those are more).",
            valueName: "n"))
    var draftBeams: Int?

    @Option(
        help: ArgumentHelp(
            "Of --method dsbd: settle each step's width by how likely the drafts yield it, 0.7 or 0.9 as published; "
                + "then the law of the beams depends on the drafter (default: the width is fixed, and exact).",
            valueName: "t"))
    var widthThreshold: Double?

    @Option(
        help: ArgumentHelp("With --width-threshold: the least width, 1 to 16 (default 1).", valueName: "n"))
    var minBeams: Int?

    @Option(
        help: ArgumentHelp(
            "Of --method dsbd: keep one beam after each round, drawn or likeliest, so that the cache holds one text; "
                + "not the law of beam sampling (default: keep all).",
            valueName: "which"))
    var keepOne: String?

    @Option(
        help: ArgumentHelp(
            "Of --method beam and dsbd: texts to answer with, likeliest per token first, 1 to 16 (default 1). Other "
                + "methods have one text: submit the prompt with several seeds.",
            valueName: "n"))
    var nBest: Int?

    func apply(to request: inout JobRequest) {
        request.beams = beams
        request.draftBeams = draftBeams
        request.widthThreshold = widthThreshold
        request.minBeams = minBeams
        request.keepOne = keepOne
        request.nBest = nBest
    }
}
