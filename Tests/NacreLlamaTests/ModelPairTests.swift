import NacreCore
import NacreEngine
import NacreLlama
import NacreModels
import Testing

/// Whether, and how, one model can draft for another.
struct ModelPairTests {
    private static func bytes(_ bytes: Range<UInt8>, and others: [String] = []) -> PieceTokenizer {
        PieceTokenizer(pieces: bytes.map { [$0] } + [[UInt8.max]] + others.map { Array($0.utf8) })
    }

    @Test("models of one vocabulary need no bridge")
    func same() throws {
        let pair = ModelPair(
            target: try LlamaTokenizer(path: Fixture.target), draft: try LlamaTokenizer(path: Fixture.draft), unfit: nil
        )
        #expect(pair.isUsable && pair.bridge == BridgeKind.none && pair.bridges == [BridgeKind.none])
        #expect(pair.vocabulary.isSame && pair.vocabulary.targetShare == 1 && pair.vocabulary.draftShare == 1)
        #expect(pair.vocabulary.sameIds == pair.vocabulary.targetTokens)
    }

    @Test("shared texts are counted by bytes and role, whatever their ids, and empty pieces not at all")
    func counting() {
        let target = PieceTokenizer("<s>", "a", "b", "ab", "", "a", controls: ["<s>"])
        let draft = PieceTokenizer("a", "<s>", "b", "c", "")
        let overlap = VocabularyOverlap(target: target, draft: draft)
        // "<s>" is a command in one and text in the other.
        #expect(!overlap.isSame && overlap.shared == 2)
        #expect(overlap.targetShared == 3 && overlap.draftShared == 2)
        #expect(overlap.targetShare == 3.0 / 6 && overlap.draftShare == 2.0 / 5)
        // b, at 2.
        #expect(overlap.sameIds == 1)
        let back = VocabularyOverlap(target: draft, draft: target)
        #expect(back.shared == 2 && back.targetShare == overlap.draftShare && back.draftShare == overlap.targetShare)
    }

    @Test("one renamed piece makes another vocabulary, with all but it shared")
    func renamed() throws {
        let bytes = Fixture.read(Fixture.draft)
        // A GGUF string is its length and its bytes; the piece after it is of the same length as before.
        let old = [4, 0, 0, 0, 0, 0, 0, 0] + Array("self".utf8)
        let new = [4, 0, 0, 0, 0, 0, 0, 0] + Array("selv".utf8)
        let place = try #require((0...(bytes.count - 12)).first { bytes[$0..<$0 + 12].elementsEqual(old) })
        var changed = bytes
        changed.replaceSubrange(place..<place + 12, with: new)
        let file = TemporaryFile(changed)
        let target = try LlamaTokenizer(path: Fixture.target)
        let pair = ModelPair(target: target, draft: try LlamaTokenizer(path: file.path), unfit: nil)
        #expect(!pair.vocabulary.isSame && pair.isUsable && (pair.textShare ?? 0) > 0.95)
        #expect(pair.vocabulary.shared == target.vocabularySize - 1)
        #expect(pair.vocabulary.sameIds == target.vocabularySize - 1)
        #expect(pair.bridge == .tli && pair.bridges == [.tli, .slem])
        #expect(pair.rows.contains { $0 == ("usable", "yes") })
    }

    /// The pair of the shipped target and the file at `path`, as `info` sees it.
    private func pair(draft path: String, target: String = Fixture.target) throws -> ModelPair {
        let (target, draft) = (try ModelOutline(path: target), try ModelOutline(path: path))
        return ModelPair(
            target: target.tokenizer, draft: draft.tokenizer,
            unfit: ModelPair.unfitness(target: ModelFacts(target), draft: ModelFacts(draft)))
    }

    @Test("the same vocabulary is not enough: without weights there is neither target nor draft")
    func vocabularyAlone() throws {
        var source = TinyGGUF(copying: Fixture.read(Fixture.draft))
        source.tensors = []
        let file = TemporaryFile(source.bytes)
        for (pair, role) in [
            (try pair(draft: file.path), "draft"), (try pair(draft: Fixture.draft, target: file.path), "target"),
        ] {
            #expect(pair.vocabulary.isSame && pair.bridge == BridgeKind.none && !pair.isUsable)
            #expect(pair.refusal?.contains("the \(role) model does not generate text") == true, "\(pair)")
            #expect(pair.rows.contains { $0.0 == "usable" && $0.1.hasPrefix("no: the \(role) model") })
        }
    }

    @Test("a draft model that cannot take tokens back is refused, by its architecture and when tried")
    func recurrentDraft() throws {
        let source = TinyGGUF(copying: Fixture.read(Fixture.draft))
        let file = TemporaryFile(TinyGGUF.recurrent(vocabularyOf: source, tokens: 4096).bytes)
        let expected = try pair(draft: file.path)
        #expect(expected.vocabulary.isSame && !expected.isUsable)
        #expect(expected.refusal?.contains("mamba has recurrent layers") == true, "\(expected)")
        let recurrent = ModelCheck(path: file.path, threads: 1)
        #expect(
            recurrent.passed && recurrent.steps.last?.detail.contains("does not work") == true, "\(recurrent.steps)")
        let sound = ModelCheck(path: Fixture.target, threads: 1)
        let tried = try #require(ModelPair(target: sound, draft: recurrent))
        #expect(!tried.isUsable && tried.summary.contains("cannot take tokens back"), "\(tried.summary)")
        // As a target it decodes plainly.
        #expect(ModelPair(target: recurrent, draft: sound)?.isUsable == true)
    }

    @Test("files that failed a step are not paired")
    func damaged() {
        let sound = ModelCheck(path: Fixture.draft, threads: 1)
        let cut = TemporaryFile(Fixture.read(Fixture.draft).dropLast(1000))
        #expect(ModelPair(target: sound, draft: ModelCheck(path: cut.path, threads: 1)) == nil)
        #expect(ModelPair(target: sound, draft: sound)?.isUsable == true)
    }

    @Test("spaces and line breaks are the same text in SentencePiece and byte-level BPE")
    func spellings() throws {
        let spm = try LlamaTokenizer(path: Fixture.vocabularies + "ggml-vocab-llama-spm.gguf")
        let bpe = try LlamaTokenizer(path: Fixture.vocabularies + "ggml-vocab-llama-bpe.gguf")
        let overlap = VocabularyOverlap(target: bpe, draft: spm)
        // Compared by their own spelling, no piece that begins with a space would be shared.
        #expect(overlap.shared > 10_000 && overlap.draftShare > 0.5, "\(overlap)")
    }

    @Test("a draft that shares little goes by way of the text")
    func byText() throws {
        let target = try LlamaTokenizer(path: Fixture.target)
        let spm = try LlamaTokenizer(path: Fixture.vocabularies + "ggml-vocab-llama-spm.gguf")
        let pair = ModelPair(target: target, draft: spm, unfit: nil)
        #expect(pair.vocabulary.draftShare < 0.5 && pair.bridge == .mixed && pair.bridges == [.mixed, .tli, .slem])
        #expect(pair.isUsable && pair.summary.contains("of a text's tokens"), "\(pair.summary)")
    }

    @Test("a draft that has the target's tokens and says the text in others goes by it where the text is greedy")
    func largerDraft() throws {
        let other = Fixture.root + "Models/pycode-600k-v1536-q8_0.gguf"
        let pair = ModelPair(
            target: try LlamaTokenizer(path: other), draft: try LlamaTokenizer(path: Fixture.target), unfit: nil)
        #expect((pair.textShare ?? 0) > 0.95 && (pair.draftTextShare ?? 1) < 0.95)
        #expect(pair.bridge == .mixed && pair.bridges == [.mixed, .tli, .slem])
    }

    @Test("a vocabulary of bytes may go by probabilities of text; a WordPiece one not by text at all")
    func extremes() throws {
        let target = try LlamaTokenizer(path: Fixture.target)
        let bytes = ModelPair(target: target, draft: Self.bytes(0..<255), unfit: nil)
        #expect(bytes.bridge == .slem && bytes.bridges.contains(.tli) && !bytes.bridges.contains(.slrs))
        // A tokenizer that a bridge can use spells any text; few pieces that begin others are needed for `slrs`.
        let all = Self.bytes(0..<255)
        let pairs = ModelPair(target: Self.bytes(0..<254, and: ["in", "re"]), draft: all, unfit: nil)
        #expect(pairs.bridges.contains(.slrs), "\(pairs.bridges)")
        let wordpiece = try LlamaTokenizer(path: Fixture.vocabularies + "ggml-vocab-bert-bge.gguf")
        let pair = ModelPair(target: target, draft: wordpiece, unfit: nil)
        #expect(pair.bridges == [.tli] && pair.isUsable)
        let nothing = ModelPair(target: PieceTokenizer("a"), draft: PieceTokenizer("b"), unfit: nil)
        #expect(nothing.bridge == nil && nothing.bridges.isEmpty && !nothing.isUsable)
    }
}
