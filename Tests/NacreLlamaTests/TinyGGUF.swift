/// Small GGUFs, byte by byte: what other programs write, and models that nobody would train.
struct TinyGGUF {
    enum Value {
        case text(String)
        case number(UInt32)
        case signed(Int32)
        case half(UInt16)
        case float(Float)
    }

    struct Tensor {
        var name: String
        /// The fastest index first.
        var shape: [UInt64]
        /// GGUF's number for the number type.
        var type: UInt32
        var bytes: [UInt8]
    }

    var version: UInt32 = 3
    var isBigEndian = false
    var pairs: [(key: String, value: Value)] = []
    /// Pairs of another file as they are there, before `pairs`.
    var copied: [(key: String, bytes: [UInt8])] = []
    var tensors: [Tensor] = []

    var bytes: [UInt8] {
        var bytes =
            Array("GGUF".utf8) + word(version) + word(UInt64(tensors.count)) + word(UInt64(pairs.count + copied.count))
        for (_, pair) in copied { bytes += pair }
        for (key, value) in pairs {
            bytes += string(key)
            // The numbers of GGUF's types.
            switch value {
            case .half(let half): bytes += word(UInt32(2)) + word(half)
            case .number(let number): bytes += word(UInt32(4)) + word(number)
            case .signed(let number): bytes += word(UInt32(5)) + word(number)
            case .float(let float): bytes += word(UInt32(6)) + word(float.bitPattern)
            case .text(let text): bytes += word(UInt32(8)) + string(text)
            }
        }
        var weights: [UInt8] = []
        for tensor in tensors {
            bytes += string(tensor.name) + word(UInt32(tensor.shape.count)) + tensor.shape.flatMap { word($0) }
            bytes += word(tensor.type) + word(UInt64(weights.count))
            weights += Self.padded(tensor.bytes)
        }
        return Self.padded(bytes) + weights
    }

    /// Weights begin at multiples of 32.
    private static func padded(_ bytes: [UInt8]) -> [UInt8] {
        bytes + Array(repeating: 0, count: (32 - bytes.count % 32) % 32)
    }

    /// The length before a text or a list.
    static func length(_ count: Int) -> [UInt8] { withUnsafeBytes(of: UInt64(count).littleEndian) { Array($0) } }

    private func string(_ text: String) -> [UInt8] { word(UInt64(text.utf8.count)) + Array(text.utf8) }

    private func word(_ number: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: isBigEndian ? number.bigEndian : number.littleEndian) { Array($0) }
    }
}
