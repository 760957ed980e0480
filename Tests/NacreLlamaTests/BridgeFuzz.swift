import NacreCore
import NacreEngine
import NacreLlama
import Synchronization

/// A model file's vocabulary as bridges see it.
final class FileVocabulary: TextTokenizer {
    let name: String
    let tokenizer: LlamaTokenizer
    let commands: [TokenID]
    let ends: [TokenID]

    private init(name: String, path: String) throws {
        let tokenizer = try LlamaTokenizer(path: path)
        self.name = name
        self.tokenizer = tokenizer
        let ids = (0..<UInt32(tokenizer.vocabularySize)).map(TokenID.init)
        ends = ids.filter(tokenizer.isEndOfGeneration)
        commands = ids.filter { tokenizer.isControl($0) || tokenizer.isEndOfGeneration($0) }
    }

    /// The shipped vocabulary, or one of llama.cpp's. Each is read once.
    static func named(_ name: String) throws -> FileVocabulary {
        try all.withLock { all in
            if let vocabulary = all[name] { return vocabulary }
            let path = name == "shipped" ? Fixture.target : "\(Fixture.vocabularies)ggml-vocab-\(name).gguf"
            let vocabulary = try FileVocabulary(name: name, path: path)
            all[name] = vocabulary
            return vocabulary
        }
    }

    private static let all = Mutex<[String: FileVocabulary]>([:])

    var vocabularySize: Int { tokenizer.vocabularySize }
    func piece(_ token: TokenID) -> [UInt8] { tokenizer.piece(token) }
    func isControl(_ token: TokenID) -> Bool { tokenizer.isControl(token) }
    func isByte(_ token: TokenID) -> Bool { tokenizer.isByte(token) }
    func isEndOfGeneration(_ token: TokenID) -> Bool { tokenizer.isEndOfGeneration(token) }
    func tokens(of text: [UInt8]) -> [TokenID]? {
        try? tokenizer.tokenize(text, addSpecial: false, parseSpecial: false)
    }

    func randomToken(_ random: inout TestRandom) -> TokenID {
        TokenID(rawValue: UInt32.random(in: 0..<UInt32(vocabularySize), using: &random))
    }
}

/// One pair of vocabularies, and random lives of a text in both (T9, ALGORITHMS 5.1 and 11).
///
/// A life: the target commits some tokens, the drafter is brought up to them and drafts, the drafts go back, and so on.
/// A seed has one life, on every machine.
struct BridgeFuzz: Sendable {
    struct Broken: Error, CustomStringConvertible {
        let description: String
    }

    let target: FileVocabulary
    let draft: FileVocabulary
    let exactTarget: ByteExactTokenizer
    let exactDraft: ByteExactTokenizer
    let both: TokenLevelIntersection
    /// Whether the drafter can follow every text.
    let canSpell: Bool

    init(target: FileVocabulary, draft: FileVocabulary) {
        self.target = target
        self.draft = draft
        exactTarget = ByteExactTokenizer(target)
        let exactDraft = ByteExactTokenizer(draft)
        self.exactDraft = exactDraft
        both = TokenLevelIntersection(target: exactTarget, draft: exactDraft)
        canSpell = (0...255).allSatisfy { exactDraft.tokens(of: [UInt8($0)]) != nil }
    }

    /// What is expected of an aligned text, kept in the plainest way.
    struct Life {
        var text: AlignedText
        var committed: [TokenID] = []
        /// The drafter's cache, drafts included.
        var cache: [TokenID] = []
        var isOnlyTLI = true
    }

    /// - Throws: what does not hold in the life of `seed`.
    func run(seed: UInt64) throws(Broken) {
        var random = TestRandom(seed: seed)
        try joining(&random)
        let tokens = generated(&random)
        let look = Int.random(in: 1...10, using: &random)
        var life = Life(text: AlignedText(target: exactTarget, draft: exactDraft, intersection: both, look: look))
        var rest = tokens[...]
        while !rest.isEmpty {
            let next = rest.prefix(Int.random(in: 1...6, using: &random))
            rest = rest.dropFirst(next.count)
            try commit(Array(next), &life, by: Bool.random(using: &random) ? .tli : .slem)
            if life.text.isLost { return try begunAnew(Array(rest), life) }
            try draft(behind: &life, coming: rest.prefix(8).flatMap(exactTarget.text(of:)), &random)
        }
    }

    private func joining(_ random: inout TestRandom) throws(Broken) {
        let text = FuzzText.text(&random, of: [target, draft])
        let cut = Int.random(in: 0...text.count, using: &random)
        let parts = [text[..<cut], text[cut...]].map { exactDraft.tokens(of: $0) }
        if let first = parts[0], let second = parts[1] {
            let joined = (first + second).flatMap(exactDraft.text(of:))
            try check(joined == text && !(first + second).contains(where: exactDraft.isCommand), "\(text) at \(cut)")
        } else {
            try check(!canSpell, "no tokens of \(text) cut at \(cut)")
        }
    }

    /// What a target may commit: texts as its tokenizer cuts them, cut anywhere else, any token at all, commands.
    private func generated(_ random: inout TestRandom) -> [TokenID] {
        var tokens: [TokenID] = []
        for _ in 0..<Int.random(in: 1...3, using: &random) {
            switch Int.random(in: 0..<8, using: &random) {
            case 0: tokens.append(target.randomToken(&random))
            case 1: if let command = target.commands.randomElement(using: &random) { tokens.append(command) }
            default:
                let text = FuzzText.text(&random, of: [target, draft])
                let cuts = [0, Int.random(in: 0...text.count, using: &random), text.count]
                let parts = Bool.random(using: &random) ? [text[...]] : [text[..<cuts[1]], text[cuts[1]...]]
                tokens += parts.flatMap { exactTarget.tokens(of: $0) ?? [] }
            }
        }
        return tokens
    }

    private func commit(_ tokens: [TokenID], _ life: inout Life, by bridge: BridgeKind) throws(Broken) {
        let drafted = Array(life.cache.dropFirst(life.text.draftTokens.count))
        let update = life.text.commit(tokens, drafted: drafted, by: bridge)
        life.committed += tokens
        life.isOnlyTLI = life.isOnlyTLI && bridge == .tli
        life.cache = life.cache.prefix(update.kept) + update.tokens
        let text = life.text
        let known = life.committed.flatMap(exactTarget.text(of:))
        try check(life.cache == text.draftTokens, "rewound to \(update), the cache is not the text")
        try check(text.targetTrack.tokens == life.committed && text.bytes == known, "the target's tokens are lost")
        let partners = life.committed.map(both.draftToken(of:))
        let mute = zip(life.committed, partners).contains { exactTarget.isCommand($0) && $1 == nil }
        try check(!text.isLost || mute || !canSpell, "lost")
        if text.isLost { return }
        try check((0...3).contains(text.held), "\(text.held) bytes held")
        try check(
            text.draftTokens.flatMap(exactDraft.text(of:)) == Array(known.dropLast(text.held)),
            "\(text.draftTokens) are not \(life.committed)")
        try check(commands(life.committed) == commands(ofDraft: text.draftTokens), "commands have moved")
        if life.isOnlyTLI, !partners.contains(nil) {
            try check(text.draftTokens == partners.compactMap(\.self), "tokens of both are not taken over")
        }
    }

    private struct Place: Equatable {
        let command: TokenID?
        let offset: Int
    }

    /// The drafter's commands for the target's, each with the bytes before it.
    private func commands(_ tokens: [TokenID]) -> [Place] {
        var offset = 0
        return tokens.compactMap { token in
            offset += exactTarget.text(of: token).count
            return exactTarget.isCommand(token) ? Place(command: both.draftToken(of: token), offset: offset) : nil
        }
    }

    private func commands(ofDraft tokens: [TokenID]) -> [Place] {
        var offset = 0
        return tokens.compactMap { token in
            offset += exactDraft.text(of: token).count
            return exactDraft.isCommand(token) ? Place(command: token, offset: offset) : nil
        }
    }

    /// Drafts a text, the coming one half of the time, and looks at what of it reaches the target.
    private func draft(behind life: inout Life, coming: [UInt8], _ random: inout TestRandom) throws(Broken) {
        let text = life.text
        let paths = [path(behind: text, coming, &random), path(behind: text, coming, &random)]
        for path in paths { try check(text.exactMatches(of: path), of: path, behind: text) }
        try checkTree(of: paths, behind: text)
        life.cache += paths[0].map(\.token)
    }

    private func path(behind text: AlignedText, _ coming: [UInt8], _ random: inout TestRandom) -> [Candidate] {
        let held = Array(text.bytes.suffix(text.held))
        var tokens: [TokenID]
        switch Int.random(in: 0..<4, using: &random) {
        case 0: tokens = (0..<3).map { _ in draft.randomToken(&random) }
        case 1: tokens = exactDraft.tokens(of: held + FuzzText.text(&random, of: [target, draft])) ?? []
        default: tokens = exactDraft.tokens(of: held + coming) ?? []
        }
        if Int.random(in: 0..<4, using: &random) == 0, let end = draft.ends.randomElement(using: &random) {
            tokens.append(end)
        }
        return tokens.map { Candidate(token: $0, probability: .random(in: 0.1...1, using: &random)) }
    }

    /// Every path of a tree crosses the bridge as it would alone, and no other comes out.
    private func checkTree(of paths: [[Candidate]], behind text: AlignedText) throws(Broken) {
        var tree = DraftTree(root: 0)
        for path in paths {
            var node: NodeIndex?
            for draft in path {
                node =
                    tree.child(of: node, token: draft.token)
                    ?? tree.append(draft.token, under: node, probability: draft.probability)
            }
        }
        func ways(_ tree: DraftTree) -> Set<[TokenID]> {
            Set(tree.indices.filter { tree.firstChild(of: $0) == nil }.map { tree.tokens(to: $0) })
        }
        let alone = Set(
            ways(tree).map { text.exactMatches(of: $0.map { Candidate(token: $0, probability: 1) }).map(\.token) })
        let longest = alone.filter { way in !way.isEmpty && !alone.contains { $0 != way && $0.starts(with: way) } }
        try check(ways(text.exactMatches(of: tree, root: 0)) == longest, "\(ways(tree)) did not become \(longest)")
    }

    private func check(_ matches: [Candidate], of path: [Candidate], behind text: AlignedText) throws(Broken) {
        let command = path.firstIndex { exactDraft.isCommand($0.token) }
        let isWhole = command.map { draft.isEndOfGeneration(path[$0].token) } ?? false
        let drafted = path[..<(command ?? path.count)]
        let claimed = drafted.flatMap { exactDraft.text(of: $0.token) }
        let said = matches.flatMap { exactTarget.text(of: $0.token) }
        if matches.isEmpty { return }
        let goal = Array(claimed.dropFirst(text.held))
        try check(
            claimed.starts(with: text.bytes.suffix(text.held)) && goal.starts(with: said),
            "\(path) behind \(text.bytes) became \(matches)")
        let ending = matches.firstIndex { exactTarget.isCommand($0.token) }
        try check(ending == nil || isWhole && ending == matches.count - 1, "a command in the middle of \(matches)")
        if isWhole {
            try check(said == goal, "an end behind \(said) for one behind \(goal)")
        } else {
            try check(said.count < goal.count, "nothing held back of \(path)")
        }
        // What decides how far drafts are worth verifying is the same on both sides.
        var start = -text.held
        var expected = ending == nil ? 1 : command.map { path[$0].probability } ?? 1
        for draft in drafted {
            let end = start + exactDraft.text(of: draft.token).count
            if start < said.count, end > 0 { expected *= draft.probability }
            start = end
        }
        let product = matches.reduce(1) { $0 * $1.probability }
        try check(abs(product - expected) <= 1e-9 * expected, "\(product) for \(expected): \(path) is \(matches)")
    }

    /// A lost drafter drafts nothing, and follows again once it has begun anew.
    private func begunAnew(_ tokens: [TokenID], _ life: Life) throws(Broken) {
        var life = life
        let path = (0..<UInt32(2)).map { Candidate(token: TokenID(rawValue: $0), probability: 1) }
        try check(life.text.exactMatches(of: path).isEmpty, "drafts of a lost drafter")
        life.text.restart()
        (life.committed, life.cache, life.isOnlyTLI) = ([], [], true)
        try commit(tokens, &life, by: .slem)
    }

    private func check(_ holds: Bool, _ what: @autoclosure () -> String) throws(Broken) {
        if !holds { throw Broken(description: what()) }
    }
}

/// Texts that tokenizers find hard.
enum FuzzText {
    private static let fragments: [[UInt8]] =
        [
            "the", " the", "The", "thing", " ", "  ", "   ", "        ", "\n", "\n\n", "\r\n", "\t", "\t\t", " \n ",
            " in",
            "12", "1234", "3.14", " int", "'s", "don't", "def f(x):\n    return x", "日", "本語", "日本", "한국어", "مرحبا",
            "שלום", "Привет", "हिन्दी", "ไทย", "🙂", "👩‍👧", "🇩🇪", "é", "e\u{301}", "ß", "Ⅷ", ".", ",", "...", "()", "{}",
            "=====", "</s>", "<s>", "<unk>", "<|endoftext|>", "<|im_start|>", "[INST]", "[UNK]", "##ing", "<0x0A>",
            "▁", "▁the", "Ġ", "Ċ", "\u{0}", "\u{7f}", "\u{a0}", "\u{3000}", "\u{200b}", "\u{200d}", "\u{feff}",
            "\u{fffd}", "\u{10ffff}", "\u{2028}",
        ].map { Array($0.utf8) }
    /// Cut characters, overlong forms, surrogates, bytes that never occur.
    private static let invalid: [[UInt8]] = [
        [0xFF], [0x80], [0xC3], [0xE6, 0x97], [0xF0, 0x9F, 0x99], [0xC0, 0xAF], [0xED, 0xA0, 0x80],
        [0xF4, 0x90, 0x80, 0x80],
    ]

    /// Fragments, pieces of the vocabularies and any characters, and in a half of the texts also what is no UTF-8.
    static func text(_ random: inout TestRandom, of vocabularies: [FileVocabulary]) -> [UInt8] {
        let isClean = Bool.random(using: &random)
        return (0..<Int.random(in: 1...6, using: &random)).flatMap { _ -> [UInt8] in
            switch Int.random(in: 0..<12, using: &random) {
            case 0 where !isClean: return invalid.randomElement(using: &random) ?? []
            case 1 where !isClean:
                return (0..<Int.random(in: 1...4, using: &random)).map { _ in .random(in: 0...255, using: &random) }
            case 2...4:
                return vocabularies.randomElement(using: &random).map { $0.piece($0.randomToken(&random)) } ?? []
            case 5:
                let scalar = Unicode.Scalar(UInt32.random(in: 0..<0x3000, using: &random)) ?? " "
                return Array(String(Character(scalar)).utf8)
            default: return fragments.randomElement(using: &random) ?? []
            }
        }
    }
}
