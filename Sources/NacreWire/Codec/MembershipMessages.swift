internal import CNacreProto
import NacreCore
import NacreProtocol

// The control plane's messages about nodes: who is there, with what, and which vocabulary.

extension Hello {
    func pack(_ writer: borrowing FieldWriter) throws(WireError) -> UnsafeMutableRawPointer {
        let wire = writer.make(nacre__hello__init)
        let brought = writer.make(nacre__capacity__init)
        brought.pointee.shards = try writer.number(capacity.shards, "capacity.shards")
        brought.pointee.sequences = try writer.number(capacity.sequences, "capacity.sequences")
        brought.pointee.context = try writer.number(capacity.context, "capacity.context")
        brought.pointee.nodes_max = try writer.number(capacity.nodesMax, "capacity.nodesMax")
        wire.pointee.node = writer.name(node)
        wire.pointee.incarnation = incarnation.rawValue
        wire.pointee.role = Nacre__Role(rawValue: role.rawValue)
        wire.pointee.wire_min = wireMin
        wire.pointee.wire_max = wireMax
        wire.pointee.model_digest = modelDigest
        wire.pointee.vocabulary_digest = vocabularyDigest
        wire.pointee.data_address = writer.name(dataAddress)
        wire.pointee.capacity = brought
        wire.pointee.model_name = writer.prose(modelName, bytesMax: Limits.nameBytesMax)
        wire.pointee.engine_version = writer.prose(engineVersion, bytesMax: Limits.nameBytesMax)
        wire.pointee.cores = writer.prose(cores, bytesMax: Limits.nameBytesMax)
        if place != .unknown { wire.pointee.place = try place.pack(writer) }
        // For people: a peer would refuse more.
        let told = passTimes.prefix(Limits.passTimesMax)
        let times = writer.room(for: told.count, of: UnsafeMutablePointer<Nacre__PassTime>?.self)
        for (index, time) in told.enumerated() { times[index] = try time.pack(writer) }
        wire.pointee.n_pass_time = told.count
        wire.pointee.pass_time = times
        wire.pointee.inexact = isExact ? 0 : 1
        wire.pointee.disturbance = writer.prose(disturbance, bytesMax: Limits.nameBytesMax)
        wire.pointee.bridge = Nacre__Bridge(rawValue: BridgeCode(bridge).rawValue)
        return UnsafeMutableRawPointer(wire)
    }

    init(_ wire: Nacre__Hello, _ fields: FieldReader) throws(WireError) {
        let versions = try fields.versions(wire.wire_min, wire.wire_max)
        let brought = try fields.part(wire.capacity, "capacity")
        self.init(
            node: try fields.name(wire.node, "node"), incarnation: Incarnation(rawValue: wire.incarnation),
            role: try fields.choice(wire.role.rawValue, "role"), wireMin: versions.low, wireMax: versions.high,
            modelDigest: wire.model_digest, vocabularyDigest: wire.vocabulary_digest,
            dataAddress: try fields.name(wire.data_address, "dataAddress", mayBeEmpty: true),
            capacity: Capacity(
                sequences: try fields.count(brought.sequences, "capacity.sequences"),
                context: try fields.count(brought.context, "capacity.context"),
                nodesMax: try fields.count(brought.nodes_max, "capacity.nodesMax"),
                // A node that does not say has what every node had.
                shards: max(1, try fields.count(brought.shards, "capacity.shards", max: Limits.shardsMax))),
            modelName: try fields.prose(wire.model_name, "modelName", bytesMax: Limits.nameBytesMax),
            engineVersion: try fields.prose(wire.engine_version, "engineVersion", bytesMax: Limits.nameBytesMax),
            cores: try fields.prose(wire.cores, "cores", bytesMax: Limits.nameBytesMax),
            place: try ComputePlace(wire.place, fields),
            passTimes: try PassTime.list(wire.pass_time, wire.n_pass_time, fields), isExact: wire.inexact == 0,
            disturbance: try fields.prose(wire.disturbance, "disturbance", bytesMax: Limits.nameBytesMax),
            bridge: (try fields.choice(wire.bridge.rawValue, "bridge") as BridgeCode).kind)
    }
}

extension ComputePlace {
    fileprivate func pack(
        _ writer: borrowing FieldWriter
    ) throws(WireError) -> UnsafeMutablePointer<Nacre__ComputePlace> {
        let wire = writer.make(nacre__compute_place__init)
        wire.pointee.host = host
        wire.pointee.threads = try writer.number(threads, "place.threads")
        let list = writer.room(for: cores.count, of: UInt32.self)
        for (index, core) in cores.enumerated() { list[index] = try writer.number(core, "place.cores") }
        wire.pointee.n_core = cores.count
        wire.pointee.core = list
        return wire
    }

    /// A node that does not say is nowhere known.
    fileprivate init(_ wire: UnsafeMutablePointer<Nacre__ComputePlace>?, _ fields: FieldReader) throws(WireError) {
        guard let wire = wire?.pointee else {
            self = .unknown
            return
        }
        guard wire.n_core <= Limits.coresMax else {
            throw fields.invalid("place.cores", "has \(wire.n_core) items, at most \(Limits.coresMax) are allowed")
        }
        var cores: [Int] = []
        for core in UnsafeBufferPointer(start: wire.core, count: wire.n_core) {
            cores.append(try fields.count(core, "place.cores"))
        }
        self.init(host: wire.host, cores: cores, threads: try fields.count(wire.threads, "place.threads"))
    }
}

extension PassTime {
    func pack(_ writer: borrowing FieldWriter) throws(WireError) -> UnsafeMutablePointer<Nacre__PassTime> {
        let wire = writer.make(nacre__pass_time__init)
        wire.pointee.shards = try writer.number(shards, "passTimes.shards")
        wire.pointee.nodes = try writer.number(nodes, "passTimes.nodes")
        wire.pointee.pass_us = microseconds
        return wire
    }

    static func list(
        _ start: UnsafeMutablePointer<UnsafeMutablePointer<Nacre__PassTime>?>?, _ count: Int, _ fields: FieldReader
    ) throws(WireError) -> [PassTime] {
        guard count <= Limits.passTimesMax else {
            throw fields.invalid("passTimes", "has \(count) items, at most \(Limits.passTimesMax) are allowed")
        }
        var times: [PassTime] = []
        for pointer in UnsafeBufferPointer(start: start, count: count) {
            let wire = try fields.part(pointer, "passTimes")
            times.append(
                PassTime(
                    shards: try fields.count(wire.shards, "passTimes.shards", max: Limits.shardsMax),
                    nodes: try fields.count(wire.nodes, "passTimes.nodes"), microseconds: wire.pass_us))
        }
        return times
    }
}

extension Welcome {
    func pack(_ writer: borrowing FieldWriter) -> UnsafeMutableRawPointer {
        let wire = writer.make(nacre__welcome__init)
        wire.pointee.generation = generation.rawValue
        wire.pointee.wire = self.wire
        wire.pointee.heartbeat_ms = heartbeatMilliseconds
        wire.pointee.lease_ms = leaseMilliseconds
        wire.pointee.wants_vocabulary = wantsVocabulary ? 1 : 0
        return UnsafeMutableRawPointer(wire)
    }

    init(_ wire: Nacre__Welcome, _ fields: FieldReader) throws(WireError) {
        // A node that heeded such a rhythm would do nothing else, or be given up at once.
        guard wire.heartbeat_ms > 0, wire.heartbeat_ms <= wire.lease_ms else {
            throw fields.invalid(
                "heartbeatMilliseconds", "is \(wire.heartbeat_ms), not between 1 and the lease, \(wire.lease_ms)")
        }
        self.init(
            generation: Generation(rawValue: wire.generation), wire: wire.wire,
            heartbeatMilliseconds: wire.heartbeat_ms, leaseMilliseconds: wire.lease_ms,
            wantsVocabulary: wire.wants_vocabulary != 0)
    }
}

extension Heartbeat {
    func pack(_ writer: borrowing FieldWriter) throws(WireError) -> UnsafeMutableRawPointer {
        let wire = writer.make(nacre__heartbeat__init)
        let carried = writer.make(nacre__load__init)
        carried.pointee.jobs = try writer.number(load.jobs, "load.jobs")
        carried.pointee.busy = load.busy
        carried.pointee.step_us = load.stepMicroseconds
        carried.pointee.round_trip_us = load.roundTripMicroseconds
        carried.pointee.passing_us = load.clock.passing
        carried.pointee.waiting_us = load.clock.waiting
        let pairs = writer.room(for: load.pairs.count, of: UnsafeMutablePointer<Nacre__PairReport>?.self)
        for (index, pair) in load.pairs.enumerated() { pairs[index] = try pair.pack(writer) }
        wire.pointee.n_pair = load.pairs.count
        wire.pointee.pair = pairs
        wire.pointee.number = number
        wire.pointee.load = carried
        return UnsafeMutableRawPointer(wire)
    }

    init(_ wire: Nacre__Heartbeat, _ fields: FieldReader) throws(WireError) {
        let carried = try fields.part(wire.load, "load")
        guard carried.busy >= 0, carried.busy <= 1 else {
            throw fields.invalid("load.busy", "is \(carried.busy), not between 0 and 1")
        }
        var clock = NodeClock()
        clock.passing = carried.passing_us
        clock.waiting = carried.waiting_us
        self.init(
            number: wire.number,
            load: Load(
                jobs: try fields.count(carried.jobs, "load.jobs"), busy: carried.busy,
                stepMicroseconds: carried.step_us, roundTripMicroseconds: carried.round_trip_us, clock: clock,
                pairs: try PairReport.list(wire.pair, wire.n_pair, fields)))
    }
}

extension HeartbeatAck {
    func pack(_ writer: borrowing FieldWriter) -> UnsafeMutableRawPointer {
        let wire = writer.make(nacre__heartbeat_ack__init)
        wire.pointee.number = number
        return UnsafeMutableRawPointer(wire)
    }

    init(_ wire: Nacre__HeartbeatAck) { self.init(number: wire.number) }
}

extension VocabularyChunk {
    private static let endsGenerationFlag: UInt32 = 1
    private static let isControlFlag: UInt32 = 2

    func pack(_ writer: borrowing FieldWriter) throws(WireError) -> UnsafeMutableRawPointer {
        let wire = writer.make(nacre__vocabulary_chunk__init)
        let lengths = writer.room(for: entries.count, of: UInt32.self)
        let flags = writer.room(for: entries.count, of: UInt32.self)
        var pieces: [UInt8] = []
        for (index, entry) in entries.enumerated() {
            pieces += entry.piece
            lengths[index] = try writer.number(entry.piece.count, "entries.piece")
            flags[index] =
                (entry.endsGeneration ? VocabularyChunk.endsGenerationFlag : 0)
                | (entry.isControl ? VocabularyChunk.isControlFlag : 0)
        }
        wire.pointee.digest = digest
        wire.pointee.total = try writer.number(total, "total")
        wire.pointee.first = try writer.number(first, "first")
        wire.pointee.pieces = ProtobufCBinaryData(len: pieces.count, data: writer.copy(pieces))
        wire.pointee.n_length = entries.count
        wire.pointee.length = lengths
        wire.pointee.n_flags = entries.count
        wire.pointee.flags = flags
        return UnsafeMutableRawPointer(wire)
    }

    init(_ wire: Nacre__VocabularyChunk, _ fields: FieldReader) throws(WireError) {
        guard wire.n_length == wire.n_flags, wire.n_length <= Limits.vocabularyChunkEntries else {
            throw fields.invalid(
                "entries",
                "has \(wire.n_length) lengths and \(wire.n_flags) flags, not the same number of at most "
                    + "\(Limits.vocabularyChunkEntries)")
        }
        let total = try fields.count(wire.total, "total", max: Limits.vocabularyEntriesMax)
        let first = try fields.count(wire.first, "first", max: total)
        try fields.within(total, offset: first, part: wire.n_length, "entries")
        let pieces = UnsafeBufferPointer(start: wire.pieces.data, count: wire.pieces.len)
        let lengths = UnsafeBufferPointer(start: wire.length, count: wire.n_length)
        let flags = UnsafeBufferPointer(start: wire.flags, count: wire.n_flags)
        guard lengths.reduce(0, { $0 + Int($1) }) == pieces.count else {
            throw fields.invalid("entries.piece", "has lengths that do not add up to \(pieces.count) bytes")
        }
        var entries: [Entry] = []
        entries.reserveCapacity(lengths.count)
        var offset = 0
        for (length, flags) in zip(lengths, flags) {
            guard flags <= VocabularyChunk.endsGenerationFlag | VocabularyChunk.isControlFlag else {
                throw fields.invalid("entries.flags", "is \(flags), which means nothing")
            }
            entries.append(
                Entry(
                    piece: Array(pieces[offset..<(offset + Int(length))]),
                    endsGeneration: flags & VocabularyChunk.endsGenerationFlag != 0,
                    isControl: flags & VocabularyChunk.isControlFlag != 0))
            offset += Int(length)
        }
        self.init(digest: wire.digest, total: total, first: first, entries: entries)
    }
}

extension Tokenize {
    func pack(_ writer: borrowing FieldWriter) -> UnsafeMutableRawPointer {
        let wire = writer.make(nacre__tokenize__init)
        wire.pointee.request = request
        wire.pointee.text = ProtobufCBinaryData(len: text.count, data: writer.copy(text))
        return UnsafeMutableRawPointer(wire)
    }

    init(_ wire: Nacre__Tokenize, _ fields: FieldReader) throws(WireError) {
        guard wire.text.len <= Limits.promptBytesMax else {
            throw fields.invalid("text", "has \(wire.text.len) bytes, at most \(Limits.promptBytesMax) are allowed")
        }
        self.init(request: wire.request, text: fields.bytes(wire.text))
    }
}

extension Tokenized {
    func pack(_ writer: borrowing FieldWriter) -> UnsafeMutableRawPointer {
        let wire = writer.make(nacre__tokenized__init)
        wire.pointee.request = request
        wire.pointee.n_token = tokens.count
        wire.pointee.token = writer.copy(tokens)
        wire.pointee.error = writer.prose(error, bytesMax: Limits.detailBytesMax)
        return UnsafeMutableRawPointer(wire)
    }

    init(_ wire: Nacre__Tokenized, _ fields: FieldReader) throws(WireError) {
        self.init(
            request: wire.request,
            tokens: try fields.tokens(wire.token, wire.n_token, "tokens", max: Limits.promptTokensMax),
            error: try fields.prose(wire.error, "error", bytesMax: Limits.detailBytesMax))
        guard tokens.isEmpty || error.isEmpty else { throw fields.invalid("error", "comes with tokens") }
    }
}
