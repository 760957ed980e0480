import NacreCore
import NacreEngine
import NacreLlama
import NacreModels
import Synchronization
import Testing

/// Bridges between the vocabularies of real models: SentencePiece against byte pairs, and families of byte pairs.
@Suite("Bridges between real vocabularies")
struct VocabularyBridgeTests {
    struct Pair: Sendable, CustomTestStringConvertible {
        let target: String
        let draft: String
        var testDescription: String { "\(target) with drafts of \(draft)" }

        /// Both, and what pairs them: made once.
        func fuzz() throws -> BridgeFuzz {
            try VocabularyBridgeTests.fuzzes.withLock { fuzzes in
                if let fuzz = fuzzes[testDescription] { return fuzz }
                let fuzz = BridgeFuzz(target: try .named(target), draft: try .named(draft))
                fuzzes[testDescription] = fuzz
                return fuzz
            }
        }
    }

    private static let fuzzes = Mutex<[String: BridgeFuzz]>([:])

    /// SentencePiece and byte pairs both ways, two families of byte pairs both ways, and one of each for the shipped.
    static let pairs = [
        ("llama-bpe", "llama-spm"), ("llama-spm", "llama-bpe"), ("qwen2", "gpt-2"), ("gpt-2", "qwen2"),
        ("shipped", "phi-3"), ("shipped", "starcoder"),
    ].map(Pair.init)

    private static let prose = """
        The other day, three thousand people (or more!) walked along the river; nobody counted them. "It isn't far," \
        she said — 12.5 km at most. Naïve café über façade.
        Все люди рождаются свободными. 日本語の文章です。 한국어 문장. مرحبا بالعالم 🙂👩‍👧!
        """
    private static let code = """
        def read_lines(path, limit=1024):
            \"\"\"Return at most `limit` lines.\"\"\"
            with open(path) as file:
        \tfor number, line in enumerate(file):    # 0, 1, 2 ...
                    if number >= limit: break
                    yield line.rstrip("\\r\\n")


        print(sum(len(l) for l in read_lines("a.txt")), 0xFF, 3.14159, [1, 22, 333, 4444])

        """

    @Test("TLI pairs all that both have, once, by bytes and role", arguments: pairs)
    func intersection(pair: Pair) throws {
        let fuzz = try pair.fuzz()
        func meaning(_ token: TokenID, _ vocabulary: FileVocabulary) -> TokenMeaning {
            let isCommand = vocabulary.isControl(token) || vocabulary.isEndOfGeneration(token)
            return TokenMeaning(piece: vocabulary.piece(token), isCommand: isCommand)
        }
        func counted(_ vocabulary: FileVocabulary) -> [TokenMeaning: Int] {
            (0..<UInt32(vocabulary.vocabularySize)).reduce(into: [:]) {
                let meaning = meaning(TokenID(rawValue: $1), vocabulary)
                if !meaning.piece.isEmpty { $0[meaning, default: 0] += 1 }
            }
        }
        let (targets, drafts) = (counted(fuzz.target), counted(fuzz.draft))
        let shared = targets.reduce(0) { $0 + min($1.value, drafts[$1.key] ?? 0) }
        var (found, renamed) = (0, 0)
        for id in 0..<UInt32(fuzz.draft.vocabularySize) {
            let token = TokenID(rawValue: id)
            guard let partner = fuzz.both.targetToken(of: token) else { continue }
            found += 1
            let (mine, theirs) = (meaning(token, fuzz.draft), meaning(partner, fuzz.target))
            // Nothing but the end of generation has another name on the other side.
            if mine != theirs { renamed += 1 }
            #expect(mine == theirs || mine.isCommand && theirs.isCommand)
            #expect(fuzz.both.draftToken(of: partner) == token, "\(token) is one of several for \(partner)")
        }
        #expect(renamed <= 1 && found == shared + renamed && found == fuzz.both.count)
        for text in ["\n", " the", " return", "    ", "é", "。"] {
            let tokens = [fuzz.exactTarget, fuzz.exactDraft].map { $0.tokens(of: Array(text.utf8)) ?? [] }
            guard tokens.allSatisfy({ $0.count == 1 }) else { continue }
            #expect(fuzz.both.targetToken(of: tokens[1][0]) == tokens[0][0], "\(text)")
        }
        // SentencePiece has these twice, as pieces and as bytes that it does not write.
        let characters = try (0x21...0x7E as ClosedRange<UInt8>).filter { character in
            let tokens = [fuzz.exactTarget, fuzz.exactDraft].map { $0.tokens(of: [character]) ?? [] }
            try #require(tokens.allSatisfy { $0.count == 1 })
            return fuzz.both.targetToken(of: tokens[1][0]) != tokens[0][0]
        }
        #expect(characters.isEmpty, "\(String(decoding: characters, as: UTF8.self)) pair otherwise than they are said")
        let end = try #require(fuzz.draft.ends.first { fuzz.both.targetToken(of: $0) != nil }, "no end pairs")
        #expect(fuzz.both.targetToken(of: end).map(fuzz.target.isEndOfGeneration) == true)
    }

    /// What `auto` takes for each of `pairs` by the prose, in their order.
    static let choices: [BridgeKind] = [.mixed, .mixed, .mixed, .mixed, .mixed, .mixed]

    /// How many of these tokens of text `other` has: what a tokenizer writes pairs if the other one has its bytes.
    private func share(of tokens: [TokenID], of own: FileVocabulary, in other: FileVocabulary) -> Double {
        let texts = Set(
            (0..<UInt32(other.vocabularySize)).map(TokenID.init)
                .filter { !other.isControl($0) && !other.isEndOfGeneration($0) }.map(other.piece))
        return Double(tokens.count { texts.contains(own.piece($0)) }) / Double(tokens.count)
    }

    @Test("overlap counts what TLI pairs, but for texts that one side has twice", arguments: zip(pairs, choices))
    func overlap(pair: Pair, choice: BridgeKind) throws {
        let fuzz = try pair.fuzz()
        let overlap = VocabularyOverlap(target: fuzz.target.tokenizer, draft: fuzz.draft.tokenizer)
        #expect(!overlap.isSame && overlap.shared > 2_000, "\(overlap)")
        #expect(abs(fuzz.both.count - overlap.shared) < 150, "\(fuzz.both.count) pairs, \(overlap)")
        var survey = BridgeSurvey(overlap: overlap, intersection: fuzz.both)
        let prose = Array(Self.prose.utf8)
        let target = try #require(fuzz.exactTarget.tokens(of: prose))
        let draft = try #require(fuzz.exactDraft.tokens(of: prose))
        survey.observe(target: target, draft: draft)
        let expected = share(of: target, of: fuzz.target, in: fuzz.draft)
        let own = share(of: draft, of: fuzz.draft, in: fuzz.target)
        #expect(survey.textShare == expected && survey.draftTextShare == own, "\(expected), \(own): \(survey)")
        #expect(try survey.choice(asked: nil) == choice, "\(expected) of the target's tokens, \(own) of the draft's")
    }

    @Test("token by token, the drafter's context is its own tokenization of the text", arguments: pairs)
    func contexts(pair: Pair) throws {
        let fuzz = try pair.fuzz()
        for text in [Self.prose, Self.code] {
            let tokens = try #require(fuzz.exactTarget.tokens(of: Array(text.utf8)))
            var (slem, tli) = (aligned(fuzz), aligned(fuzz))
            for token in tokens {
                _ = slem.commit([token], by: .slem)
                _ = tli.commit([token], by: .tli)
            }
            #expect(slem.held == 0 && slem.draftTokens == fuzz.exactDraft.tokens(of: Array(text.utf8)))
            #expect(tli.held == 0 && tli.draftTokens.flatMap(fuzz.exactDraft.text(of:)) == Array(text.utf8))
        }
    }

    @Test("drafts of the coming text are the target's own tokens, behind every beginning", arguments: pairs)
    func roundTrips(pair: Pair) throws {
        let fuzz = try pair.fuzz()
        for text in [Self.prose, Self.code] {
            let bytes = Array(text.utf8)
            let tokens = try #require(fuzz.exactTarget.tokens(of: bytes))
            var life = aligned(fuzz)
            var (drafted, right, asked) = (0, 0, 0)
            for done in tokens.indices.dropLast() {
                let rest = bytes[(life.bytes.count - life.held)...]
                let path = (fuzz.exactDraft.tokens(of: rest) ?? []).prefix(12)
                let matches = life.exactMatches(of: path.map { Candidate(token: $0, probability: 0.5) }).map(\.token)
                let own = zip(tokens[done...], matches).prefix { $0 == $1 }.count
                // The path may end inside of a word that alone is cut otherwise than the whole.
                #expect(own >= matches.count - 1, "\(matches) behind \(done) tokens of \(text)")
                right += own
                drafted += matches.count
                asked += min(tokens.count - done - 1, path.count)
                _ = life.commit([tokens[done]])
            }
            // Of twelve drafter tokens at least half as many arrive, however its vocabulary cuts.
            #expect(right * 2 >= asked && drafted - right <= right / 50, "\(right) of \(drafted), \(asked) asked")
        }
    }

    @Test("a WordPiece vocabulary, which cannot spell a text, drafts nothing")
    func wordPiece() throws {
        let fuzz = try Pair(target: "llama-bpe", draft: "bert-bge").fuzz()
        #expect(!fuzz.canSpell)
        var life = aligned(fuzz)
        _ = life.commit(try #require(fuzz.exactTarget.tokens(of: Array(Self.code.utf8))))
        #expect(life.isLost && life.exactMatches(of: [Candidate(token: 100, probability: 1)]).isEmpty)
    }

    private func aligned(_ fuzz: BridgeFuzz) -> AlignedText {
        AlignedText(target: fuzz.exactTarget, draft: fuzz.exactDraft, intersection: fuzz.both)
    }
}
