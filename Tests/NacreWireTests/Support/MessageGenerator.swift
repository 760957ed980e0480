import NacreCore
import NacreProtocol
import NacreWire

/// Draws valid messages from a seed; every number is an extreme of its range about half of the time.
struct MessageGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    /// SplitMix64 (Steele et al. 2014).
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ word >> 30) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ word >> 27) &* 0x94D0_49BB_1331_11EB
        return word ^ word >> 31
    }

    mutating func number(_ range: ClosedRange<Int>) -> Int {
        switch next() % 4 {
        case 0: range.lowerBound
        case 1: range.upperBound
        default: range.lowerBound + Int(next() % UInt64(range.count))
        }
    }

    mutating func word32() -> UInt32 { UInt32(number(0...Int(UInt32.max))) }

    mutating func word64() -> UInt64 {
        switch next() % 4 {
        case 0: 0
        case 1: .max
        default: next()
        }
    }

    mutating func position(_ range: ClosedRange<Int> = 0...Int(Int32.max)) -> Position {
        Position(rawValue: number(range))
    }

    mutating func choice<Case: CaseIterable>(_ type: Case.Type) -> Case {
        let cases = Array(type.allCases)
        return cases[number(0...(cases.count - 1))]
    }

    mutating func tokens(_ count: Int) -> [TokenID] {
        (0..<count).map { _ in TokenID(rawValue: UInt32(number(0...(Limits.vocabularyEntriesMax - 1)))) }
    }

    mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) } }

    mutating func text(_ bytesMax: Int = Limits.nameBytesMax, orEmpty: Bool = true) -> String {
        let alphabet = Array("az09-.:/ _é漢🦪")
        var text = ""
        let length = number((orEmpty ? 0 : 1)...bytesMax)
        while text.utf8.count < length {
            let character = alphabet[number(0...(alphabet.count - 1))]
            if text.utf8.count + character.utf8.count > bytesMax { break }
            text.append(character)
        }
        return text
    }

    /// Never empty of bytes, of at most `bytesMax`.
    mutating func name() -> String {
        let name = text(orEmpty: false)
        return name.isEmpty ? "n" : name
    }

    mutating func job() -> JobID { JobID(high: word64(), low: word64()) }

    mutating func attempt() -> Attempt { Attempt(rawValue: max(1, word32())) }

    mutating func sampling() -> SamplingPolicy {
        SamplingPolicy(
            temperature: Double(number(0...1_000)) / 10, topK: number(0...Limits.vocabularyEntriesMax),
            topP: Double(number(1...1_000)) / 1_000, minP: Double(number(0...1_000)) / 1_000)
    }

    mutating func margin() -> Float {
        switch next() % 4 {
        case 0: 0
        case 1: .infinity
        case 2: .greatestFiniteMagnitude
        default: Float(next() % 1_000) / 7
        }
    }

    mutating func offers() -> [Offer] {
        (0..<number(0...Limits.offersMax)).map { _ in
            Offer(address: name(), incarnation: Incarnation(rawValue: word64()), sharesCores: next() % 2 == 0)
        }
    }

    /// A context of at most `Limits.contextChunkTokens`, its place in the whole, and the prompt's length.
    mutating func context() -> (total: Int, offset: Int, tokens: [TokenID], prompt: Position) {
        let largest = next() % 64 == 0 ? Limits.promptTokensMax + Limits.outputTokensMax : 300
        let total = number(0...largest)
        let offset = number(0...total)
        let prompt = position(0...min(total, Limits.promptTokensMax))
        return (total, offset, tokens(min(total - offset, Limits.contextChunkTokens)), prompt)
    }
}
