internal import CNacreProto
import NacreCore
import NacreProtocol

// What a drafter says: drafts, how they were drawn, and rows that it had left out.

extension Draft {
    func pack(_ writer: borrowing FieldWriter) throws(WireError) -> UnsafeMutableRawPointer {
        let wire = writer.make(nacre__draft__init)
        wire.pointee.stream = stream.rawValue
        wire.pointee.epoch = epoch.rawValue
        wire.pointee.heard = heard.rawValue
        wire.pointee.root = try writer.number(root.rawValue, "root")
        wire.pointee.first_node = try writer.number(firstNode, "firstNode")
        wire.pointee.n_token = tokens.count
        wire.pointee.token = writer.copy(tokens)
        wire.pointee.n_parent = parents.count
        wire.pointee.parent = try writer.numbers(parents, "parents")
        wire.pointee.n_probability = probabilities.count
        wire.pointee.probability = writer.copy(probabilities.map(UInt32.init))
        let list = writer.room(for: proposals.count, of: UnsafeMutablePointer<Nacre__Proposal>?.self)
        for (index, proposal) in proposals.enumerated() { list[index] = try proposal.pack(writer) }
        wire.pointee.n_proposal = proposals.count
        wire.pointee.proposal = list
        packMeasures(into: wire, writer)
        try writer.pack(layers, into: wire)
        wire.pointee.n_reference = references.count
        wire.pointee.reference = writer.copy(references)
        wire.pointee.microseconds = microseconds
        wire.pointee.end = Nacre__DraftEnd(rawValue: end.rawValue)
        return UnsafeMutableRawPointer(wire)
    }

    init(_ wire: Nacre__Draft, _ fields: FieldReader) throws(WireError) {
        let firstNode = try fields.count(wire.first_node, "firstNode")
        let tokens = try fields.tokens(wire.token, wire.n_token, "tokens", max: Limits.treeNodesMax)
        self.init(
            stream: StreamID(rawValue: wire.stream), epoch: Epoch(rawValue: wire.epoch),
            heard: Epoch(rawValue: wire.heard), root: try fields.position(wire.root, "root"), firstNode: firstNode,
            tokens: tokens,
            parents: wire.n_parent == 0
                ? [] : try fields.parents(wire.parent, wire.n_parent, of: tokens.count, from: firstNode),
            probabilities: try Draft.probabilities(wire, fields), end: try fields.choice(wire.end.rawValue, "end"),
            microseconds: wire.microseconds)
        // The position of the last token is a position too.
        try fields.within(Int(Int32.max), offset: root.rawValue + firstNode, part: tokens.count, "firstNode")
        proposals = try readProposals(wire, fields)
        measures = try Draft.measures(wire, fields)
        references = try Draft.references(wire, fields)
        layers = try fields.layers(wire)
    }

    private static func references(_ wire: Nacre__Draft, _ fields: FieldReader) throws(WireError) -> [Double] {
        guard wire.n_reference <= TreeShape.depthMax else {
            throw fields.invalid(
                "references", "has \(wire.n_reference) items, at most \(TreeShape.depthMax) are allowed")
        }
        let references = Array(UnsafeBufferPointer(start: wire.reference, count: wire.n_reference))
        // Written so that NaN fails.
        guard references.allSatisfy({ $0 <= 0 && $0 > -.infinity }) else {
            throw fields.invalid("references", "are \(references), not finite logarithms of probabilities")
        }
        return references
    }

    private static func probabilities(_ wire: Nacre__Draft, _ fields: FieldReader) throws(WireError) -> [UInt8] {
        guard wire.n_probability == 0 || wire.n_probability == wire.n_token else {
            throw fields.invalid("probabilities", "has \(wire.n_probability) items for \(wire.n_token) tokens")
        }
        var probabilities: [UInt8] = []
        for wide in UnsafeBufferPointer(start: wire.probability, count: wire.n_probability) {
            guard let probability = UInt8(exactly: wide) else {
                throw fields.invalid("probabilities", "has \(wide), at most 255 is allowed")
            }
            probabilities.append(probability)
        }
        return probabilities
    }

    /// The proposals, which belong to `tokens` and `parents`: a draw is a node of this message below the proposal's.
    private func readProposals(_ wire: Nacre__Draft, _ fields: FieldReader) throws(WireError) -> [Proposal] {
        guard wire.n_proposal <= Limits.treeNodesMax else {
            throw fields.invalid(
                "proposals", "has \(wire.n_proposal) items, at most \(Limits.treeNodesMax) are allowed")
        }
        var proposals: [Proposal] = []
        var nodes: Set<Int> = []
        var drawsLeft = Limits.treeNodesMax
        for pointer in UnsafeBufferPointer(start: wire.proposal, count: wire.n_proposal) {
            let part = try fields.part(pointer, "proposals")
            let node = try fields.count(part.node, "proposals.node", max: firstNode + tokens.count)
            guard nodes.insert(node).inserted else {
                throw fields.invalid("proposals.node", "is \(node) twice; one proposal says how all were drawn")
            }
            guard part.n_draw <= drawsLeft else {
                throw fields.invalid("proposals.draws", "are more than \(Limits.treeNodesMax) in all")
            }
            drawsLeft -= part.n_draw
            var draws: [Int] = []
            for draw in UnsafeBufferPointer(start: part.draw, count: part.n_draw) {
                let place = Int(draw) - firstNode
                guard tokens.indices.contains(place), parent(of: place) == node else {
                    throw fields.invalid(
                        "proposals.draws", "names \(draw), which this draft does not put below \(node)")
                }
                draws.append(Int(draw))
            }
            proposals.append(Proposal(node: node, payload: try DraftPayload(part, fields), draws: draws))
        }
        return proposals
    }

    private func parent(of place: Int) -> Int { parents.isEmpty ? firstNode + place : parents[place] }
}

extension Draft.Proposal {
    fileprivate func pack(_ writer: borrowing FieldWriter) throws(WireError) -> UnsafeMutablePointer<Nacre__Proposal> {
        let wire = writer.make(nacre__proposal__init)
        wire.pointee.node = try writer.number(node, "proposals.node")
        wire.pointee.kind = payload.kind
        wire.pointee.n_draw = draws.count
        wire.pointee.draw = try writer.numbers(draws, "proposals.draws")
        switch payload {
        case .deterministic, .coupled: break
        case .row(let row, _):
            wire.pointee.n_token = row.entries.count
            wire.pointee.token = writer.copy(row.entries.map(\.token))
            wire.pointee.n_weight = row.entries.count
            wire.pointee.weight = writer.copy(row.entries.map { UInt32($0.weight) })
        case .scalar(let scalar, _):
            wire.pointee.n_weight = 1
            wire.pointee.weight = writer.copy([UInt32(scalar.weight)])
            wire.pointee.total = try writer.number(scalar.total, "proposals.total")
        }
        return wire
    }
}

extension DraftPayload {
    fileprivate var kind: Nacre__ProposalKind {
        switch self {
        case .deterministic: NACRE__PROPOSAL_KIND__PROPOSAL_KIND_DETERMINISTIC
        case .coupled: NACRE__PROPOSAL_KIND__PROPOSAL_KIND_COUPLED
        case .row(_, .independent): NACRE__PROPOSAL_KIND__PROPOSAL_KIND_ROW_INDEPENDENT
        case .row(_, .withoutReplacement): NACRE__PROPOSAL_KIND__PROPOSAL_KIND_ROW_WITHOUT_REPLACEMENT
        case .scalar(_, .independent): NACRE__PROPOSAL_KIND__PROPOSAL_KIND_SCALAR_INDEPENDENT
        case .scalar(_, .withoutReplacement): NACRE__PROPOSAL_KIND__PROPOSAL_KIND_SCALAR_WITHOUT_REPLACEMENT
        }
    }

    fileprivate init(_ wire: Nacre__Proposal, _ fields: FieldReader) throws(WireError) {
        switch wire.kind {
        case NACRE__PROPOSAL_KIND__PROPOSAL_KIND_DETERMINISTIC: self = .deterministic
        case NACRE__PROPOSAL_KIND__PROPOSAL_KIND_COUPLED: self = .coupled
        case NACRE__PROPOSAL_KIND__PROPOSAL_KIND_ROW_INDEPENDENT:
            self = .row(try WeightRow(wire, fields), .independent)
        case NACRE__PROPOSAL_KIND__PROPOSAL_KIND_ROW_WITHOUT_REPLACEMENT:
            self = .row(try WeightRow(wire, fields), .withoutReplacement)
        case NACRE__PROPOSAL_KIND__PROPOSAL_KIND_SCALAR_INDEPENDENT:
            self = .scalar(try Scalar(wire, fields), .independent)
        case NACRE__PROPOSAL_KIND__PROPOSAL_KIND_SCALAR_WITHOUT_REPLACEMENT:
            self = .scalar(try Scalar(wire, fields), .withoutReplacement)
        default: throw fields.invalid("proposals.kind", "is \(wire.kind.rawValue), which means nothing")
        }
        switch self {
        case .deterministic, .coupled:
            guard wire.n_token == 0, wire.n_weight == 0 else {
                throw fields.invalid("proposals.row", "comes with drafts that are no draws")
            }
        case .row, .scalar: break
        }
    }
}

extension DraftPayload.Scalar {
    fileprivate init(_ wire: Nacre__Proposal, _ fields: FieldReader) throws(WireError) {
        guard wire.n_weight == 1, wire.n_token == 0, let weight = UInt16(exactly: wire.weight[0]) else {
            throw fields.invalid("proposals.weight", "is not one number of at most \(UInt16.max), as a scalar has")
        }
        // A larger sum belongs to no row that could follow.
        let total = try fields.count(
            wire.total, "proposals.total", max: Limits.rowEntriesMax * Int(UInt16.max))
        do throws(PayloadFault) {
            try self.init(weight: weight, total: total)
        } catch {
            throw fields.invalid("proposals.weight", "is no probability: \(error)")
        }
    }
}

extension WeightRow {
    fileprivate init(_ wire: Nacre__Proposal, _ fields: FieldReader) throws(WireError) {
        self = try fields.row(
            tokens: wire.token, wire.n_token, weights: wire.weight, wire.n_weight, "proposals.row")
    }
}

extension RowRequest {
    func pack(_ writer: borrowing FieldWriter) throws(WireError) -> UnsafeMutableRawPointer {
        let wire = writer.make(nacre__row_request__init)
        wire.pointee.stream = stream.rawValue
        wire.pointee.epoch = epoch.rawValue
        wire.pointee.node = try writer.number(node, "node")
        return UnsafeMutableRawPointer(wire)
    }

    init(_ wire: Nacre__RowRequest, _ fields: FieldReader) throws(WireError) {
        self.init(
            stream: StreamID(rawValue: wire.stream), epoch: Epoch(rawValue: wire.epoch),
            node: try fields.count(wire.node, "node"))
    }
}

extension DraftRow {
    func pack(_ writer: borrowing FieldWriter) throws(WireError) -> UnsafeMutableRawPointer {
        let wire = writer.make(nacre__draft_row__init)
        wire.pointee.stream = stream.rawValue
        wire.pointee.epoch = epoch.rawValue
        wire.pointee.node = try writer.number(node, "node")
        wire.pointee.n_token = row.entries.count
        wire.pointee.token = writer.copy(row.entries.map(\.token))
        wire.pointee.n_weight = row.entries.count
        wire.pointee.weight = writer.copy(row.entries.map { UInt32($0.weight) })
        return UnsafeMutableRawPointer(wire)
    }

    init(_ wire: Nacre__DraftRow, _ fields: FieldReader) throws(WireError) {
        self.init(
            stream: StreamID(rawValue: wire.stream), epoch: Epoch(rawValue: wire.epoch),
            node: try fields.count(wire.node, "node"),
            row: try fields.row(tokens: wire.token, wire.n_token, weights: wire.weight, wire.n_weight, "row"))
    }
}
