import NacreProtocol
import NacreWire

/// CRC-32C bit by bit, as its definition reads: what the fast one is compared with.
func referenceChecksum(_ bytes: some Sequence<UInt8>) -> UInt32 {
    var crc: UInt32 = 0xFFFF_FFFF
    for byte in bytes {
        crc ^= UInt32(byte)
        for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0x82F6_3B78 : crc >> 1 }
    }
    return ~crc
}

/// A frame with any header, and a right checksum unless `checksum` gives another.
func rawFrame(
    type: UInt16, version: UInt8 = 1, flags: UInt8 = 0, length: UInt32? = nil, checksum: UInt32? = nil,
    payload: [UInt8] = []
) -> [UInt8] {
    func bigEndian<Word: FixedWidthInteger>(_ word: Word) -> [UInt8] { withUnsafeBytes(of: word.bigEndian, Array.init) }
    let head = bigEndian(length ?? UInt32(payload.count)) + bigEndian(type) + [version, flags]
    return head + bigEndian(checksum ?? referenceChecksum(head + payload)) + payload
}

/// Writes protobuf's wire format field by field, so that tests can say what no Nacre would.
struct RawPayload {
    private(set) var bytes: [UInt8] = []

    private func varint(_ value: UInt64) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }

    mutating func number(_ field: UInt64, _ value: UInt64) { bytes += varint(field << 3) + varint(value) }

    mutating func numbers(_ field: UInt64, _ values: [UInt64]) { data(field, values.flatMap { varint($0) }) }

    mutating func data(_ field: UInt64, _ content: [UInt8]) {
        bytes += varint(field << 3 | 2) + varint(UInt64(content.count)) + content
    }

    mutating func text(_ field: UInt64, _ text: String) { data(field, Array(text.utf8)) }

    mutating func double(_ field: UInt64, _ value: Double) {
        bytes += varint(field << 3 | 1) + withUnsafeBytes(of: value.bitPattern.littleEndian, Array.init)
    }

    mutating func doubles(_ field: UInt64, _ values: [Double]) {
        data(field, values.flatMap { withUnsafeBytes(of: $0.bitPattern.littleEndian, Array.init) })
    }

    mutating func float(_ field: UInt64, _ value: Float) {
        bytes += varint(field << 3 | 5) + withUnsafeBytes(of: value.bitPattern.littleEndian, Array.init)
    }

    mutating func floats(_ field: UInt64, _ values: [Float]) {
        data(field, values.flatMap { value in withUnsafeBytes(of: value.bitPattern.littleEndian, Array.init) })
    }

    mutating func part(_ field: UInt64, _ build: (inout RawPayload) -> Void) {
        var part = RawPayload()
        build(&part)
        data(field, part.bytes)
    }
}

/// All messages in `bytes`, taken as a peer that is known already would.
func parse(_ bytes: [UInt8]) throws(WireError) -> [Message] {
    var parser = FrameParser()
    parser.raiseLimit()
    parser.append(bytes)
    var messages: [Message] = []
    while let message = try parser.next() { messages.append(message) }
    try parser.finish()
    return messages
}

/// The code of the error that `bytes` lead to; `nil` if they are messages.
func fault(of bytes: [UInt8]) -> WireError.Code? {
    do {
        _ = try parse(bytes)
        return nil
    } catch {
        return error.code
    }
}
