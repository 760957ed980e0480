internal import CNacreProto
import NacreCore
import NacreProtocol

// A pass: columns, since it has hundreds of nodes while a prompt is read.

private enum EditKind: UInt32 {
    case rewind = 1
    case release = 2
    case fork = 3
}

extension EnginePass {
    func pack(_ writer: borrowing FieldWriter) throws(WireError) -> UnsafeMutableRawPointer {
        let wire = writer.make(nacre__engine_pass__init)
        try packAdoptions(wire, writer)
        try packEdits(wire, writer)
        try packNodes(wire, writer)
        try packRequests(wire, writer)
        return UnsafeMutableRawPointer(wire)
    }

    private func packAdoptions(
        _ wire: UnsafeMutablePointer<Nacre__EnginePass>, _ writer: borrowing FieldWriter
    ) throws(WireError) {
        wire.pointee.n_adopted_branch = adoptions.count
        wire.pointee.adopted_branch = try writer.sequences(adoptions.map(\.branch), "adoptedBranches")
        wire.pointee.n_adopting_owner = adoptions.count
        wire.pointee.adopting_owner = try writer.sequences(adoptions.map(\.owner), "adoptingOwners")
        wire.pointee.n_adopted_from = adoptions.count
        wire.pointee.adopted_from = try writer.numbers(
            adoptions.map(\.positions.lowerBound.rawValue), "adoptedFrom")
        wire.pointee.n_adopted_end = adoptions.count
        wire.pointee.adopted_end = try writer.numbers(adoptions.map(\.positions.upperBound.rawValue), "adoptedEnd")
    }

    private func packEdits(
        _ wire: UnsafeMutablePointer<Nacre__EnginePass>, _ writer: borrowing FieldWriter
    ) throws(WireError) {
        let columns = edits.map { edit -> (kind: EditKind, sequence: SequenceID, target: SequenceID, length: Int) in
            switch edit {
            case .rewind(let sequence, let length): (.rewind, sequence, 0, length.rawValue)
            case .release(let sequence): (.release, sequence, 0, 0)
            case .fork(let source, let target, let length): (.fork, source, target, length.rawValue)
            }
        }
        wire.pointee.n_edit = columns.count
        wire.pointee.edit = writer.copy(columns.map(\.kind.rawValue))
        wire.pointee.n_edit_sequence = columns.count
        wire.pointee.edit_sequence = try writer.sequences(columns.map(\.sequence), "editSequences")
        wire.pointee.n_edit_target = columns.count
        wire.pointee.edit_target = try writer.sequences(columns.map(\.target), "editTargets")
        wire.pointee.n_edit_length = columns.count
        wire.pointee.edit_length = try writer.numbers(columns.map(\.length), "editLengths")
    }

    private func packNodes(
        _ wire: UnsafeMutablePointer<Nacre__EnginePass>, _ writer: borrowing FieldWriter
    ) throws(WireError) {
        wire.pointee.n_token = nodes.count
        wire.pointee.token = writer.copy(nodes.map(\.token))
        wire.pointee.n_position = nodes.count
        wire.pointee.position = try writer.numbers(nodes.map(\.position.rawValue), "positions")
        wire.pointee.n_sequence = nodes.count
        wire.pointee.sequence = try writer.sequences(nodes.map(\.sequence), "sequences")
        wire.pointee.n_branches = nodes.count
        wire.pointee.branches = try writer.numbers(nodes.map(\.branches.count), "branches")
        let branches = nodes.flatMap(\.branches)
        wire.pointee.n_branch = branches.count
        wire.pointee.branch = try writer.sequences(branches, "branch")
        wire.pointee.n_score = nodes.count
        wire.pointee.score = writer.copy(nodes.map { $0.score?.kind.number ?? 0 })
    }

    private func packRequests(
        _ wire: UnsafeMutablePointer<Nacre__EnginePass>, _ writer: borrowing FieldWriter
    ) throws(WireError) {
        let requests = nodes.compactMap(\.score)
        var policies: [SamplingPolicy] = []
        var rows: [UnsafeMutablePointer<Nacre__EngineRequest>?] = []
        for request in requests {
            // As many policies as jobs, which are few.
            let policy = policies.firstIndex(of: request.policy) ?? policies.count
            if policy == policies.count { policies.append(request.policy) }
            let row = writer.make(nacre__engine_request__init)
            row.pointee.key = request.key.rawValue
            row.pointee.index = try writer.number(request.index, "index")
            row.pointee.sampling = UInt32(policy)
            row.pointee.limit = try writer.number(request.kind.limit, "limit")
            if case .likelihood(let tokens) = request.kind {
                row.pointee.n_token = tokens.count
                row.pointee.token = writer.copy(tokens)
            }
            rows.append(row)
        }
        wire.pointee.n_request = rows.count
        wire.pointee.request = writer.copy(rows)
        var samplings: [UnsafeMutablePointer<Nacre__Sampling>?] = []
        for policy in policies { samplings.append(try writer.sampling(policy)) }
        wire.pointee.n_sampling = samplings.count
        wire.pointee.sampling = writer.copy(samplings)
    }
}

extension EnginePass {
    init(_ wire: Nacre__EnginePass, _ fields: FieldReader) throws(WireError) {
        self.init(
            edits: try fields.edits(wire), nodes: try fields.nodes(wire), adoptions: try fields.adoptions(wire))
    }
}

extension FieldReader {
    fileprivate func adoptions(_ wire: Nacre__EnginePass) throws(WireError) -> [BranchAdoption] {
        let branches = try sequences(wire.adopted_branch, wire.n_adopted_branch, "adoptedBranches")
        let owners = try sequences(wire.adopting_owner, wire.n_adopting_owner, "adoptingOwners")
        let starts = try counts(wire.adopted_from, wire.n_adopted_from, "adoptedFrom", max: maxima)
        let ends = try counts(wire.adopted_end, wire.n_adopted_end, "adoptedEnd", max: maxima)
        try same(branches.count, [owners.count, starts.count, ends.count], "adoptedBranches")
        if let place = starts.indices.first(where: { starts[$0] > ends[$0] }) {
            throw invalid("adoptedEnd", "has \(ends[place]) after \(starts[place])")
        }
        return branches.indices.map { place in
            BranchAdoption(
                branch: branches[place], owner: owners[place],
                positions: Position(rawValue: starts[place])..<Position(rawValue: ends[place]))
        }
    }

    fileprivate func edits(_ wire: Nacre__EnginePass) throws(WireError) -> [CacheEdit] {
        let kinds = try counts(wire.edit, wire.n_edit, "edits", max: maxima)
        let sources = try sequences(wire.edit_sequence, wire.n_edit_sequence, "editSequences")
        let targets = try sequences(wire.edit_target, wire.n_edit_target, "editTargets")
        let lengths = try counts(wire.edit_length, wire.n_edit_length, "editLengths", max: maxima)
        try same(kinds.count, [sources.count, targets.count, lengths.count], "edits")
        var edits: [CacheEdit] = []
        edits.reserveCapacity(kinds.count)
        for place in kinds.indices {
            let kind: EditKind = try choice(UInt32(kinds[place]), "edits")
            let length = Position(rawValue: lengths[place])
            switch kind {
            case .rewind: edits.append(.rewind(sources[place], length: length))
            case .release: edits.append(.release(sources[place]))
            case .fork: edits.append(.fork(sources[place], to: targets[place], length: length))
            }
        }
        return edits
    }

    fileprivate func nodes(_ wire: Nacre__EnginePass) throws(WireError) -> [ForestNode] {
        let tokens = try tokens(wire.token, wire.n_token, "tokens", max: EngineLinkLimits.nodesMax)
        let positions = try counts(wire.position, wire.n_position, "positions", max: maxima)
        let own = try sequences(wire.sequence, wire.n_sequence, "sequences")
        let shares = try counts(wire.branches, wire.n_branches, "branches", max: maxima)
        let kinds = try counts(wire.score, wire.n_score, "scores", max: maxima)
        try same(tokens.count, [positions.count, own.count, shares.count, kinds.count], "tokens")
        let branchesMax = maxima * EngineLinkLimits.sequencesMax
        var branches = try sequences(wire.branch, wire.n_branch, "branch", max: branchesMax)[...]
        var requests = UnsafeBufferPointer(start: wire.request, count: wire.n_request)[...]
        var policies: [SamplingPolicy] = []
        for policy in UnsafeBufferPointer(start: wire.sampling, count: wire.n_sampling) {
            policies.append(try sampling(policy))
        }
        var nodes: [ForestNode] = []
        nodes.reserveCapacity(tokens.count)
        for place in tokens.indices {
            guard shares[place] <= branches.count else { throw invalid("branch", "ends before node \(place)") }
            var node = ForestNode(
                token: tokens[place], position: Position(rawValue: positions[place]), sequence: own[place],
                branches: Array(branches.prefix(shares[place])))
            branches = branches.dropFirst(shares[place])
            if kinds[place] != 0 {
                guard let request = requests.popFirst() else { throw invalid("requests", "end before node \(place)") }
                node.score = try self.request(
                    try part(request, "requests"), kind: try choice(UInt32(kinds[place]), "scores"), policies)
            }
            nodes.append(node)
        }
        guard branches.isEmpty, requests.isEmpty else { throw invalid("branch", "or requests go on behind the nodes") }
        return nodes
    }

    private func request(
        _ wire: Nacre__EngineRequest, kind: ScoreKind, _ policies: [SamplingPolicy]
    ) throws(WireError) -> ScoreRequest {
        let policy = try count(wire.sampling, "sampling", max: policies.count - 1)
        let limit = try count(wire.limit, "limit")
        let wanted: ScoreRequest.Kind =
            switch kind {
            case .choice: .choice
            case .candidates: .candidates(limit)
            case .measured: .measured(limit)
            case .weights: .weights(entriesMax: limit)
            case .law: .law
            case .likelihood:
                .likelihood(of: try tokens(wire.token, wire.n_token, "requests.tokens", max: Limits.treeNodesMax))
            }
        return ScoreRequest(
            key: StreamKey(rawValue: wire.key), index: try count(wire.index, "index"), policy: policies[policy],
            kind: wanted)
    }

    private var maxima: Int { EngineLinkLimits.nodesMax }

    private func same(_ count: Int, _ others: [Int], _ field: StaticString) throws(WireError) {
        guard others.allSatisfy({ $0 == count }) else {
            throw invalid(field, "has \(count) items beside columns of \(others)")
        }
    }

    private func sequences(
        _ start: UnsafeMutablePointer<UInt32>?, _ count: Int, _ field: StaticString,
        max: Int = EngineLinkLimits.nodesMax
    ) throws(WireError) -> [SequenceID] {
        try counts(start, count, field, max: max).map { SequenceID(rawValue: Int32($0)) }
    }
}

extension FieldWriter {
    fileprivate func sequences(
        _ sequences: [SequenceID], _ field: StaticString
    ) throws(WireError) -> UnsafeMutablePointer<UInt32> {
        try numbers(sequences.map { Int($0.rawValue) }, field)
    }
}

extension ScoreRequest.Kind {
    fileprivate var number: UInt32 {
        switch self {
        case .choice: ScoreKind.choice.rawValue
        case .candidates: ScoreKind.candidates.rawValue
        case .measured: ScoreKind.measured.rawValue
        case .weights: ScoreKind.weights.rawValue
        case .law: ScoreKind.law.rawValue
        case .likelihood: ScoreKind.likelihood.rawValue
        }
    }

    fileprivate var limit: Int {
        switch self {
        case .choice, .law, .likelihood: 0
        case .candidates(let count), .measured(let count): count
        case .weights(let entriesMax): entriesMax
        }
    }
}
