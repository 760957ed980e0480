/// GGUF headers without tensors, byte by byte: what other programs write that is not a model.
struct TinyGGUF {
    enum Value {
        case text(String)
        case number(UInt32)
        case half(UInt16)
    }

    var version: UInt32 = 3
    var isBigEndian = false
    var pairs: [(key: String, value: Value)] = []

    var bytes: [UInt8] {
        var bytes = Array("GGUF".utf8) + word(version) + word(UInt64(0)) + word(UInt64(pairs.count))
        for (key, value) in pairs {
            bytes += string(key)
            // The numbers of GGUF's types.
            switch value {
            case .half(let half): bytes += word(UInt32(2)) + word(half)
            case .number(let number): bytes += word(UInt32(4)) + word(number)
            case .text(let text): bytes += word(UInt32(8)) + string(text)
            }
        }
        // The weights begin at a multiple of 32.
        return bytes + Array(repeating: 0, count: (32 - bytes.count % 32) % 32)
    }

    private func string(_ text: String) -> [UInt8] { word(UInt64(text.utf8.count)) + Array(text.utf8) }

    private func word(_ number: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: isBigEndian ? number.bigEndian : number.littleEndian) { Array($0) }
    }
}
