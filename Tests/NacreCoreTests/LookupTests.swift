import NacreCore
import Testing

/// Drafters without a draft model.
@Suite("Lookup drafters")
struct LookupTests {
    private static func text(_ length: Int, of alphabet: UInt32, seed: UInt64) -> [TokenID] {
        var random = SplitMix(seed: seed)
        return (0..<length).map { _ in TokenID(rawValue: UInt32.random(in: 0..<alphabet, using: &random)) }
    }

    private static func ends(of piece: ArraySlice<TokenID>, in text: [TokenID]) -> [Int] {
        text.indices.filter { $0 + 1 >= piece.count && text[($0 + 1 - piece.count)..<($0 + 1)].elementsEqual(piece) }
    }

    private static func taken(_ tokens: [TokenID], by drafter: some LookupDrafter) -> any LookupDrafter {
        var drafter = drafter
        var memory = LookupMemory()
        drafter.append(tokens, memory: &memory)
        return drafter
    }

    // MARK: - The automaton

    @Test("the automaton finds the longest repeated end, its occurrences and what followed", arguments: 0..<12)
    func automatonAgainstBruteForce(seed: Int) {
        let text = Self.text(90, of: UInt32(2 + seed % 4), seed: UInt64(seed))
        var automaton = SuffixAutomaton()
        for end in text.indices {
            automaton.append(text[end])
            let known = Array(text[...end])
            let longest = (0...end).last { size in
                Self.ends(of: known.suffix(size), in: known).count > (size == 0 ? 0 : 1)
            }
            #expect(automaton.ending.length == longest ?? 0, "seed \(seed), token \(end)")
            var match: SuffixAutomaton.Match? = automaton.ending
            while let piece = match, piece.length > 0 {
                let ends = Self.ends(of: known.suffix(piece.length), in: known)
                #expect(automaton.occurrences(of: piece) == ends.count, "seed \(seed), token \(end)")
                var counts = ContinuationCounts()
                for end in ends where end + 1 < known.count { counts.add(known[end + 1], recency: end + 1) }
                #expect(
                    automaton.continuations(of: piece).candidates(9, matched: piece.length)
                        == counts.candidates(9, matched: piece.length), "seed \(seed), token \(end)")
                match = automaton.shorter(piece)
            }
        }
        #expect(automaton.stateCount <= 2 * text.count && automaton.edgeCount <= 3 * text.count)
    }

    @Test("following a path keeps the longest match", arguments: 0..<6)
    func advancing(seed: Int) {
        let text = Self.text(60, of: 3, seed: UInt64(seed))
        var automaton = SuffixAutomaton()
        for token in text { automaton.append(token) }
        let path = Self.text(40, of: 3, seed: UInt64(seed + 100))
        var match = SuffixAutomaton.Match()
        for end in path.indices {
            match = automaton.advance(match, by: path[end])
            let longest = (0...(end + 1)).last { !Self.ends(of: path[...end].suffix($0), in: text).isEmpty }
            #expect(match.length == longest, "seed \(seed), token \(end)")
        }
    }

    @Test("a token taken back leaves no trace in the automaton", arguments: 0..<8)
    func undoing(seed: Int) {
        var random = SplitMix(seed: UInt64(seed))
        var automaton = SuffixAutomaton(undoMax: 50)
        var text: [TokenID] = []
        for round in 0..<60 {
            let more = Self.text(Int.random(in: 1...12, using: &random), of: 2, seed: UInt64(seed * 100 + round))
            for token in more { automaton.append(token) }
            let back = Int.random(in: 0...min(automaton.undoable, 15), using: &random)
            for _ in 0..<back { automaton.removeLast() }
            text = Array((text + more).dropLast(back))
            var rebuilt = SuffixAutomaton()
            for token in text { rebuilt.append(token) }
            #expect(automaton.stateCount == rebuilt.stateCount && automaton.edgeCount == rebuilt.edgeCount)
            var pair: (SuffixAutomaton.Match?, SuffixAutomaton.Match?) = (automaton.ending, rebuilt.ending)
            while let left = pair.0, let right = pair.1 {
                #expect(left == right && automaton.occurrences(of: left) == rebuilt.occurrences(of: right))
                #expect(
                    automaton.continuations(of: left).candidates(9, matched: 1)
                        == rebuilt.continuations(of: right).candidates(9, matched: 1))
                pair = (automaton.shorter(left), rebuilt.shorter(right))
            }
            #expect(pair.0 == nil && pair.1 == nil)
        }
    }

    @Test("of a token that something new followed each time only the latest continuations are looked at")
    func manyContinuations() {
        let bound = SuffixAutomaton.continuationsMax
        var automaton = SuffixAutomaton()
        for token in 1...1_000 as ClosedRange<UInt32> {
            automaton.append(0)
            automaton.append(TokenID(rawValue: token))
            let counts = automaton.continuations(of: automaton.advance(.init(), by: 0))
            #expect(counts.count == min(Int(token), bound))
            let latest = (0..<min(token, UInt32(bound))).map { TokenID(rawValue: token - $0) }
            let found = counts.candidates(.max, matched: 1)
            #expect(found.map(\.token) == latest)
            #expect(found.allSatisfy { $0.probability == 1 / (Double(token) + 2) }, "the others count all the same")
        }
    }

    // MARK: - Drafters

    @Test("prompt lookup proposes the commonest continuation of the longest n-gram", arguments: 0..<10)
    func promptLookupAgainstBruteForce(seed: Int) {
        let text = Self.text(50, of: 4, seed: UInt64(seed))
        let lookup = Self.taken(text, by: PromptLookup(tokensMin: 2, tokensMax: 4, occurrencesMax: 1000))
        var expected: [Candidate] = []
        for size in [4, 3, 2] where expected.count < 3 {
            var counts = ContinuationCounts()
            for end in Self.ends(of: text.suffix(size), in: text) where end + 1 < text.count {
                counts.add(text[end + 1], recency: end)
            }
            expected = expected.united(with: counts.candidates(3, matched: size), count: 3)
        }
        #expect(lookup.candidates(after: [], count: 3, memory: LookupMemory()) == expected, "seed \(seed)")
    }

    @Test("the most recent of two equally common continuations is proposed, not the leftmost")
    func mostRecentFirst() {
        let text: [TokenID] = [1, 2, 7, 1, 2, 8, 1, 2]
        for kind in LookupKind.allCases where kind != .phrases {
            let found = Self.taken(text, by: LookupUnion([kind])).candidates(
                after: [], count: 2, memory: LookupMemory())
            #expect(found.map(\.token) == [8, 7], "\(kind)")
        }
    }

    @Test("rewinding equals rebuilding", arguments: LookupKind.allCases.dropLast(), 0..<4)
    func rewinding(kind: LookupKind, seed: Int) {
        var random = SplitMix(seed: UInt64(seed))
        var memory = LookupMemory()
        var drafter = LookupUnion([kind])
        var text: [TokenID] = []
        for round in 0..<30 {
            let more = Self.text(Int.random(in: 1...60, using: &random), of: 3, seed: UInt64(seed * 100 + round))
            drafter.append(more, memory: &memory)
            text += more
            // Now and then further than the automaton can take back token by token.
            let most = round % 10 == 9 ? text.count : min(text.count, 20)
            let length = text.count - Int.random(in: 0...most, using: &random)
            drafter.rewind(to: length)
            text.removeLast(text.count - length)
            #expect(drafter.length == length)
            let rebuilt = Self.taken(text, by: LookupUnion([kind]))
            let bounds = TreePlan.BestFirst(nodesMax: 12, width: 3)
            #expect(drafter.draft(bounds, memory: memory) == rebuilt.draft(bounds, memory: memory), "seed \(seed)")
        }
    }

    @Test("a rewind past what the automaton can undo, and past the window")
    func longRewinds() {
        var memory = LookupMemory()
        let text = Self.text(3000, of: 5, seed: 1)
        var lookup = SuffixLookup()
        lookup.append(text, memory: &memory)
        lookup.rewind(to: 700)
        #expect(lookup.matched == SuffixLookup.taking(Array(text[..<700])).matched)
        var narrow = SuffixLookup(windowMax: 100)
        narrow.append(text, memory: &memory)
        #expect(narrow.length == 3000 && narrow.automaton.length <= 100 && narrow.automaton.length >= 50)
        #expect(narrow.automaton.stateCount <= 200)
        narrow.rewind(to: 10)
        #expect(narrow.length == 10 && narrow.automaton.length == 0)
        narrow.append([1, 2, 1], memory: &memory)
        #expect(narrow.candidates(after: [], count: 1, memory: memory).map(\.token) == [2])
    }

    @Test("a text that repeats itself is continued", arguments: LookupKind.allCases)
    func periodicText(kind: LookupKind) {
        var memory = LookupMemory()
        var drafter = LookupUnion([kind])
        drafter.append(Array(repeating: [1, 2, 3], count: 5).flatMap(\.self) + [1], memory: &memory)
        let draft = drafter.draft(.init(nodesMax: 7, width: 1), memory: memory)
        #expect(draft.nodes.map(\.token) == [2, 3, 1, 2, 3, 1, 2])
        #expect(draft.nodes.allSatisfy { (0..<1).contains($0.probability) && $0.probability > 0.3 })
        #expect(drafter.draft(.init(nodesMax: 7, width: 1), endTokens: [3], memory: memory).count == 2)
        let fresh = LookupUnion([kind])
        #expect(fresh.draft(.init(nodesMax: 7, width: 1), memory: LookupMemory()).isEmpty)
    }

    @Test("one token ten thousand times is taken in and continued")
    func degenerateText() {
        let lookup = SuffixLookup.taking(Array(repeating: 7, count: 10_000))
        #expect(lookup.matched == 9_999)
        let draft = lookup.draft(.init(nodesMax: 4, width: 2), memory: LookupMemory())
        #expect(draft.nodes.map(\.token) == [7, 7, 7, 7])
    }

    // MARK: - Memory

    @Test("the pool drafts from past outputs, keeps the last half and never more than it may")
    func outputs() {
        var memory = LookupMemory(outputs: OutputPool(tokensMax: 200))
        for job in 0..<50 {
            memory.outputs.remember(Self.text(20, of: 50, seed: UInt64(job)))
            #expect(memory.outputs.count <= 200)
            #expect(memory.outputs.young.stateCount + memory.outputs.old.stateCount <= 402)
            // The last 100 tokens remembered, separators included, are four whole outputs.
            for kept in max(0, job - 3)...job {
                let output = Self.text(20, of: 50, seed: UInt64(kept))
                let lookup = SuffixLookup.taking(Array(output[..<10]))
                let draft = lookup.draft(.init(nodesMax: 10, width: 1), memory: memory)
                #expect(draft.nodes.map(\.token) == Array(output[10...]), "job \(job), output \(kept)")
            }
        }
        memory.outputs.remember(Self.text(1000, of: 50, seed: 99))
        #expect(memory.outputs.count <= 200)
        memory.outputs.remember([])
    }

    @Test("nothing is proposed across the end of an output")
    func outputEnds() {
        var memory = LookupMemory()
        memory.outputs.remember([1, 2, 3])
        memory.outputs.remember([4, 5])
        let lookup = SuffixLookup.taking([1, 2])
        #expect(lookup.draft(.init(nodesMax: 9, width: 3), memory: memory).nodes.map(\.token) == [3])
    }

    @Test("the phrase pool keeps its bounds, and the same ones in every run")
    func phraseBounds() {
        func filled() -> PhrasePool {
            var pool = PhrasePool(tokensMax: 3, phrasesMax: 4, keysMax: 20)
            for seed in 0..<40 {
                pool.learn(Self.text(30, of: 60, seed: UInt64(seed)))
                #expect(pool.count <= 4 * 20)
            }
            return pool
        }
        let (first, second) = (filled(), filled())
        for key in 0..<60 as Range<UInt32> {
            let phrases = first.phrases(behind: TokenID(rawValue: key))
            #expect(phrases.map(\.tokens) == second.phrases(behind: TokenID(rawValue: key)).map(\.tokens))
            #expect(phrases.count <= 4 && phrases.allSatisfy { (1...3).contains($0.tokens.count) })
        }
        // The last text's last keys learned last.
        let last = Self.text(30, of: 60, seed: 39)
        #expect(last.dropLast().suffix(8).allSatisfy { !first.phrases(behind: $0).isEmpty })
    }

    @Test("phrases are chained, and survive the job and the rewind")
    func phrases() {
        var memory = LookupMemory(phrases: PhrasePool(tokensMax: 2))
        var first = PhraseLookup()
        first.append([1, 2, 3, 4, 5, 6, 7], memory: &memory)
        first.rewind(to: 1)
        let other = Self.taken([9, 1], by: PhraseLookup())
        for drafter in [first as any LookupDrafter, other] {
            // Longer than any phrase in the pool.
            let draft = drafter.draft(.init(nodesMax: 6, width: 1), memory: memory)
            #expect(draft.nodes.map(\.token) == [2, 3, 4, 5, 6, 7])
        }
    }

    @Test("a rejected draft is used again, with the rejected token corrected")
    func reuse() {
        var pool = PhrasePool()
        pool.reuse([2, 3, 4, 5], decided: [2, 9], behind: 1)
        #expect(pool.phrases(behind: 9).map(\.tokens) == [[4, 5]])
        #expect(pool.phrases(behind: 3).map(\.tokens) == [[4, 5]])
        #expect(pool.phrases(behind: 2).map(\.tokens) == [[9, 4, 5]])
        var untouched = PhrasePool()
        untouched.reuse([2, 3], decided: [2, 3, 4], behind: 1)
        #expect(untouched.count == 0)
    }
}

extension SuffixLookup {
    fileprivate static func taking(_ tokens: [TokenID]) -> SuffixLookup {
        var lookup = SuffixLookup()
        var memory = LookupMemory()
        lookup.append(tokens, memory: &memory)
        return lookup
    }
}
