extension TinyGGUF {
    /// A number type of weights.
    enum Format: UInt32, CaseIterable {
        case half = 1
        case nibbles = 2
    }

    /// The same model with its Q8_0 weights as F16 or Q4_0.
    ///
    /// - Source: the blocks of 32 weights are ggml's: a scale in F16, then 32 bytes (Q8_0) or 16 bytes with a weight in
    ///   each half, the first 16 weights in the lower ones (Q4_0).
    func converted(to format: Format) -> TinyGGUF {
        var model = self
        for index in tensors.indices where tensors[index].type == 8 {
            let count = tensors[index].shape.reduce(1, *)
            var bytes: [UInt8] = []
            bytes.reserveCapacity(Int(count) * 2)
            for block in 0..<Int(count) / 32 {
                let source = tensors[index].bytes[block * 34..<block * 34 + 34]
                let scale = Float(Self.half(source.prefix(2)))
                let weights = source.dropFirst(2).map { scale * Float(Int8(bitPattern: $0)) }
                switch format {
                case .half: for weight in weights { bytes += Self.bytes(Float16(weight)) }
                case .nibbles: bytes += Self.nibbles(weights)
                }
            }
            model.tensors[index].type = format.rawValue
            model.tensors[index].bytes = bytes
        }
        return model
    }

    private static func nibbles(_ weights: [Float]) -> [UInt8] {
        let largest = weights.max { abs($0) < abs($1) } ?? 0
        let scale = Float16(largest / -8)
        let inverse = scale == 0 ? 0 : 1 / Float(scale)
        let quants = weights.map { UInt8(min(15, max(0, ($0 * inverse + 8.5).rounded(.down)))) }
        return bytes(scale) + (0..<16).map { quants[$0] | quants[$0 + 16] << 4 }
    }

    private static func half(_ bytes: ArraySlice<UInt8>) -> Float16 {
        Float16(bitPattern: bytes.reversed().reduce(0) { $0 << 8 | UInt16($1) })
    }

    private static func bytes(_ half: Float16) -> [UInt8] {
        [UInt8(truncatingIfNeeded: half.bitPattern), UInt8(half.bitPattern >> 8)]
    }
}
