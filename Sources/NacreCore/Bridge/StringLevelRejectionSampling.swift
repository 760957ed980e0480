/// SLRS: the law of the *target's* next token under a drafter of another vocabulary, as a row to draw from.
///
///     let rule = try StringLevelRejectionSampling(target: targetTokenizer, draft: draftTokenizer)
///     let psi = try rule.law(after: []) { path in q(behind: context + path) }
///     tree.propose(.row(WeightRow(psi, entriesMax: psi.probabilities.count), .independent), under: node)
///
/// ψ(t) is the probability that the drafter's text begins with t: the sum over all its ways to say so. The drafter
/// speaks until its first target token, the longest piece that its text begins with, can no longer change, which its
/// bytes alone decide. ψ then is q: drawing t from its integers and judging it by `RejectionRule` accepts Σ min(p, ψ),
/// never less than the Σ p·ψ of SLEM, with the target's law (ALGORITHMS 5.2). Drawing from ψ has the law of drafting a
/// text and taking its first token, so no text is drafted at all.
///
/// The price is a row of the drafter for every way in which it can say a text that is still undecided: of a drafter
/// that speaks in bytes one for each piece of the target that begins another piece, of one with longer tokens up to
/// 2^(bytes − 1) times as many. That is why this is for byte-level drafters and small vocabularies, and never chosen
/// by itself.
///
/// Which token a text begins with is ours to say, the law holds for any rule: the longest match is what can be decided
/// byte by byte. Where the target's tokenizer would say otherwise, ψ is off, and with it acceptance, not the output.
///
/// - Source: Timor et al., ICML 2025 (2502.05202), algorithm 3.
package struct StringLevelRejectionSampling: Sendable {
    /// A trie of the target's pieces.
    private struct Node: Sendable {
        var children: [UInt8: Int] = [:]
        var token: TokenID?
    }

    /// How far a text has walked down the trie.
    private struct Walk {
        /// `nil` once no longer piece can match: the first token is decided.
        var node: Int? = 0
        var longest: TokenID?
        var isEmpty = true
    }

    private var nodes = [Node()]
    private let targetSize: Int
    private let draft: ByteExactTokenizer
    /// What the drafter's tokens add to a text, by ids.
    private let pieces: [[UInt8]]
    private let end: TokenID?
    private let rowsMax: Int
    /// Rows of the drafter for a token whose text it has seen up to the beginning of a character.
    package private(set) var rows = 0

    /// - Parameter rowsMax: most rows of the drafter that one position may take.
    /// - Throws: `.tooManyRows` if a token at the beginning of a character takes more, or the target's vocabulary alone
    ///   says so.
    package init(
        target: ByteExactTokenizer, draft: ByteExactTokenizer, rowsMax: Int = 4096
    ) throws(BridgeRefusal) {
        self.draft = draft
        pieces = (0..<UInt32(draft.tokenizer.vocabularySize)).map { draft.text(of: TokenID(rawValue: $0)) }
        self.rowsMax = rowsMax
        targetSize = target.tokenizer.vocabularySize
        let ids = (0..<UInt32(targetSize)).lazy.map(TokenID.init)
        end = ids.first { target.tokenizer.isEndOfGeneration($0) }
        for token in ids {
            let piece = target.text(of: token)
            guard !piece.isEmpty else { continue }
            let node = piece.reduce(0) { child(of: $0, $1) }
            nodes[node].token = target.ordered([nodes[node].token, token].compactMap(\.self)).first
        }
        rows = try countRows()
    }

    /// Rows of the drafter for a token: the ways in which it says each text that is undecided.
    private func countRows() throws(BridgeRefusal) -> Int {
        guard nodes.count(where: { !$0.children.isEmpty }) <= rowsMax else { throw .tooManyRows(max: rowsMax) }
        // A node comes behind all that lead to it, as it was made later.
        var ways = Array(repeating: 0, count: nodes.count)
        ways[0] = 1
        var rows = 0
        for start in nodes.indices where ways[start] > 0 && !nodes[start].children.isEmpty {
            rows += ways[start]
            guard rows <= rowsMax else { throw .tooManyRows(max: rowsMax) }
            for piece in pieces where !piece.isEmpty {
                var node: Int? = start
                for byte in piece {
                    node = node.flatMap { nodes[$0].children[byte] }
                    if node == nil { break }
                }
                if let node { ways[node] += ways[start] }
            }
        }
        return rows
    }

    private mutating func child(of node: Int, _ byte: UInt8) -> Int {
        if let known = nodes[node].children[byte] { return known }
        nodes.append(Node())
        nodes[node].children[byte] = nodes.count - 1
        return nodes.count - 1
    }

    /// ψ over the target's ids behind the text that the drafter has seen.
    ///
    /// A text that begins with no piece of the target, or with a command, is no proposal; ψ is scaled to what is left.
    ///
    /// - Parameters:
    ///   - first: bytes of the text that the drafter has not seen (`AlignedText.held`). Its text has to begin with
    ///     them, and they are no part of the token; texts that do not are no proposals.
    ///   - q: the drafter's law behind its context and these tokens of its own; `nil` if it cannot be had.
    /// - Throws: `.tooManyRows`; `.nothingInCommon` if no text of the drafter begins with a token of the target, or a
    ///   law could not be had.
    package func law(
        after first: [UInt8] = [], q: ([TokenID]) -> Distribution?
    ) throws(BridgeRefusal) -> Distribution {
        var weights = Array(repeating: 0.0, count: targetSize)
        var open: [(path: [TokenID], walk: Walk, held: ArraySlice<UInt8>, mass: Double)] = [([], Walk(), first[...], 1)]
        var rows = 0
        while let (path, walk, held, mass) = open.popLast() {
            rows += 1
            guard rows <= rowsMax else { throw .tooManyRows(max: rowsMax) }
            guard let law = q(path) else { throw .nothingInCommon }
            for (id, probability) in law.probabilities.enumerated() where probability > 0 {
                let (token, text) = (TokenID(rawValue: UInt32(id)), pieces[id])
                if text.isEmpty {
                    guard held.isEmpty, draft.tokenizer.isEndOfGeneration(token) else { continue }
                    if let decided = walk.isEmpty ? end : walk.longest {
                        weights[Int(decided.rawValue)] += mass * probability
                    }
                    continue
                }
                let seen = zip(text, held).prefix { $0 == $1 }.count
                guard seen == min(text.count, held.count) else { continue }
                let next = step(walk, text[seen...])
                if next.node != nil {
                    // Each costs a row.
                    guard rows + open.count < rowsMax else { throw .tooManyRows(max: rowsMax) }
                    open.append((path + [token], next, held.dropFirst(seen), mass * probability))
                } else if let decided = next.longest {
                    weights[Int(decided.rawValue)] += mass * probability
                }
            }
        }
        guard let law = Distribution(weights: weights) else { throw .nothingInCommon }
        return law
    }

    /// The first token of a text that can still become longer; `nil` if that is not decided, or there is none.
    package func firstToken(of text: [UInt8], isWhole: Bool) -> (isDecided: Bool, token: TokenID?) {
        let walk = step(Walk(), text[...])
        let isDecided = isWhole || walk.node == nil
        return (isDecided, isDecided ? (walk.isEmpty ? end : walk.longest) : nil)
    }

    private func step(_ walk: Walk, _ text: ArraySlice<UInt8>) -> Walk {
        var walk = walk
        for byte in text {
            walk.isEmpty = false
            guard let node = walk.node.flatMap({ nodes[$0].children[byte] }) else {
                walk.node = nil
                break
            }
            walk.longest = nodes[node].token ?? walk.longest
            walk.node = nodes[node].children.isEmpty ? nil : node
        }
        return walk
    }
}
