package import NacreCore

/// What a job with beams is told about them.
package struct BeamSettings: Sendable, Hashable {
    /// W: pairs drawn at each step.
    package var width: Int
    /// How the width of a drafted step is settled instead; then the law of the beams depends on the drafter.
    package var dynamic: DynamicWidth?
    /// Keep one beam after each round, so that the cache holds one text: likewise.
    package var survivor: TargetBeams.Survivor?
    /// Texts that the job answers with.
    package var answers: Int

    package static let widthDefault = 4
    package static let answersMax = 16

    package init(
        width: Int = BeamSettings.widthDefault, dynamic: DynamicWidth? = nil, survivor: TargetBeams.Survivor? = nil,
        answers: Int = 1
    ) {
        self.width = width
        self.dynamic = dynamic
        self.survivor = survivor
        self.answers = answers
    }
}

extension TargetBeams.Survivor {
    package static let names = ["drawn", "likeliest"]

    package var name: String {
        switch self {
        case .drawn: "drawn"
        case .likeliest: "likeliest"
        }
    }

    package init?(name: String) {
        switch name {
        case "drawn": self = .drawn
        case "likeliest": self = .likeliest
        default: return nil
        }
    }
}

extension DraftShape {
    /// Whether only a draft model can make it.
    var needsModel: Bool {
        switch self {
        case .beams, .forest: true
        case .chain, .fixed, .best: false
        }
    }
}

extension Speculation {
    /// Whether the output need not have the law of what the method is named after.
    package var isLossy: Bool {
        method.isLossy || method.usesBeams && (beams.dynamic != nil || beams.survivor != nil)
    }

    /// Most beams of the target at a time.
    package var beamsMax: Int {
        guard case .forest(let draws) = shape, let dynamic = beams.dynamic else { return beams.width }
        return max(beams.width, draws, dynamic.widthMin)
    }

    /// What does not go with beams, or without them.
    func beamsComplaint(under sampling: SamplingPolicy) -> String? {
        guard method.usesBeams else {
            if case .forest = shape { return "a draft forest goes with method dsbd: use that, or another tree" }
            return beams == BeamSettings()
                ? nil : "method \(method.name) has one text, no beams: use method beam or dsbd for several"
        }
        if sampling.isGreedy {
            return "method \(method.name) draws its beams, and greedily all would be one: "
                + "use a temperature above 0, such as 1"
        }
        if method == .beam, shape != .chain || gamma > 0 || beams.dynamic != nil || beams.survivor != nil {
            return "method beam drafts nothing and has beams of one width: "
                + "use method dsbd for gamma, draft beams, a dynamic width and a beam kept alone"
        }
        if method == .dsbd {
            guard case .forest(let draws) = shape else {
                return
                    "method dsbd drafts a forest: leave the tree out, and say with draft_beams how many draws "
                    + "a layer has"
            }
            let layersMax = TreeShape.nodesMax / draws
            if gamma > layersMax {
                return
                    "gamma \(gamma) and \(draws) draws a layer are more than \(TreeShape.nodesMax) drafts: use gamma "
                    + "\(layersMax) or less, or at most \(TreeShape.nodesMax / gamma) draft beams"
            }
        }
        return widthComplaint ?? extrasComplaint
    }

    private var widthComplaint: String? {
        guard let dynamic = beams.dynamic else { return nil }
        if let complaint = dynamic.complaint { return complaint }
        return dynamic.widthMin <= DraftShape.widthMax
            ? nil : "at most \(DraftShape.widthMax) beams: use a smaller min_beams"
    }

    private var extrasComplaint: String? {
        if rule != .coupled {
            return "method \(method.name) has a rule of its own: leave the rule out, or use method stream"
        }
        if payload != .rows {
            return "method \(method.name) needs every row of q: leave the payload out"
        }
        if branches > 0 || merge > 0 || drafters > 1 {
            return "method \(method.name) drafts for all its beams at once, with one drafter at most: "
                + "use it without branches, merge and further drafters"
        }
        if siblings != .withoutReplacement {
            return "method \(method.name) draws independently, always: leave the candidates out"
        }
        if isRecorded {
            return "a recording tells where drafts are the target's own text, and method \(method.name) has several "
                + "texts: record another method"
        }
        return nil
    }
}
