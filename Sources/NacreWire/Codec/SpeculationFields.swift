internal import CNacreProto
import NacreCore
import NacreProtocol

// Parts that several messages have: shapes, trees, rows, and how a job is speculated on.

extension FieldWriter {
    /// `nil` for a chain: absent says so in fewer bytes.
    func shape(_ shape: DraftShape) throws(WireError) -> UnsafeMutablePointer<Nacre__DraftShape>? {
        let wire = make(nacre__draft_shape__init)
        switch shape {
        case .chain: return nil
        case .fixed(let tree):
            wire.pointee.n_width = tree.widths.count
            wire.pointee.width = try numbers(tree.widths, "shape.widths")
        case .best(let nodesMax, let width):
            wire.pointee.nodes_max = try number(nodesMax, "shape.nodesMax")
            wire.pointee.width_max = try number(width, "shape.widthMax")
        case .beams(let width, let onePath):
            wire.pointee.beams = try number(width, "shape.beams")
            wire.pointee.one_path = onePath ? 1 : 0
        case .forest(let draws):
            wire.pointee.forest = try number(draws, "shape.forest")
        }
        return wire
    }

    func numbers(_ values: [Int], _ field: StaticString) throws(WireError) -> UnsafeMutablePointer<UInt32> {
        let copies = room(for: values.count, of: UInt32.self)
        for (index, value) in values.enumerated() { copies[index] = try number(value, field) }
        return copies
    }
}

extension FieldReader {
    func shape(_ pointer: UnsafeMutablePointer<Nacre__DraftShape>?) throws(WireError) -> DraftShape {
        guard let wire = pointer?.pointee else { return .chain }
        if wire.forest > 0 {
            guard wire.n_width == 0, wire.nodes_max == 0, wire.width_max == 0, wire.beams == 0 else {
                throw invalid("shape", "is a draft forest and another tree at once")
            }
            return .forest(draws: try count(wire.forest, "shape.forest", max: DraftShape.widthMax))
        }
        if wire.beams > 0 {
            guard wire.n_width == 0, wire.nodes_max == 0, wire.width_max == 0 else {
                throw invalid("shape", "is a beam search and another tree at once")
            }
            return .beams(
                width: try count(wire.beams, "shape.beams", max: DraftShape.widthMax), onePath: wire.one_path != 0)
        }
        guard wire.n_width > 0 else {
            if wire.nodes_max == 0 && wire.width_max == 0 { return .chain }
            guard wire.width_max > 0 else { throw invalid("shape.widthMax", "is 0, but its drafts are limited") }
            return .best(
                nodesMax: try count(wire.nodes_max, "shape.nodesMax", max: Limits.treeNodesMax),
                width: try count(wire.width_max, "shape.widthMax", max: DraftShape.widthMax))
        }
        guard wire.nodes_max == 0, wire.width_max == 0 else {
            throw invalid("shape", "is a static tree and one that grows at once")
        }
        guard wire.n_width <= TreeShape.depthMax else {
            throw invalid("shape.widths", "has \(wire.n_width) levels, at most \(TreeShape.depthMax) are allowed")
        }
        let widths = UnsafeBufferPointer(start: wire.width, count: wire.n_width).map(Int.init)
        do throws(TreeShapeError) {
            return .fixed(try TreeShape(widths))
        } catch {
            throw invalid("shape.widths", "make no tree: \(error)")
        }
    }

    /// The parents of `count` nodes that are numbered from `first` on: each is 0 or 1 + the number of an earlier node.
    func parents(
        _ start: UnsafeMutablePointer<UInt32>?, _ parents: Int, of count: Int, from first: Int
    ) throws(WireError) -> [Int] {
        guard parents == count else { throw invalid("parents", "has \(parents) items for \(count) tokens") }
        var read: [Int] = []
        read.reserveCapacity(count)
        for (index, parent) in UnsafeBufferPointer(start: start, count: count).enumerated() {
            guard parent <= first + index else {
                throw invalid("parents", "has \(parent) for node \(first + index), which is not an earlier node")
            }
            read.append(Int(parent))
        }
        return read
    }

    func row(
        tokens: UnsafeMutablePointer<UInt32>?, _ tokenCount: Int, weights: UnsafeMutablePointer<UInt32>?,
        _ weightCount: Int, _ field: StaticString
    ) throws(WireError) -> WeightRow {
        guard tokenCount == weightCount else {
            throw invalid(field, "has \(weightCount) weights for \(tokenCount) tokens")
        }
        let tokens = try self.tokens(tokens, tokenCount, field, max: Limits.rowEntriesMax)
        var entries: [WeightRow.Entry] = []
        entries.reserveCapacity(tokens.count)
        for (token, wide) in zip(tokens, UnsafeBufferPointer(start: weights, count: weightCount)) {
            guard let weight = UInt16(exactly: wide) else {
                throw invalid(field, "has weight \(wide), at most \(UInt16.max) is allowed")
            }
            entries.append(WeightRow.Entry(token, weight))
        }
        do throws(PayloadFault) {
            return try WeightRow(entries)
        } catch {
            throw invalid(field, "is no law: \(error)")
        }
    }

    func margins(
        _ start: UnsafeMutablePointer<Float>?, _ margins: Int, of tokens: Int
    ) throws(WireError) -> [Float] {
        guard margins == tokens else { throw invalid("margins", "has \(margins) items for \(tokens) tokens") }
        let read = Array(UnsafeBufferPointer(start: start, count: margins))
        // Written so that NaN fails.
        if let odd = read.first(where: { !($0 >= 0) }) {
            throw invalid("margins", "has \(odd); a margin is 0 or more")
        }
        return read
    }
}

extension SiblingDraw {
    var wire: Nacre__SiblingDraw {
        switch self {
        case .withoutReplacement: NACRE__SIBLING_DRAW__SIBLING_DRAW_WITHOUT_REPLACEMENT
        case .independent: NACRE__SIBLING_DRAW__SIBLING_DRAW_INDEPENDENT
        }
    }
}

extension FieldReader {
    func siblings(_ wire: Nacre__SiblingDraw) throws(WireError) -> SiblingDraw {
        switch wire {
        case SiblingDraw.withoutReplacement.wire: .withoutReplacement
        case SiblingDraw.independent.wire: .independent
        default: throw invalid("siblings", "is \(wire.rawValue), which means nothing here")
        }
    }
}

extension FieldReader {
    fileprivate func tau(_ tau: Double) throws(WireError) -> Double {
        if tau == 0 { return Speculation.tauDefault }
        // Written so that NaN fails.
        guard tau > 0, tau <= 1 else { throw invalid("tau", "is \(tau), not above 0 and at most 1") }
        return tau
    }
}

extension Speculation {
    func pack(
        into wire: UnsafeMutablePointer<Nacre__AssignJob>, _ writer: borrowing FieldWriter
    ) throws(WireError) {
        wire.pointee.method = Nacre__DecodingMethod(rawValue: method.rawValue)
        wire.pointee.gamma = try writer.number(gamma, "gamma")
        wire.pointee.rule = Nacre__VerifyRule(rawValue: rule.rawValue)
        wire.pointee.shape = try writer.shape(shape)
        wire.pointee.branches = try writer.number(branches, "branches")
        wire.pointee.payload = Nacre__PayloadKind(rawValue: payload.rawValue)
        wire.pointee.policy = writer.policy(policy)
        wire.pointee.siblings = siblings.wire
        wire.pointee.merge = try writer.number(merge, "merge")
        wire.pointee.drafters = try writer.number(drafters, "drafters")
        wire.pointee.helpers = try writer.number(helpers, "helperCount")
        wire.pointee.record = isRecorded ? 1 : 0
        // The default too: a verifier of another release might have another.
        wire.pointee.tau = method.isLossy ? tau : 0
        wire.pointee.likelihood = measuresLikelihood ? 1 : 0
        wire.pointee.beams = method.usesBeams ? try beams.pack(writer) : nil
    }

    init(_ wire: Nacre__AssignJob, _ fields: FieldReader) throws(WireError) {
        self.init(
            try fields.choice(wire.method.rawValue, "method"),
            gamma: try fields.count(wire.gamma, "gamma", max: Limits.gammaMax),
            policy: try fields.policy(wire.policy, "policy"), rule: try fields.choice(wire.rule.rawValue, "rule"),
            shape: try fields.shape(wire.shape),
            branches: try fields.count(wire.branches, "branches", max: Limits.branchesMax),
            payload: try fields.choice(wire.payload.rawValue, "payload"),
            siblings: try fields.siblings(wire.siblings),
            merge: try fields.count(wire.merge, "merge", max: Limits.mergeMax),
            // A peer that does not say means the one that every job has had.
            drafters: max(1, try fields.count(wire.drafters, "drafters", max: Limits.draftersMax)),
            helpers: try fields.count(wire.helpers, "helperCount", max: Limits.helpersMax),
            isRecorded: wire.record != 0, tau: try fields.tau(wire.tau), measuresLikelihood: wire.likelihood != 0,
            beams: try wire.beams.map { wire throws(WireError) in try BeamSettings(wire.pointee, fields) }
                ?? BeamSettings())
    }
}
