internal import CNacreProto
import NacreCore
import NacreProtocol

/// Builds the C form of one message in an arena of its own.
struct FieldWriter: ~Copyable {
    /// The message's kind, as it is called in complaints.
    let type: any Sendable
    private let arena = FrameArena(budget: FrameArena.unbounded)

    init(type: any Sendable) { self.type = type }

    /// A C message with every field at its default.
    func make<C: BitwiseCopyable>(_ initialise: (UnsafeMutablePointer<C>?) -> Void) -> UnsafeMutablePointer<C> {
        let message = room(for: 1, of: C.self)
        initialise(message)
        return message
    }

    /// Room for `count` values, to be filled by the caller.
    func room<T: BitwiseCopyable>(for count: Int, of element: T.Type) -> UnsafeMutablePointer<T> {
        guard let room = arena.room(for: count, of: element) else {
            preconditionFailure("an unbounded arena refused \(count) × \(element)")
        }
        return room
    }

    func number(_ value: Int, _ field: StaticString) throws(WireError) -> UInt32 {
        guard let number = UInt32(exactly: value) else {
            throw WireError(
                .unsendable, "\(type).\(field) is \(value), which does not fit the wire",
                remedy: "report this; the value should have been refused where it came from")
        }
        return number
    }

    func copy(_ tokens: [TokenID]) -> UnsafeMutablePointer<UInt32> {
        let copies = room(for: tokens.count, of: UInt32.self)
        for (index, token) in tokens.enumerated() { copies[index] = token.rawValue }
        return copies
    }

    func copy<T: BitwiseCopyable>(_ values: [T]) -> UnsafeMutablePointer<T> {
        let copies = room(for: values.count, of: T.self)
        for (index, value) in values.enumerated() { copies[index] = value }
        return copies
    }

    /// A text that means something to a program, whole.
    func name(_ text: String) -> UnsafeMutablePointer<CChar> { cString(text.utf8) }

    /// A text for people, cut after the last character that fits.
    func prose(_ text: String, bytesMax: Int) -> UnsafeMutablePointer<CChar> {
        guard text.utf8.count > bytesMax else { return cString(text.utf8) }
        var end = text.utf8.index(text.utf8.startIndex, offsetBy: bytesMax)
        // A Unicode scalar begins where the byte is not a continuation byte, 10xxxxxx.
        while end > text.utf8.startIndex, text.utf8[end] & 0xC0 == 0x80 { end = text.utf8.index(before: end) }
        return cString(text.utf8[..<end])
    }

    private func cString(_ bytes: some Collection<UInt8>) -> UnsafeMutablePointer<CChar> {
        let copy = room(for: bytes.count + 1, of: CChar.self)
        var count = 0
        for byte in bytes {
            copy[count] = CChar(bitPattern: byte)
            count += 1
        }
        copy[count] = 0
        return copy
    }

    func sampling(_ policy: SamplingPolicy) throws(WireError) -> UnsafeMutablePointer<Nacre__Sampling> {
        let wire = make(nacre__sampling__init)
        wire.pointee.temperature = policy.temperature
        // Beyond every vocabulary one top-k is like the other; a user may ask for any.
        wire.pointee.top_k = try number(min(policy.topK, Limits.vocabularyEntriesMax), "sampling.topK")
        wire.pointee.top_p = policy.topP
        wire.pointee.min_p = policy.minP
        return wire
    }
}
