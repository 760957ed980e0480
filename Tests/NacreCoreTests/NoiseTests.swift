import NacreCore
import RealModule
import TestStatistics
import Testing

@Suite("Philox and the noise drawn from it")
struct NoiseTests {
    @Test(
        "Philox4x32-10 gives Random123's known answers",
        arguments: [
            (
                SIMD4<UInt32>(repeating: 0), SIMD2<UInt32>(repeating: 0),
                SIMD4<UInt32>(0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8)
            ),
            (
                SIMD4(repeating: UInt32.max), SIMD2(repeating: UInt32.max),
                SIMD4(0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd)
            ),
            (
                SIMD4(0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344), SIMD2(0xa409_3822, 0x299f_31d0),
                SIMD4(0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1)
            ),
        ])
    func knownAnswers(counter: SIMD4<UInt32>, key: SIMD2<UInt32>, answer: SIMD4<UInt32>) {
        #expect(Philox.block(counter: counter, key: key) == answer)
    }

    @Test("Eight blocks at a time are the eight blocks")
    func eightAtATime() {
        var random = SplitMix(seed: 1)
        for _ in 0..<500 {
            func word() -> UInt32 { UInt32(truncatingIfNeeded: random.next()) }
            // Also where word 0 wraps around.
            let counter = SIMD4(random.uniform() < 0.1 ? UInt32.max - word() % 8 : word(), word(), word(), word())
            let key = SIMD2(word(), word())
            let words = Philox.leadingWordsOfEight(counter: counter, key: key)
            for lane in 0..<8 {
                var own = counter
                own[0] &+= UInt32(lane)
                let block = Philox.block(counter: own, key: key)
                #expect(words.first[lane] == block[0] && words.third[lane] == block[2])
            }
        }
    }

    @Test("Gumbel noise has mean 0.5772 and variance 1.6449")
    func gumbelMoments() {
        let count = 1_000_000
        var sum = 0.0
        var squares = 0.0
        for item in 0..<count {
            let noise = PositionalRandom(key: 5).gumbel(at: item / 1000, token: TokenID(rawValue: UInt32(item % 1000)))
            sum += noise
            squares += noise * noise
        }
        let mean = sum / Double(count)
        // Four standard errors each.
        #expect(abs(mean - 0.577216) < 0.0052)
        #expect(abs(squares / Double(count) - mean * mean - 1.644934) < 0.014)
    }

    @Test("Gumbel noise never exceeds (z + 1) ln 2 for z leading zeros of its 52 bits")
    func gumbelBound() {
        var random = SplitMix(seed: 2)
        let edges = (0...52).flatMap { zeros -> [UInt64] in
            let top = zeros == 52 ? 0 : UInt64(1) << (51 - zeros)
            return [top, zeros == 52 ? 0 : top << 1 - 1, top | random.next() % max(top, 1)]
        }
        for bits in edges {
            let noise = PositionalRandom.gumbel(bits: bits)
            let zeros = bits.leadingZeroBitCount - 12
            #expect(noise <= Double(zeros + 1) * Double.log(2) + 0x1p-30 && noise.isFinite, "bits \(bits)")
            #expect(noise >= -3.61 && noise <= 36.74)
        }
    }

    @Test("Uniforms are uniform, and lanes, siblings, epochs and positions do not share them")
    func uniforms() {
        var counts: [Int: Int] = [:]
        var seen = Set<Double>()
        for index in 0..<5000 {
            for lane in PositionalRandom.Lane.allCases {
                for (sibling, epoch) in [(0, 0), (1, 0), (0, 1), (1, 255)] {
                    let noise = PositionalRandom(key: 9)
                    let u = noise.uniform(at: index, lane: lane, sibling: sibling, epoch: epoch)
                    #expect(u > 0 && u < 1)
                    counts[Int(u * 100), default: 0] += 1
                    seen.insert(u)
                }
            }
        }
        #expect(seen.count == 5000 * 4 * PositionalRandom.Lane.allCases.count)
        let law = Dictionary(uniqueKeysWithValues: (0..<100).map { ($0, 0.01) })
        #expect(chiSquarePValue(counts: counts, expected: law) > 1e-4)
    }

    @Test(
        "The tests' own p-values are right",
        arguments: [(1.0, 1.0, 0.367879441), (4.5, 8.0, 0.066881), (13, 10, 0.7916)])
    func incompleteGamma(a: Double, x: Double, q: Double) {
        #expect(abs(upperIncompleteGamma(a, x) - q) < 1e-4)
    }
}
