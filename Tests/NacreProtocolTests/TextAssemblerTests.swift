import NacreProtocol
import Testing

/// What clients see: whole characters, nothing of a stop string, nothing that must be taken back.
@Suite struct TextAssemblerTests {
    private func shown(_ pieces: [String], stops: [String]) -> (text: [String], tail: String, isStopped: Bool) {
        var assembler = TextAssembler(stops: stops.map { Array($0.utf8) })
        let text = pieces.map { String(decoding: assembler.append(Array($0.utf8)), as: UTF8.self) }
        let tail = String(decoding: assembler.finish(), as: UTF8.self)
        return (text, tail, assembler.isStopped)
    }

    @Test("a stop string across tokens is held back, then cut")
    func acrossTokens() {
        let (text, tail, isStopped) = shown(["ab\n", "\nUs", "er:", "x"], stops: ["\n\nUser:"])
        #expect(text == ["ab", "", "", ""])
        #expect(tail == "" && isStopped)
    }

    @Test("what only looked like a stop string is shown after all")
    func falseAlarm() {
        let (text, tail, isStopped) = shown(["a\n", "\nUs", "e", "d"], stops: ["\n\nUser:"])
        #expect(text == ["a", "", "", "\n\nUsed"])
        #expect(tail == "" && !isStopped)
        #expect(shown(["a\n\nUse"], stops: ["\n\nUser:"]).tail == "\n\nUse")
    }

    @Test("of overlapping stop strings the one that begins first counts")
    func overlapping() {
        #expect(shown(["abcd"], stops: ["cd", "bcd", "d"]).text == ["a"])
        #expect(shown(["aab"], stops: ["ab"]).text == ["a"])
        #expect(shown(["aa", "ab"], stops: ["aab"]).text == ["", "a"])
        #expect(shown(["x"], stops: [""]).text == ["x"])
    }

    @Test("half a character waits for its other half")
    func halfCharacters() {
        var assembler = TextAssembler(stops: [])
        #expect(assembler.append([0x61, 0xE2]) == [0x61])
        #expect(assembler.append([0x82]) == [])
        #expect(assembler.append([0xAC, 0xF0, 0x9F]) == [0xE2, 0x82, 0xAC])
        #expect(assembler.append([0x98, 0x80]) == [0xF0, 0x9F, 0x98, 0x80])
        #expect(assembler.append([0xC3]) == [])
        #expect(assembler.finish() == Array("\u{FFFD}".utf8))
    }

    @Test("bytes that are no character become U+FFFD, wherever tokens end")
    func illFormed() {
        var assembler = TextAssembler(stops: [])
        #expect(assembler.append([0xFF]) == [])
        #expect(assembler.append([0x80, 0x61]) == Array("\u{FFFD}\u{FFFD}a".utf8))
        #expect(assembler.append([0x80]) == Array("\u{FFFD}".utf8))
    }

    @Test("pieces and stops at random: shown text is what a look at the whole would give", arguments: 0..<400)
    func property(seed: Int) {
        var state = UInt64(seed) &* 0x9E37_79B9_7F4A_7C15 &+ 1
        func next(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        let alphabet: [[UInt8]] = [
            [0x61], [0x62], [0x61, 0x62], [0xC3], [0xA9], [0xC3, 0xA9], [0xE2, 0x82], [0xAC], [0xF0], [0x9F, 0x98],
            [0x80], [0xFF], [0x63],
        ]
        let stops = (0..<next(3)).map { _ in
            Array(String((0..<1 + next(3)).map { _ in Array("abcé€")[next(5)] }).utf8)
        }
        let pieces = (0..<30).map { _ in alphabet[next(alphabet.count)] }
        var assembler = TextAssembler(stops: stops)
        var text: [UInt8] = []
        var naive: [UInt8] = []
        var isStopped = false
        for piece in pieces where !isStopped {
            text += assembler.append(piece)
            #expect(String(validating: text, as: UTF8.self) != nil)
            naive += piece
            let first = naive.indices.first { start in stops.contains { naive[start...].starts(with: $0) } }
            if let first {
                naive.removeSubrange(first...)
                isStopped = true
            }
            let whole = Array(String(decoding: naive, as: UTF8.self).utf8)
            #expect(isStopped ? text == whole : whole.starts(with: text))
        }
        text += assembler.finish()
        #expect(assembler.isStopped == isStopped)
        #expect(text == Array(String(decoding: naive, as: UTF8.self).utf8))
    }
}
