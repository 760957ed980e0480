import NacreAPI
import NacreCore
import NacreProtocol

// What a request says of beams.
extension JobRequest {
    /// Whether it says anything of beams.
    var hasBeams: Bool {
        beams != nil || draftBeams != nil || widthThreshold != nil || minBeams != nil || keepOne != nil || nBest != nil
    }
}

extension JobIntake {
    /// What only the request tells: a rule that was named, be it the default one, and beams without their method.
    static func checkBeams(_ request: JobRequest, _ method: DecodingMethod) throws(Refusal) {
        guard method.usesBeams else {
            guard !request.hasBeams else {
                throw Refusal(
                    status: 400,
                    message: "method \(method.name) has one text, no beams: use method beam or dsbd for beams and "
                        + "n_best, or leave them out")
            }
            return
        }
        if let rule = request.rule {
            throw Refusal(
                status: 400,
                message:
                    "method \(method.name) has a rule of its own, so that rule \(rule) cannot hold: leave the rule "
                    + "out, or use method stream, pearl or speculative with it")
        }
        if let tree = request.tree {
            let works = method == .dsbd ? "say with draft_beams how many draws a layer has" : "it drafts nothing"
            throw Refusal(
                status: 400,
                message:
                    "method \(method.name) has no tree \(tree): leave the tree out (\(works)), or use method stream")
        }
        if method == .beam, request.draftBeams != nil {
            throw Refusal(
                status: 400, message: "method beam drafts nothing: use method dsbd for draft_beams, or leave them out")
        }
        if let beams = request.beams, let draws = request.draftBeams, beams > draws, request.widthThreshold == nil {
            throw Refusal(
                status: 400,
                message: "a layer of drafts stands if as many of its draws do as there are beams, and beams \(beams) "
                    + "are more than draft_beams \(draws): use draft_beams \(beams) or more, at most \(draws) beams, "
                    + "or a width_threshold such as 0.7")
        }
        if method == .dsbd, request.widthThreshold != nil,
            let least = try checked(request.minBeams, "min_beams", 1...DraftShape.widthMax),
            case let draws = try draws(of: request), least > draws
        {
            throw Refusal(
                status: 400,
                message:
                    "no layer of \(draws) draws has min_beams \(least) beams, and all drafts would be in vain: use "
                    + "draft_beams \(least) or more, or at most \(draws) min_beams")
        }
        if request.minBeams != nil, request.widthThreshold == nil {
            throw Refusal(
                status: 400,
                message: "min_beams bounds a width that is settled step by step: give a width_threshold such as 0.7 "
                    + "too, or beams alone for a fixed width")
        }
    }

    static func defaultShape(of method: DecodingMethod, _ request: JobRequest) throws(Refusal) -> DraftShape {
        switch method {
        case .mtad: return .beamsDefault
        case .dsbd:
            return .forest(draws: try draws(of: request))
        case .autoregressive, .speculative, .pearl, .stream, .beam: return .chain
        }
    }

    /// Draws in a layer: enough for one to stand, where none are named.
    private static func draws(of request: JobRequest) throws(Refusal) -> Int {
        try checked(request.draftBeams, "draft_beams", 1...DraftShape.widthMax)
            ?? max(request.beams ?? 0, BeamSettings.widthDefault)
    }

    static func beams(of request: JobRequest) throws(Refusal) -> BeamSettings {
        let least = try checked(request.minBeams, "min_beams", 1...DraftShape.widthMax) ?? 1
        // A fixed width beyond the draws would let no layer stand.
        let most = request.widthThreshold == nil ? request.draftBeams : nil
        return BeamSettings(
            width: try checked(request.beams, "beams", 1...DraftShape.widthMax)
                ?? min(BeamSettings.widthDefault, most ?? BeamSettings.widthDefault),
            dynamic: request.widthThreshold.map { DynamicWidth(threshold: $0, widthMin: least) },
            survivor: try named(
                request.keepOne, "keep_one", TargetBeams.Survivor.init(name:), TargetBeams.Survivor.names),
            answers: try checked(request.nBest, "n_best", 1...BeamSettings.answersMax) ?? 1)
    }
}
