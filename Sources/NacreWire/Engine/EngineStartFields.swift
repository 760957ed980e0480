internal import CNacreProto
import NacreCore
import NacreEngine
import NacreProtocol

// Loading a model in a child process.

extension EngineStart {
    func pack(_ writer: borrowing FieldWriter) throws(WireError) -> UnsafeMutableRawPointer {
        let wire = writer.make(nacre__engine_start__init)
        wire.pointee.path = writer.name(path)
        wire.pointee.n_layers = layers.count
        wire.pointee.layers = writer.copy(layers.map { writer.name($0) })
        wire.pointee.threads = try writer.number(threads, "threads")
        wire.pointee.n_cpu = cpus?.count ?? 0
        wire.pointee.cpu = try writer.numbers(cpus ?? [], "cpus")
        wire.pointee.context_per_job = try writer.number(contextPerJob ?? 0, "contextPerJob")
        wire.pointee.sequences = try writer.number(sequences, "sequences")
        wire.pointee.branches = try writer.number(branches, "branches")
        wire.pointee.nodes_max = try writer.number(nodesMax, "nodesMax")
        wire.pointee.inexact = isExact ? 0 : 1
        return UnsafeMutableRawPointer(wire)
    }

    init(_ wire: Nacre__EngineStart, _ fields: FieldReader) throws(WireError) {
        guard (1...EngineLinkLimits.layersMax).contains(wire.n_layers) else {
            throw fields.invalid("layers", "has \(wire.n_layers) items, 1 to \(EngineLinkLimits.layersMax) are allowed")
        }
        var layers: [String] = []
        for text in UnsafeBufferPointer(start: wire.layers, count: wire.n_layers) {
            layers.append(try fields.name(text, "layers"))
        }
        let cpus = try fields.counts(wire.cpu, wire.n_cpu, "cpus", max: EngineLinkLimits.cpusMax)
        let context = try fields.count(wire.context_per_job, "contextPerJob")
        self.init(
            path: try fields.prose(wire.path, "path", bytesMax: EngineLinkLimits.pathBytesMax), layers: layers,
            threads: try fields.count(wire.threads, "threads", max: EngineLinkLimits.cpusMax),
            cpus: cpus.isEmpty ? nil : cpus, contextPerJob: context == 0 ? nil : context,
            sequences: try fields.count(wire.sequences, "sequences", max: EngineLinkLimits.sequencesMax),
            branches: try fields.count(wire.branches, "branches", max: EngineLinkLimits.sequencesMax),
            nodesMax: try fields.count(wire.nodes_max, "nodesMax", max: EngineLinkLimits.nodesMax),
            isExact: wire.inexact == 0)
    }
}

extension EngineReady {
    func pack(_ writer: borrowing FieldWriter) throws(WireError) -> UnsafeMutableRawPointer {
        let wire = writer.make(nacre__engine_ready__init)
        wire.pointee.vocabulary_size = try writer.number(shape.vocabularySize, "vocabularySize")
        wire.pointee.context_cells = try writer.number(shape.contextCells, "contextCells")
        wire.pointee.sequences = try writer.number(shape.sequences, "sequences")
        wire.pointee.branches = try writer.number(shape.branches, "branches")
        wire.pointee.nodes_max = try writer.number(shape.nodesMax, "nodesMax")
        wire.pointee.can_rewind = shape.canRewind ? 1 : 0
        wire.pointee.context_per_job = try writer.number(contextPerJob, "contextPerJob")
        wire.pointee.model_digest = modelDigest
        wire.pointee.description = writer.prose(description, bytesMax: Limits.detailBytesMax)
        return UnsafeMutableRawPointer(wire)
    }

    init(_ wire: Nacre__EngineReady, _ fields: FieldReader) throws(WireError) {
        let sequences = try fields.count(wire.sequences, "sequences", max: EngineLinkLimits.sequencesMax)
        self.init(
            shape: EngineShape(
                vocabularySize: try fields.count(
                    wire.vocabulary_size, "vocabularySize", max: Limits.vocabularyEntriesMax),
                contextCells: try fields.count(wire.context_cells, "contextCells"), sequences: sequences,
                branches: try fields.count(wire.branches, "branches", max: sequences),
                nodesMax: try fields.count(wire.nodes_max, "nodesMax", max: EngineLinkLimits.nodesMax),
                canRewind: wire.can_rewind != 0),
            contextPerJob: try fields.count(wire.context_per_job, "contextPerJob"), modelDigest: wire.model_digest,
            description: try fields.prose(wire.description, "description", bytesMax: Limits.detailBytesMax))
    }
}

extension EngineError.Code {
    /// The numbers of proto/engine.proto.
    fileprivate static let numbers: [UInt32: EngineError.Code] = [
        1: .modelUnreadable, 2: .modelUnsupported, 3: .cacheFull, 4: .invalidPass, 5: .invalidText, 6: .failed,
        7: .lost,
    ]

    fileprivate var number: UInt32 {
        switch self {
        case .modelUnreadable: 1
        case .modelUnsupported: 2
        case .cacheFull: 3
        case .invalidPass: 4
        case .invalidText: 5
        case .failed: 6
        case .lost: 7
        }
    }
}

extension FieldWriter {
    func refusal(_ error: EngineError) -> UnsafeMutableRawPointer {
        let wire = make(nacre__engine_refusal__init)
        wire.pointee.code = error.code.number
        wire.pointee.message = prose(error.message, bytesMax: Limits.detailBytesMax)
        wire.pointee.remedy = prose(error.remedy, bytesMax: Limits.detailBytesMax)
        return UnsafeMutableRawPointer(wire)
    }
}

extension FieldReader {
    func refusal(_ wire: Nacre__EngineRefusal) throws(WireError) -> EngineError {
        guard let code = EngineError.Code.numbers[wire.code] else {
            throw invalid("code", "is \(wire.code), which means nothing")
        }
        return EngineError(
            code, try prose(wire.message, "message", bytesMax: Limits.detailBytesMax),
            remedy: try prose(wire.remedy, "remedy", bytesMax: Limits.detailBytesMax))
    }

    /// Numbers that fit an `Int32`, as `max` says how many.
    func counts(
        _ start: UnsafeMutablePointer<UInt32>?, _ count: Int, _ field: StaticString, max: Int
    ) throws(WireError) -> [Int] {
        guard count <= max else { throw invalid(field, "has \(count) items, at most \(max) are allowed") }
        let values = UnsafeBufferPointer(start: start, count: count)
        if let odd = values.first(where: { $0 > Int32.max }) { throw invalid(field, "has \(odd)") }
        return values.map { Int($0) }
    }
}
