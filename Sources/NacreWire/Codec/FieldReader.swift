internal import CNacreProto
import NacreCore
import NacreProtocol

/// Checks the values of one unpacked message; every complaint names message and field.
struct FieldReader {
    /// The message's kind, as it is called in complaints.
    let type: any Sendable

    func invalid(_ field: StaticString, _ complaint: String) -> WireError {
        WireError(
            .invalidValue, "\(type).\(field) \(complaint)",
            remedy: "run the same release of Nacre on both sides; if they are the same, report this")
    }

    func count(_ value: UInt32, _ field: StaticString, max: Int = Int(Int32.max)) throws(WireError) -> Int {
        guard value <= max else { throw invalid(field, "is \(value), at most \(max) is allowed") }
        return Int(value)
    }

    func position(_ value: UInt32, _ field: StaticString, max: Int = Int(Int32.max)) throws(WireError) -> Position {
        Position(rawValue: try count(value, field, max: max))
    }

    /// Checks that `part` items from `offset` on lie within `total`.
    func within(_ total: Int, offset: Int, part: Int, _ field: StaticString) throws(WireError) {
        guard offset + part <= total else {
            throw invalid(field, "has \(part) items from \(offset) on, but there are \(total) in all")
        }
    }

    func attempt(_ value: UInt32) throws(WireError) -> Attempt {
        guard value > 0 else { throw invalid("attempt", "is 0; attempts count from 1") }
        return Attempt(rawValue: value)
    }

    func choice<Choice: RawRepresentable<UInt32>>(
        _ value: UInt32, _ field: StaticString, of: Choice.Type = Choice.self
    ) throws(WireError) -> Choice {
        guard let choice = Choice(rawValue: value) else { throw invalid(field, "is \(value), which means nothing") }
        return choice
    }

    func versions(_ low: UInt32, _ high: UInt32) throws(WireError) -> (low: UInt32, high: UInt32) {
        guard low > 0, low <= high else { throw invalid("wireMin", "to wireMax is \(low) to \(high), not a range") }
        return (low, high)
    }

    func tokens(
        _ start: UnsafeMutablePointer<UInt32>?, _ count: Int, _ field: StaticString, max: Int
    ) throws(WireError) -> [TokenID] {
        guard count <= max else { throw invalid(field, "has \(count) items, at most \(max) are allowed") }
        var largest: UInt32 = 0
        let tokens = [TokenID](unsafeUninitializedCapacity: count) { room, initialised in
            for (index, token) in UnsafeBufferPointer(start: start, count: count).enumerated() {
                room.initializeElement(at: index, to: TokenID(rawValue: token))
                largest = Swift.max(largest, token)
            }
            initialised = count
        }
        guard largest < Limits.vocabularyEntriesMax else {
            throw invalid(field, "has token \(largest), of at most \(Limits.vocabularyEntriesMax)")
        }
        return tokens
    }

    /// A text that means something to a program.
    func name(
        _ text: UnsafeMutablePointer<CChar>?, _ field: StaticString, mayBeEmpty: Bool = false
    ) throws(WireError) -> String {
        let name = try prose(text, field, bytesMax: Limits.nameBytesMax)
        guard mayBeEmpty || !name.isEmpty else { throw invalid(field, "is empty") }
        guard name.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
            throw invalid(field, "has control characters")
        }
        return name
    }

    /// A text for people.
    func prose(
        _ text: UnsafeMutablePointer<CChar>?, _ field: StaticString, bytesMax: Int
    ) throws(WireError) -> String {
        guard let text, let checked = String(validatingCString: text) else { throw invalid(field, "is not UTF-8") }
        guard checked.utf8.count <= bytesMax else {
            throw invalid(field, "has \(checked.utf8.count) bytes, at most \(bytesMax) are allowed")
        }
        return checked
    }

    func bytes(_ data: ProtobufCBinaryData) -> [UInt8] {
        Array(UnsafeBufferPointer(start: data.data, count: data.len))
    }

    /// A sub-message that must be there.
    func part<C>(_ pointer: UnsafeMutablePointer<C>?, _ field: StaticString) throws(WireError) -> C {
        guard let pointer else { throw invalid(field, "is missing") }
        return pointer.pointee
    }

    func sampling(_ pointer: UnsafeMutablePointer<Nacre__Sampling>?) throws(WireError) -> SamplingPolicy {
        let wire = try part(pointer, "sampling")
        let policy = SamplingPolicy(
            temperature: wire.temperature,
            topK: try count(wire.top_k, "sampling.topK", max: Limits.vocabularyEntriesMax), topP: wire.top_p,
            minP: wire.min_p)
        if let complaint = policy.complaint { throw invalid("sampling", "is unusable, \(complaint)") }
        return policy
    }
}
