import NacreEngine

/// A 64-bit FNV-1a hash: fast, well spread, not cryptographic. It tells honest files apart; it does not stop someone
/// who builds a collision on purpose.
///
/// - Source: Fowler, Noll, Vo; constants as in draft-eastlake-fnv, 64 bits.
package struct Digest {
    package private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

    package init() {}

    package mutating func absorb(_ bytes: UnsafeRawBufferPointer) {
        var hash = value
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
        value = hash
    }

    /// Absorbs a number as eight bytes, lowest first.
    mutating func absorb(_ number: UInt64) {
        withUnsafeBytes(of: number.littleEndian) { absorb($0) }
    }
}

extension Digest {
    /// Files up to this size are hashed whole.
    private static let wholeBytesMax = 64 << 20
    private static let windows = 512
    private static let windowBytes = 16 << 10

    /// A digest of a model file: all of it if it is small; else its length, everything before the weights, and 512
    /// windows of 16 KiB spread evenly over them. Of a model in several files only the named one is read.
    static func ofModel(_ file: borrowing FileBytes, weightsOffset: Int) throws(EngineError) -> UInt64 {
        var digest = Digest()
        digest.absorb(UInt64(file.count))
        guard file.count > wholeBytesMax else {
            try digest.absorb(file, 0..<file.count)
            return digest.value
        }
        try digest.absorb(file, 0..<weightsOffset)
        let stride = (file.count - weightsOffset - windowBytes) / (windows - 1)
        for window in 0..<windows {
            let start = weightsOffset + window * stride
            try digest.absorb(file, start..<start + windowBytes)
        }
        return digest.value
    }

    private mutating func absorb(_ file: borrowing FileBytes, _ range: Range<Int>) throws(EngineError) {
        var start = range.lowerBound
        while start < range.upperBound {
            let bytes = try file.bytes(at: start, count: min(1 << 20, range.upperBound - start))
            if bytes.isEmpty { return }
            bytes.withUnsafeBytes { absorb($0) }
            start += bytes.count
        }
    }
}
