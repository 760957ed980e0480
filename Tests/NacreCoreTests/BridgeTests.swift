import NacreCore
import Testing

/// What published bridges get wrong (ALGORITHMS 5.1, 5.3, 12), each ruled out by name.
@Suite("Bridges")
struct BridgeTests {
    private static func path(_ tokens: [TokenID], _ probability: Double = 0.9) -> [Candidate] {
        tokens.map { Candidate(token: $0, probability: probability) }
    }

    private static func tokens(_ text: String, _ toy: ToyTokenizer) -> [TokenID] {
        ByteExactTokenizer(toy).tokens(of: Array(text.utf8)) ?? []
    }

    // MARK: - SLEM, ALGORITHMS 5.1

    @Test("SLEM defect 1: commands reach the drafter, and no byte of the text is cleaned up")
    func slemKeepsCommandsAndBytes() {
        let target = ToyTokenizer.wordMerges
        let draft = ToyTokenizer.spacedMerges
        var text = AlignedText(target, draft)
        let start = target.controls.first ?? 0
        let words = "the  thing .  in 12 \n\n the"
        _ = text.commit([start] + Self.tokens(words, target) + [start] + Self.tokens(" in", target))
        let commands = text.draftTokens.filter { draft.isControl($0) }
        #expect(commands.count == 2 && text.draftTokens.first == draft.controls.first && !text.isLost)
        #expect(draft.bytes(of: text.draftTokens) == Array((words + " in").utf8))
    }

    @Test("SLEM defect 2: no beginning-of-text token comes to stand in a text")
    func slemAddsNoCommands() {
        for toy in [ToyTokenizer.wordMerges, .spacedMerges, .byteLevel] {
            var text = AlignedText(.longestMatch, toy)
            for token in Self.tokens("the thing in the int, 日本語 the thing in the int 12", .longestMatch) {
                _ = text.commit([token])
            }
            #expect(!text.draftTokens.contains { toy.isControl($0) || toy.isEndOfGeneration($0) })
        }
    }

    @Test("SLEM defect 3: texts shorter than the tokens looked back at are whole", arguments: 0...4)
    func slemShortTexts(length: Int) {
        let committed = Array(Self.tokens("the int 12", .longestMatch).prefix(length))
        var text = AlignedText(.longestMatch, .wordMerges, look: 10)
        _ = text.commit(committed)
        #expect(ToyTokenizer.wordMerges.bytes(of: text.draftTokens) == ToyTokenizer.longestMatch.bytes(of: committed))
        let drafted = Self.tokens("the thing", .wordMerges)
        let said = ToyTokenizer.longestMatch.bytes(of: text.exactMatches(of: Self.path(drafted)).map(\.token))
        #expect(!said.isEmpty && Array("the thing".utf8).starts(with: said))
    }

    @Test("SLEM defect 4: a text that repeats itself is aligned by offsets, not by the longest equal window")
    func slemRepetitions() {
        var text = AlignedText(.longestMatch, .wordMerges, look: 3)
        let unit = Self.tokens("the the in in ", .longestMatch)
        var cached: [TokenID] = []
        for round in 0..<40 {
            for token in round == 20 ? unit.dropLast() : unit[...] {
                let update = text.commit([token])
                cached = cached.prefix(update.kept) + update.tokens
            }
        }
        #expect(ToyTokenizer.wordMerges.bytes(of: cached) == text.bytes)
        #expect(cached == Self.tokens(String(decoding: text.bytes, as: UTF8.self), .wordMerges))
    }

    @Test("SLEM defect 5: of a rejected draft nothing stays, whatever the correction is")
    func slemRejectedTails() {
        let target = ToyTokenizer.longestMatch
        let drafted = Self.tokens(" thing in the int", .wordMerges)
        let corrections: [[TokenID]] = [[], Self.tokens(" the", target), [0], Self.tokens("日", target)]
        for correction in corrections {
            var text = AlignedText(target, .wordMerges)
            _ = text.commit(Self.tokens("the int", target))
            let before = text.draftTokens
            let update = text.commit(correction, drafted: drafted)
            let cached = (before + drafted).prefix(update.kept) + update.tokens
            #expect(Array(cached) == text.draftTokens)
            #expect(ToyTokenizer.wordMerges.bytes(of: cached) == text.bytes)
        }
        // What was right is kept, not evaluated again.
        var text = AlignedText(target, .wordMerges)
        _ = text.commit(Self.tokens("the int", target))
        let before = text.draftTokens.count
        let update = text.commit(Self.tokens(" the thing", target), drafted: Self.tokens(" the thing", .wordMerges))
        #expect(update.kept == text.draftTokens.count && update.tokens.isEmpty && update.kept > before)
    }

    @Test("SLEM defect 6: drafts are counted in target tokens, and how sure they are survives")
    func slemConfidence() {
        let target = ToyTokenizer.pieces(["ab", "c", "de", "a", "b", "d", "e"])
        let draft = ToyTokenizer.pieces(["a", "b", "cd", "e", "c"])
        let text = AlignedText(target, draft)
        let path = zip([0, 1, 2, 3, 4] as [TokenID], [0.9, 0.8, 0.7, 0.6, 0.5]).map(Candidate.init)
        let matches = text.exactMatches(of: path)
        // a b | cd e c: ab, c, de, and the last c may become longer.
        #expect(matches.map(\.token) == [0, 1, 2])
        for (match, expected) in zip(matches, [0.72, 0.7, 0.6]) { #expect(abs(match.probability - expected) < 1e-12) }
    }

    @Test("a drafted end of generation becomes the target's, and settles the token before it")
    func ends() {
        let target = ToyTokenizer.longestMatch
        let draft = ToyTokenizer.wordMerges
        var text = AlignedText(target, draft)
        _ = text.commit(Self.tokens("the", target))
        let end = draft.ends.first ?? 0
        let matches = text.exactMatches(of: Self.path(Self.tokens(" int", draft) + [end] + Self.tokens("12", draft)))
        #expect(matches.map(\.token) == Self.tokens(" int", target) + [0])
        // The other way round the drafter's text ends, too.
        #expect(text.commit([0]).tokens == [end] && !text.isLost)
    }

    @Test("trees cross the bridge, and paths that come to the same tokens are one")
    func trees() {
        let target = ToyTokenizer.pieces(["ab", "a", "b", "c"])
        let draft = ToyTokenizer.pieces(["a", "b", "ab", "c"])
        var text = AlignedText(target, draft)
        _ = text.commit([3])
        var tree = DraftTree(root: 1)
        let a = tree.append(0, under: nil, probability: 0.6)
        let ab = tree.append(2, under: nil, probability: 0.3)
        let b = tree.append(1, under: a, probability: 0.5)
        tree.append(3, under: b, probability: 1)
        let c = tree.append(3, under: ab, probability: 0.5)
        tree.append(1, under: c, probability: 1)
        tree.append(0, under: c, probability: 0.5)
        let matches = text.exactMatches(of: tree, root: 5)
        #expect(matches.root == 5)
        #expect(matches.indices.map { matches.tokens(to: $0) } == [[0], [0, 3]])
        #expect(abs(matches[0].probability - 0.3) < 1e-12)
    }

    @Test("a target that stopped in the middle of what it would write as one token still gets drafts")
    func unusualTokens() {
        let target = ToyTokenizer.pieces(["hello", "hel", "lo", " ", "w"])
        var text = AlignedText(target, .pieces(["h", "e", "l", "o", " ", "w"]))
        _ = text.commit([1])
        #expect(text.exactMatches(of: Self.path([2, 3, 4, 5])).map(\.token) == [2, 3])
    }

    @Test("a drafter that cannot spell the text or lacks a command drafts nothing until it begins anew")
    func lost() {
        let target = ToyTokenizer.byteLevel
        var text = AlignedText(target, .pieces(["a", "b"]))
        _ = text.commit(Self.tokens("ab", target))
        #expect(!text.isLost)
        _ = text.commit(Self.tokens("c", target))
        #expect(text.isLost && text.exactMatches(of: Self.path([0, 1, 0])).isEmpty)
        text.restart()
        _ = text.commit(Self.tokens("a", target))
        #expect(!text.isLost && text.draftTokens == [0])
        _ = text.commit([256])
        #expect(text.isLost)
    }

    @Test("a text that is taken back to before a command loses it in both vocabularies")
    func rewoundCommands() {
        let (target, draft) = (ToyTokenizer.wordMerges, ToyTokenizer.spacedMerges)
        var text = AlignedText(target, draft)
        let first = Self.tokens("the thing", target)
        _ = text.commit(first + [target.controls.first ?? 0] + Self.tokens(" in", target))
        text.rewind(to: first.count)
        #expect(text.targetTrack.tokens == first && !text.draftTokens.contains { draft.isControl($0) })
        #expect(draft.bytes(of: text.draftTokens) == Array("the thing".utf8))
    }

    @Test("an end of generation stands for one end only, and each of the drafter's ends the target's text")
    func otherEnds() {
        var target = ToyTokenizer.pieces(["a", "</s>", "<end>"])
        target.ends = [1, 2]
        var draft = ToyTokenizer.pieces(["a", "</s>", "<eos>"], end: 2)
        draft.controls = [1]
        let both = TokenLevelIntersection(target: target, draft: draft)
        #expect(([0, 1, 2] as [TokenID]).map { both.targetToken(of: $0) } == [0, 1, 2])
        var two = ToyTokenizer.pieces(["a", "b", "<eos>", "<stop>"])
        two.ends = [2, 3]
        var text = AlignedText(.pieces(["a", "b", "</s>"], end: 2), two)
        _ = text.commit([0])
        #expect(text.exactMatches(of: Self.path([1, 3])).map(\.token) == [1, 2])
    }

    // MARK: - TLI, ALGORITHMS 5.3

    @Test("TLI defect 1: every probability stays with its token, however the ids are ordered")
    func tliKeepsPairs() {
        for seed in 0..<50 as Range<UInt64> {
            var random = SplitMix(seed: seed)
            let words = (0..<30).map { TokenMeaning(piece: Array("w\($0)".utf8), isCommand: $0 == 7) }
            let target = Array(words.shuffled(using: &random).prefix(20))
            let draft = Array(words.shuffled(using: &random).prefix(22))
            let both = TokenLevelIntersection(target: target, draft: draft)
            let q = distribution(draft.map { _ in random.uniform() })
            let logits = draft.map { _ in Float(random.normal()) }
            var row: [Float] = []
            both.project(logits.span, into: &row)
            let shared = Set(target).intersection(draft)
            #expect(both.count == shared.count && row.count == 20)
            let mass = draft.indices.filter { shared.contains(draft[$0]) }.reduce(0) { $0 + q.probabilities[$1] }
            #expect(abs(both.mass(of: q) - mass) < 1e-12)
            for (id, meaning) in target.enumerated() {
                let own = draft.firstIndex(of: meaning)
                #expect(both.draftToken(of: TokenID(rawValue: UInt32(id)))?.rawValue == own.map(UInt32.init))
                #expect(row[id] == own.map { logits[$0] } ?? -.infinity)
                let expected = own.map { q.probabilities[$0] / mass } ?? 0
                #expect(abs((both.project(q)?.probabilities[id] ?? 0) - expected) < 1e-12)
            }
        }
    }

    @Test("TLI defect 2: tokens pair by bytes and role, not by spelling")
    func tliComparesBytes() {
        func text(_ bytes: [UInt8]) -> TokenMeaning { TokenMeaning(piece: bytes, isCommand: false) }
        let command = TokenMeaning(piece: Array("<s>".utf8), isCommand: true)
        // A newline is one byte whether it is called <0x0A> or Ċ; a text that says <0x0A> is none.
        let target = [
            text([0x0A]), text(Array("<0x0A>".utf8)), text(Array("é".utf8)), command, text(Array("<s>".utf8)),
        ]
        let draft = [text(Array("é".utf8)), text(Array("Ċ".utf8)), text([0x0A]), text(Array("<s>".utf8))]
        let both = TokenLevelIntersection(target: target, draft: draft)
        #expect(([0, 1, 2, 3] as [TokenID]).map { both.targetToken(of: $0) } == [2, nil, 0, 4])
    }

    @Test("TLI defect 3: tokens of several spaces pair")
    func tliSpaces() {
        let both = TokenLevelIntersection(
            target: ToyTokenizer.pieces([" ", "  ", "    ", "x"]), draft: ToyTokenizer.pieces(["    ", "_", "  ", " "]))
        #expect(([0, 1, 2, 3] as [TokenID]).map { both.targetToken(of: $0) } == [2, nil, 1, 0])
    }

    @Test("TLI defect 4: a correction that the drafter lacks keeps its space, and half a character is held")
    func tliCorrections() {
        let target = ToyTokenizer.wordMerges
        let draft = ToyTokenizer.longestMatch
        var text = AlignedText(target, draft)
        let tokens = Self.tokens("the thing in the king 日本語 the", target)
        for token in tokens {
            _ = text.commit([token], by: .tli)
            #expect(draft.bytes(of: text.draftTokens) == Array(text.bytes.dropLast(text.held)) && !text.isLost)
        }
        #expect(text.held == 0 && tokens.contains { text.intersection.draftToken(of: $0) == nil })
        let halves = ToyTokenizer(pieces: [[0x20, 0xE6, 0x97], [0xA5, 0x20], [0xA5]])
        var cut = AlignedText(halves, draft)
        #expect(draft.bytes(of: cut.commit([0], by: .tli).tokens) == [0x20] && cut.held == 2)
        #expect(
            draft.bytes(of: cut.commit([1], by: .tli).tokens).suffix(4) == [0xE6, 0x97, 0xA5, 0x20] && cut.held == 0)
        // A half that both have comes behind the other half, not in its place.
        _ = cut.commit([0], by: .tli)
        #expect(cut.intersection.draftToken(of: 2) != nil && cut.held == 2)
        #expect(draft.bytes(of: cut.commit([2], by: .tli).tokens) == [0xE6, 0x97, 0xA5] && cut.held == 0)
    }

    @Test("TLI keeps the drafter's own tokens where both have them")
    func tliKeepsTokens() {
        let toy = ToyTokenizer.pieces(["a", "b", "ab"])
        var text = AlignedText(toy, toy)
        #expect(text.commit([0, 1], by: .tli) == AlignedText.Update(kept: 0, tokens: [0, 1]))
        #expect(text.commit([0], drafted: [0, 1], by: .tli) == AlignedText.Update(kept: 3, tokens: []))
        // SLEM writes it as the tokenizer does.
        var canonical = AlignedText(toy, toy)
        #expect(canonical.commit([0, 1], by: .slem).tokens == [2])
    }

    @Test("TLI defect 5: a row is projected twice to the same, and the drafter's stays as it was")
    func tliLeavesTheRow() {
        let both = TokenLevelIntersection(
            target: ToyTokenizer.pieces(["a", "b"]), draft: ToyTokenizer.pieces(["b", "c", "a"]))
        let logits: [Float] = [1, 2, 3]
        var rows: [[Float]] = [[], [9, 9, 9, 9]]
        for place in rows.indices { both.project(logits.span, into: &rows[place]) }
        #expect(rows == [[3, 1], [3, 1]] && logits == [1, 2, 3])
    }

    @Test("the map is injective where vocabularies have texts twice, and ends of generation pair by role")
    func injectivity() {
        let target = ToyTokenizer.pieces(["a", "a", "b", "</s>", "a"], end: 3)
        let draft = ToyTokenizer.pieces(["b", "a", "<eos>", "a", "b"], end: 2)
        let both = TokenLevelIntersection(target: target, draft: draft)
        #expect(([0, 1, 2, 3, 4] as [TokenID]).map { both.targetToken(of: $0) } == [2, 0, 3, 1, nil])
        #expect(
            ([0, 1, 2, 3, 4] as [TokenID]).map { both.draftToken(of: $0) } == [1, 3, 0, 2, nil] && both.count == 4)
        #expect(both.targetToken(of: 9) == nil && both.draftToken(of: 9) == nil)
        #expect(both.project(distribution(0, 0, 0, 0, 1)) == nil)
        #expect(both.share(of: [0, 4, 2, 3]) == 0.75 && both.share(of: []) == 0)
    }

    @Test("of tokens of equal bytes the one that the tokenizer writes pairs: a piece before a byte to fall back on")
    func twins() {
        // As SentencePiece has them: bytes, then pieces.
        var spaced = ToyTokenizer.pieces(["a", "b", "c", "ab", "b", "a"])
        spaced.fallbacks = [0, 1, 2]
        let plain = ToyTokenizer.pieces(["b", "a", "ab", "c"])
        let drafting = TokenLevelIntersection(target: plain, draft: spaced)
        #expect(Self.partners(6, drafting.targetToken(of:)) == [nil, nil, 3, 2, 0, 1])
        #expect(Self.partners(4, drafting.draftToken(of:)) == [4, 5, 3, 2] && drafting.count == 4)
        // What the drafter says, it says by its pieces.
        let q = distribution(0.01, 0.01, 0.01, 0.2, 0.4, 0.37)
        #expect(abs(drafting.mass(of: q) - 0.98) < 1e-12)
        let targeted = TokenLevelIntersection(target: spaced, draft: plain)
        #expect(Self.partners(6, targeted.draftToken(of:)) == [nil, nil, 3, 2, 0, 1] && targeted.count == 4)
        // Where both have them twice both pair, by what they are for, whichever comes first.
        var turned = ToyTokenizer.pieces(["a", "a", "b"])
        turned.fallbacks = [1]
        let both = TokenLevelIntersection(target: turned, draft: spaced)
        #expect(Self.partners(6, both.targetToken(of:)) == [1, nil, nil, nil, 2, 0] && both.count == 3)
    }

    private static func partners(_ count: UInt32, _ partner: (TokenID) -> TokenID?) -> [TokenID?] {
        (0..<count).map { partner(TokenID(rawValue: $0)) }
    }

    @Test("twins are ordered by what is written, then by kind, then by ids; commands by ids")
    func orderOfTwins() {
        // Without merges each byte is written as the token of its number, and nothing longer at all.
        let pieces = (0...255).map { [UInt8($0)] } + [[0x61], [0x61, 0x62], [0x61, 0x62], [0x61, 0x62]]
        var toy = ToyTokenizer(pieces: pieces, controls: [1, 2], method: .merges([:], isCutIntoWords: false))
        toy.pieces[5] = [0x61]
        toy.fallbacks = [0x61, 257]
        let exact = ByteExactTokenizer(toy)
        #expect(exact.ordered([5, 0x61, 256]) == [0x61, 5, 256])
        #expect(exact.ordered([257, 258, 259]) == [258, 259, 257])
        #expect(exact.ordered([1, 2]) == [1, 2] && exact.ordered([7]) == [7] && exact.ordered([]) == [])
    }
}
