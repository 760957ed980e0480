import Glibc
import NacreCore
import NacreEngine
import NacreLlama
import NacreModels
import Testing

/// What `nacre models info` says of a file.
struct ModelFactsTests {
    private func facts(_ path: String) throws -> ModelFacts { ModelFacts(try ModelOutline(path: path)) }

    private func row(_ name: String, _ facts: ModelFacts) throws -> String {
        try #require(facts.rows.first { $0.0 == name }).1
    }

    @Test("the shipped target is described as the loaded model is")
    func target() throws {
        let facts = try facts(Fixture.target)
        let model = try LlamaModel(path: Fixture.target)
        let tokenizer = try LlamaTokenizer(model)
        #expect(facts.architecture == "llama" && facts.generatesText && !facts.hasChatTemplate)
        #expect(facts.parameters == model.parameters && facts.contextTrained == model.contextTrained)
        #expect(facts.bytes == Fixture.read(Fixture.target).count)
        #expect(facts.vocabulary.tokens == model.vocabularySize)
        #expect(UInt64(facts.vocabulary.digest, radix: 16) == tokenizer.vocabularyDigest)
        #expect(UInt64(facts.modelDigest, radix: 16) == model.digest)
        #expect(facts.vocabulary.digest.count == 16 && facts.modelDigest.count == 16)
        #expect(facts.vocabulary.kind == "BPE" && facts.vocabulary.name == "gpt2" && facts.vocabulary.addsBos)
        #expect(facts.vocabulary.ends.map(\.words) == ["0 '<|endoftext|>'"])
        #expect(facts.vocabulary.special.contains { $0.role == "bos" && $0.id == 0 })
        #expect(facts.rollback.works && !facts.rollback.isMeasured)
        #expect(facts.costShaped == nil && facts.files == nil)
    }

    @Test("a mixture of number types is told as one, and its parts are all of the weights")
    func mixture() throws {
        let facts = try facts(Fixture.target)
        let types = facts.quantisation.types
        #expect(types.map(\.type) == ["Q8_0", "F32"] && facts.quantisation.main == "Q8_0")
        #expect(types.reduce(0) { $0 + $1.weights } == facts.parameters)
        #expect(types.allSatisfy { $0.tensors > 0 && $0.bytes > 0 })
        // A block of 32 takes 34 bytes: 8.5 bits a weight, and a little for the floats.
        let bits = try #require(facts.quantisation.bitsPerWeight)
        #expect(bits > 8.5 && bits < 8.6)
        #expect(facts.quantisation.words.hasPrefix("Q8_0 99.9 %, F32 0.1 % of the weights; 8.51 bits"))
    }

    @Test("a 4-bit model whose embedding has 8 bits is told as what it is")
    func mixtureOfFour() throws {
        let facts = try facts(CostShaped.path("100m", "q4_0"))
        let types = facts.quantisation.types
        #expect(types.map(\.type) == ["Q4_0", "Q8_0", "F32"] && facts.quantisation.main == "Q4_0")
        let bits = try #require(facts.quantisation.bitsPerWeight)
        #expect(bits > 4.5 && bits < 5)
    }

    @Test(
        "kind, context, beginning and special tokens of known vocabularies",
        arguments: [
            ("llama-spm", "SPM", nil, 4096, true, ["bos 1 '<s>'", "eos 2 '</s>'"]),
            ("llama-bpe", "BPE", "llama-bpe", 8192, true, ["eos 128001 '<|end_of_text|>'", "eot 128009 '<|eot_id|>'"]),
            ("qwen2", "BPE", "qwen2", 32768, false, ["eot 151645 '<|im_end|>'"]),
            ("starcoder", "BPE", "starcoder", 16384, false, ["fim_pre 1 '<fim_prefix>'", "fim_mid 2 '<fim_middle>'"]),
            ("bert-bge", "WPM", "bert-bge", 512, true, ["bos 101 '[CLS]'", "sep 102 '[SEP]'"]),
            ("nomic-bert-moe", "UGM", nil, 512, true, ["pad 1 '<pad>'"]),
        ] as [(String, String, String?, Int, Bool, [String])])
    func vocabularies(
        _ name: String, _ kind: String, _ pre: String?, _ context: Int, _ bos: Bool, _ special: [String]
    ) throws {
        let facts = try facts("\(Fixture.vocabularies)ggml-vocab-\(name).gguf")
        #expect(facts.vocabulary.kind == kind && facts.contextTrained == context && facts.vocabulary.addsBos == bos)
        if let pre { #expect(facts.vocabulary.preTokenizer == pre) }
        let words = try row("special_tokens", facts)
        #expect(special.allSatisfy(words.contains), "\(words)")
        #expect(!facts.generatesText && facts.parameters == 0 && facts.quantisation.main == "none")
        #expect(try row("generates_text", facts).hasPrefix("no"))
    }

    @Test("a model with recurrent layers is known not to roll back before it is loaded")
    func recurrent() throws {
        let bytes = Fixture.read(Fixture.draft).replacing("general.architecture", following: "llama", with: "mamba")
        let file = TemporaryFile(bytes)
        let rollback = try facts(file.path).rollback
        #expect(!rollback.works && rollback.reason.contains("mamba has recurrent layers"), "\(rollback)")
    }

    @Test("a sliding window does not hinder rolling back, and is told")
    func slidingWindow() throws {
        let facts = try facts(Fixture.vocabularies + "ggml-vocab-gemma-4.gguf")
        #expect(facts.rollback.works && facts.rollback.reason.contains("window of 1024"), "\(facts.rollback)")
    }

    @Test("a cost-shaped model is called what it is, with whose function it computes and its own size")
    func costShaped() throws {
        let path = try CostShaped.path("100m", "q8_0")
        let facts = try facts(path)
        let shaped = try #require(facts.costShaped)
        #expect(shaped.source == Fixture.target.split(separator: "/").last.map(String.init))
        #expect(shaped.parameters == facts.parameters && facts.parameters > 80_000_000)
        let words = try row("cost_shaped", facts)
        #expect(words.hasPrefix("computes the function of \(shaped.source) at the cost of "), "\(words)")
        #expect(words.contains("M parameters"))
        let draft = try ModelOutline(path: Fixture.draft)
        let unfit = ModelPair.unfitness(target: facts, draft: ModelFacts(draft))
        #expect(ModelPair(target: try LlamaTokenizer(path: path), draft: draft.tokenizer, unfit: unfit).isUsable)
    }
}
