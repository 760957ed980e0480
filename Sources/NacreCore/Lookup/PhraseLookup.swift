/// Drafts phrase by phrase (`phrases`): behind the last token one of the phrases that were met there, behind its last
/// token the next.
///
/// A phrase that began some tokens ago and held so far speaks first: it has seen more. The pool is shared by all jobs,
/// so it is warm from earlier prompts; it keeps what a text was rewound from. With a model's drafts:
/// `LookupDrafter.lengthen`, `PhrasePool.reuse`.
///
/// - Source: Zhao et al., "Ouroboros: generating longer drafts phrase by phrase for faster speculative decoding", EMNLP
///   2024 (2402.13720). There the drafter fills the pool by Jacobi iterations of its own; here texts and rejected
///   drafts do.
package struct PhraseLookup: LookupDrafter {
    private var text: [TokenID] = []
    /// Tokens of the text whose phrases are in the pool.
    private var learned = 0

    package init() {}

    package var length: Int { text.count }

    package mutating func append(_ tokens: [TokenID], memory: inout LookupMemory) {
        text += tokens
        let whole = memory.phrases.tokensMax
        while learned + whole < text.count {
            memory.phrases.learn(Array(text[(learned + 1)...(learned + whole)]), behind: text[learned])
            learned += 1
        }
    }

    package mutating func rewind(to length: Int) {
        precondition((0...text.count).contains(length), "\(length) of \(text.count) tokens")
        text.removeLast(text.count - length)
        learned = min(learned, length)
    }

    package func candidates(after path: [TokenID], count: Int, memory: LookupMemory) -> [Candidate] {
        let context =
            Array(text.suffix(max(0, memory.phrases.tokensMax - path.count)))
            + path.suffix(memory.phrases.tokensMax)
        var found: [Candidate] = []
        for key in context.indices where found.count < count {
            let held = context[(key + 1)...]
            var counts = ContinuationCounts()
            for (age, phrase) in memory.phrases.phrases(behind: context[key]).enumerated()
            where phrase.tokens.count > held.count && phrase.tokens.starts(with: held) {
                counts.add(phrase.tokens[held.count], times: phrase.times, recency: -age)
            }
            if counts.isEmpty { continue }
            found = found.united(with: counts.candidates(count, matched: held.count + 1), count: count)
        }
        return found
    }
}
