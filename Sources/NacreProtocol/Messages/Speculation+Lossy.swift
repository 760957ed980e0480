import NacreCore

extension Speculation {
    /// What does not go with a lossy method, or without one.
    var lossyComplaint: String? {
        guard method.isLossy else {
            if case .beams = shape {
                return "a tree of beams is for method mtad: use that, or a tree such as best or 4,2,2,1"
            }
            guard tau == Self.tauDefault else {
                return "tau is the threshold of method mtad, which is lossy: use that, or no tau"
            }
            return nil
        }
        if let complaint = LossyMTADRule(threshold: tau).complaint { return complaint }
        guard case .beams(let width, _) = shape else {
            return
                "method mtad drafts by beam search: use tree beams (all beams) or path (the likeliest one), or no tree"
        }
        let layersMax = TreeShape.nodesMax / width
        if gamma > layersMax {
            return "gamma \(gamma) and \(width) beams are more than \(TreeShape.nodesMax) drafts: use gamma "
                + "\(layersMax) or less, or at most \(TreeShape.nodesMax / gamma) beams"
        }
        if payload != .rows {
            return "method mtad sends no rows of q, only how likely its beams are: leave the payload out"
        }
        if rule != .coupled {
            return "method mtad is lossy and has a rule of its own: leave the rule out, or use method stream"
        }
        if branches > 0 || merge > 0 || drafters > 1 || helpers > 0 {
            return "method mtad verifies one beam search: use it with one drafter, no branches, merge or helpers"
        }
        if isRecorded {
            return "a recording tells where drafts are the target's own text, and mtad is lossy: record another method"
        }
        return nil
    }
}
