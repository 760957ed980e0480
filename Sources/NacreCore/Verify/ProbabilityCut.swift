import RealModule

/// The tokens that top-k, top-p and min-p leave: those from the largest finite logit down to a last one.
///
/// Temperature keeps the order of the logits, so each filter, and all three together, keep a prefix of the tokens in
/// order of falling logit, then rising id. The prefix is named by its last token; nothing is sorted or copied.
struct ProbabilityCut {
    /// The largest finite logit of the row.
    let largest: Float
    /// The logit of the last token kept.
    private(set) var lowest = -Float.greatestFiniteMagnitude
    /// Of the tokens whose logit is exactly `lowest`, the last id kept.
    private(set) var lastTie = Int.max

    /// Working memory, reused from row to row.
    struct Scratch: Sendable {
        fileprivate var weights = [Double](repeating: 0, count: 1 << 11)
        fileprivate var boundary: [UInt32] = []
    }

    /// Applies temperature, top-k, top-p and min-p, in this order (ALGORITHMS 0.1).
    init(
        _ row: UnsafeBufferPointer<Float>, largest: Float, _ inverse: Double, _ policy: SamplingPolicy,
        _ scratch: inout CoupledScratch
    ) {
        self.largest = largest
        if policy.topK > 0 && policy.topK < row.count {
            let k = Double(policy.topK)
            narrow(row, &scratch.cut, weight: { _ in 1 }, target: { _ in k })
        }
        if policy.topP < 1 {
            // Relative to the likeliest token, so no weight overflows; the sum over the row normalises.
            narrow(
                row, &scratch.cut, weight: { Double.exp((Double($0) - Double(largest)) * inverse) },
                target: { $0 * policy.topP })
        }
        if policy.minP > 0 {
            // p(x) ≥ minP · p(max), taken in logits; the likeliest token stays whatever the rounding.
            let bound = Double(largest) + Double.log(policy.minP) / inverse
            let logit = min(Float(bound), largest)
            // Rounded up to the next Float if the conversion rounded down: a logit must reach the bound itself.
            let reached = Double(logit) < bound ? min(logit.nextUp, largest) : logit
            if reached > lowest {
                lowest = reached
                lastTie = .max
            }
        }
    }

    /// Whether a token with this logit is left. False for NaN and the infinities.
    @inline(__always)
    func keeps(_ logit: Float, at token: Int) -> Bool {
        logit <= largest && (logit > lowest || (logit == lowest && token <= lastTie))
    }

    /// The largest logit kept among sixteen tokens, ties at the cut counted as kept; −∞ if there is none.
    @inline(__always)
    func highest(_ row: UnsafeBufferPointer<Float>, ofSixteenFrom start: Int) -> Float {
        var highest = -Float.infinity
        for token in start..<start + 16 {
            let logit = row[token]
            if logit > highest && logit <= largest { highest = logit }
        }
        return highest >= lowest ? highest : -.infinity
    }

    // MARK: - Selection

    /// Shortens the prefix to the fewest tokens whose weights sum to at least `target` (of the total weight).
    ///
    /// A radix select from the top: buckets by the leading 11 bits of the logit, then, within the bucket that the
    /// target falls into, by the next 11 and the last 10. Linear in the row for every input, ties included.
    @inline(__always)
    private mutating func narrow(
        _ row: UnsafeBufferPointer<Float>, _ scratch: inout Scratch, weight: (Float) -> Double,
        target: (Double) -> Double
    ) {
        scratch.clear()
        let total = scratch.weights.withUnsafeMutableBufferPointer { weights in
            var total = 0.0
            for token in row.indices where keeps(row[token], at: token) {
                let mass = weight(row[token])
                weights[Int(Self.rank(row[token]) >> 21)] += mass
                total += mass
            }
            return total
        }
        var missing = target(total)
        guard missing < total, var rank = scratch.bucket(reaching: &missing) else { return }
        scratch.boundary.removeAll(keepingCapacity: true)
        for token in row.indices where keeps(row[token], at: token) && Self.rank(row[token]) >> 21 == rank {
            scratch.boundary.append(UInt32(truncatingIfNeeded: token))
        }
        for (shift, bits) in [(UInt32(10), UInt32(11)), (0, 10)] {
            scratch.clear()
            for token in scratch.boundary {
                let own = Self.rank(row[Int(token)])
                if own >> (shift + bits) == rank {
                    scratch.weights[Int(own >> shift & ((1 << bits) - 1))] += weight(row[Int(token)])
                }
            }
            guard let next = scratch.bucket(reaching: &missing) else { return }
            rank = rank << bits | next
        }
        lowest = Self.logit(rank)
        for token in scratch.boundary where row[Int(token)] == lowest {
            lastTie = Int(token)
            missing -= weight(lowest)
            if missing <= 0 { return }
        }
    }

    /// An integer that orders as the logits do; both zeros rank alike.
    @inline(__always)
    private static func rank(_ logit: Float) -> UInt32 {
        let bits = (logit + 0).bitPattern
        return bits >> 31 == 1 ? ~bits : bits | 1 << 31
    }

    private static func logit(_ rank: UInt32) -> Float {
        Float(bitPattern: rank >> 31 == 1 ? rank & ~(1 << 31) : ~rank)
    }
}

extension ProbabilityCut.Scratch {
    fileprivate mutating func clear() {
        for bucket in weights.indices { weights[bucket] = 0 }
    }

    /// The bucket, from the top, in which the running weight reaches `missing`, which is lowered by the buckets
    /// above it. If rounding leaves a rest below them all, the lowest filled one; `nil` if none is filled.
    fileprivate func bucket(reaching missing: inout Double) -> UInt32? {
        var last: Int?
        for bucket in weights.indices.reversed() where weights[bucket] > 0 {
            if let last { missing -= weights[last] }
            last = bucket
            if weights[bucket] >= missing { break }
        }
        return last.map { UInt32($0) }
    }
}
