/// The counter-based generator Philox4x32-10: a keyed bijection of 128-bit counters, so that any random number is
/// computed from where it is used, in any order and on any machine.
///
/// - Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
package enum Philox {
    private static let rounds = 10
    private static let multiplier0: UInt32 = 0xD251_1F53
    private static let multiplier1: UInt32 = 0xCD9E_8D57
    /// Weyl increments of the round keys: the golden ratio and √3 − 1.
    private static let increment0: UInt32 = 0x9E37_79B9
    private static let increment1: UInt32 = 0xBB67_AE85

    /// The four random words of `counter` under `key`.
    package static func block(counter: SIMD4<UInt32>, key: SIMD2<UInt32>) -> SIMD4<UInt32> {
        var c = counter
        var k = key
        for _ in 0..<rounds {
            let product0 = multiplier0.multipliedFullWidth(by: c[0])
            let product1 = multiplier1.multipliedFullWidth(by: c[2])
            c = [product1.high ^ c[1] ^ k[0], product1.low, product0.high ^ c[3] ^ k[1], product0.low]
            k = [k[0] &+ increment0, k[1] &+ increment1]
        }
        return c
    }

    /// The first and third words of the eight blocks whose counters are `counter` with 0...7 added to word 0.
    ///
    /// The same function as `block`, eight at a time in vector registers; only the words that hold the leading bits
    /// of a number are kept.
    @inline(__always)
    package static func leadingWordsOfEight(
        counter: SIMD4<UInt32>, key: SIMD2<UInt32>
    ) -> (first: SIMD8<UInt32>, third: SIMD8<UInt32>) {
        // Every word lives in the low half of a 64-bit lane: that is the form the vector multiplier takes.
        let low = SIMD8<UInt64>(repeating: 0xFFFF_FFFF)
        let m0 = SIMD8<UInt64>(repeating: UInt64(multiplier0))
        let m1 = SIMD8<UInt64>(repeating: UInt64(multiplier1))
        var c0 = (SIMD8<UInt64>(repeating: UInt64(counter[0])) &+ SIMD8<UInt64>(0, 1, 2, 3, 4, 5, 6, 7)) & low
        var c1 = SIMD8<UInt64>(repeating: UInt64(counter[1]))
        var c2 = SIMD8<UInt64>(repeating: UInt64(counter[2]))
        var c3 = SIMD8<UInt64>(repeating: UInt64(counter[3]))
        var k0 = key[0]
        var k1 = key[1]
        for _ in 0..<rounds {
            let product0 = (c0 & low) &* m0
            let product1 = (c2 & low) &* m1
            c0 = (product1 &>> 32) ^ c1 ^ SIMD8(repeating: UInt64(k0))
            c2 = (product0 &>> 32) ^ c3 ^ SIMD8(repeating: UInt64(k1))
            c1 = product1
            c3 = product0
            // The upper halves of c1 and c3 are left dirty: they enter c0 and c2 above bit 31 and are masked there.
            k0 = k0 &+ increment0
            k1 = k1 &+ increment1
        }
        return (SIMD8(truncatingIfNeeded: c0), SIMD8(truncatingIfNeeded: c2))
    }
}
