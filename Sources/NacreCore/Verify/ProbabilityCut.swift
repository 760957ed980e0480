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

    /// Applies temperature, top-k, top-p and min-p, in this order (ALGORITHMS 0.1).
    init(
        _ row: UnsafeBufferPointer<Float>, largest: Float, _ inverse: Double, _ policy: SamplingPolicy,
        _ scratch: inout CoupledScratch
    ) {
        self.largest = largest
        if policy.topK > 0 && policy.topK < row.count {
            let k = Double(policy.topK)
            narrow(row, inverse, &scratch.cut, isCounting: true, target: { _ in k })
        }
        if policy.topP < 1 {
            narrow(row, inverse, &scratch.cut, isCounting: false, target: { $0 * policy.topP })
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

    /// Shortens the prefix to the fewest tokens whose weights sum to at least `target` (of the total weight). Weights
    /// are 1 when counting, else probabilities relative to the likeliest token's, so that none overflows; the sum over
    /// the row normalises.
    ///
    /// First by depth below the largest logit, in buckets of 1/32 nat; then, within the bucket that the target falls
    /// into, by the bits of the logit. Linear in the row for every input, ties included.
    @inline(__always)
    private mutating func narrow(
        _ row: UnsafeBufferPointer<Float>, _ inverse: Double, _ scratch: inout Scratch, isCounting: Bool,
        target: (Double) -> Double
    ) {
        // Finite, so that the likeliest token is at depth 0 at the smallest temperature too.
        let scale = min(inverse * Depth.perNat, .greatestFiniteMagnitude)
        let before = self
        scratch.clear()
        scratch.weights.withUnsafeMutableBufferPointer { weights in
            for token in row.indices where before.keeps(row[token], at: token) {
                let depth = Depth(row[token], below: before.largest, scale)
                weights[depth.bucket] += isCounting ? 1 : depth.mass
            }
        }
        let total = scratch.sum(decaying: !isCounting)
        var missing = target(total)
        guard missing < total, let bucket = scratch.bucket(reaching: &missing) else { return }
        scratch.boundary.removeAll(keepingCapacity: true)
        let decay = Depth.decay[bucket]
        for token in row.indices where before.keeps(row[token], at: token) {
            let depth = Depth(row[token], below: before.largest, scale)
            guard depth.bucket == bucket else { continue }
            scratch.boundary.append((UInt32(truncatingIfNeeded: token), isCounting ? 1 : depth.mass * decay))
        }
        select(row, &scratch, missing)
    }

    /// Ends the prefix within `scratch.boundary`, where weights of at least `missing` are still to be had: a radix
    /// select by 11, 11 and 10 bits of the logits' ranks.
    private mutating func select(_ row: UnsafeBufferPointer<Float>, _ scratch: inout Scratch, _ missing: Double) {
        var missing = missing
        var rank: UInt32 = 0
        for (shift, bits) in [(UInt32(21), UInt32(11)), (10, 11), (0, 10)] {
            scratch.clear()
            for (token, mass) in scratch.boundary {
                let own = Self.rank(row[Int(token)])
                if own >> (shift + bits) == rank { scratch.weights[Int(own >> shift & ((1 << bits) - 1))] += mass }
            }
            guard let next = scratch.bucket(reaching: &missing) else { return }
            rank = rank << bits | UInt32(next)
        }
        lowest = Self.logit(rank)
        for (token, mass) in scratch.boundary where row[Int(token)] == lowest {
            lastTie = Int(token)
            missing -= mass
            if missing <= 0 { return }
        }
    }

    /// An integer that rises as the logits fall; both zeros rank alike.
    @inline(__always)
    private static func rank(_ logit: Float) -> UInt32 {
        let bits = (logit + 0).bitPattern
        return bits >> 31 == 1 ? bits : ~bits & 0x7FFF_FFFF
    }

    private static func logit(_ rank: UInt32) -> Float {
        Float(bitPattern: rank >> 31 == 1 ? rank : ~rank & 0x7FFF_FFFF)
    }
}

extension ProbabilityCut {
    /// Working memory, reused from row to row.
    struct Scratch: Sendable {
        fileprivate var weights = [Double](repeating: 0, count: Depth.buckets)
        /// Tokens among which the prefix ends, by rising id, with their weights.
        fileprivate var boundary: [(token: UInt32, mass: Double)] = []

        fileprivate mutating func clear() {
            weights.withUnsafeMutableBufferPointer { $0.update(repeating: 0) }
        }

        /// The sum of all weights, each first multiplied by its bucket's decay if so asked.
        fileprivate mutating func sum(decaying: Bool) -> Double {
            if decaying {
                for (bucket, decay) in Depth.decay.enumerated() { weights[bucket] *= decay }
            }
            return weights.reduce(0, +)
        }

        /// The first bucket in which the running weight reaches `missing`, which is lowered by the buckets before it.
        /// If rounding leaves a rest behind them all, the last filled one; `nil` if none is filled.
        fileprivate func bucket(reaching missing: inout Double) -> Int? {
            var last: Int?
            for bucket in weights.indices where weights[bucket] > 0 {
                if let last { missing -= weights[last] }
                last = bucket
                if weights[bucket] >= missing { break }
            }
            return last
        }
    }

    /// How far a logit lies below the largest, as a whole bucket and a rest.
    fileprivate struct Depth {
        static let perNat = 32.0
        static let buckets = 1 << 11
        /// e^−depth of each bucket. The last one holds all that is deeper than 63 nats: even 2³² such tokens weigh less
        /// than a hundredth of the 2⁻⁵³ that any top-p below 1 leaves out.
        static let decay = (0..<buckets).map { $0 < buckets - 1 ? Double.exp(-Double($0) / perNat) : 0 }

        private let depth: Double
        private let shifted: Double

        @inline(__always)
        init(_ logit: Float, below largest: Float, _ scale: Double) {
            depth = min((Double(largest) - Double(logit)) * scale, Double(Self.buckets - 1))
            // From 2⁵² on a Double is whole: the sum is rounded, and its low bits are the number.
            shifted = depth + 0x1p52
        }

        @inline(__always)
        var bucket: Int { Int(truncatingIfNeeded: shifted.bitPattern) & (Self.buckets - 1) }

        /// What a token weighs, relative to the decay of its bucket.
        ///
        /// The rest r is at most 1/64 nat: its exponential's series has an error of r⁷/5040 < 2⁻⁵⁴ after r⁶.
        @inline(__always)
        var mass: Double {
            let r = (shifted - 0x1p52 - depth) * (1 / Self.perNat)
            var series = r * (1.0 / 720) + 1.0 / 120
            series = series * r + 1.0 / 24
            series = series * r + 1.0 / 6
            series = series * r + 0.5
            series = series * r + 1
            return series * r + 1
        }
    }
}
