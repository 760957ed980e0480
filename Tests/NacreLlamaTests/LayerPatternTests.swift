import NacreEngine
import NacreLlama
import Testing

/// What a header says about single layers, and what becomes of it when layers are dropped.
struct LayerPatternTests {
    /// The target with the keys of another architecture, of which the header alone is looked at.
    private func target(_ architecture: String, _ pairs: [(String, TinyGGUF.Value)] = []) -> TinyGGUF {
        var model = TinyGGUF(copying: Fixture.read(Fixture.target))
        model.copied = model.copied.map { key, bytes in
            guard key.hasPrefix("llama.") else { return (key, bytes) }
            let new = architecture + key.dropFirst(5)
            return (new, TinyGGUF.length(new.utf8.count) + Array(new.utf8) + bytes.dropFirst(8 + key.utf8.count))
        }
        model.copied.removeAll { $0.key == "general.architecture" }
        model.pairs = [("general.architecture", .text(architecture))] + pairs
        return model
    }

    private func complaint(_ keep: String, _ model: TinyGGUF) throws -> String? {
        let file = TemporaryFile(model.bytes)
        return try LayerPruning(path: file.path).complaint(try LayerSet(keep, of: 8))
    }

    /// A list in the header: 4 stands for numbers of 32 bits.
    private func list(_ key: String, _ numbers: [UInt32]) -> (key: String, bytes: [UInt8]) {
        let values = numbers.flatMap { number in withUnsafeBytes(of: number.littleEndian) { Array($0) } }
        let head = TinyGGUF.length(key.utf8.count) + Array(key.utf8) + [9, 0, 0, 0] + [4, 0, 0, 0]
        return (key, head + TinyGGUF.length(numbers.count) + values)
    }

    @Test("layers whose kinds repeat keep their place in the repetition, or are the first ones")
    func periods() throws {
        let gemma = target("gemma2", [("gemma2.attention.sliding_window", .number(64))])
        #expect(try complaint("0-2", gemma) == nil)
        #expect(try complaint("0-1,4-7", gemma) == nil)
        #expect(try #require(try complaint("0,2-7", gemma)).contains("repeat after 2"))
        #expect(try #require(try complaint("1-2", gemma)).contains("layer 1 would become layer 0"))
        let said = target(
            "cohere2",
            [
                ("cohere2.attention.sliding_window", .number(64)),
                ("cohere2.attention.sliding_window_pattern", .number(3)),
            ])
        #expect(try complaint("0,4-5", said) == nil)
        #expect(try complaint("0,5-6", said) != nil)
    }

    @Test("layers of kinds that are not known can be dropped from the end only")
    func unknown() throws {
        let windowed = target("stablelm", [("stablelm.attention.sliding_window", .number(64))])
        #expect(try complaint("0-5", windowed) == nil)
        #expect(try #require(try complaint("0-1,3", windowed)).contains("--exit"))
        #expect(try complaint("0-1,3", target("stablelm")) == nil)
        // Of a llama every layer sees the same.
        #expect(try complaint("0-1,3", target("llama", [("llama.attention.sliding_window", .number(64))])) == nil)
    }

    @Test("a model whose number of layers says how it is computed is left as it is")
    func singular() throws {
        var model = target("baichuan")
        model.copied.removeAll { $0.key == "baichuan.block_count" }
        model.pairs.append(("baichuan.block_count", .number(40)))
        for layer in 8..<40 {
            model.tensors.append(
                TinyGGUF.Tensor(
                    name: "blk.\(layer).attn_norm.weight", shape: [8], type: 0, bytes: Array(repeating: 0, count: 32)))
        }
        let file = TemporaryFile(model.bytes)
        let error = try #require(throws: EngineError.self) { _ = try LayerPruning(path: file.path) }
        #expect(error.message.contains("40 layers is computed in a way of its own"), "\(error)")
        #expect(try complaint("0,2", target("baichuan")) == nil)
    }

    @Test("a list with a number for each layer goes with its layers, one that is not understood is refused")
    func lists() throws {
        var model = TinyGGUF(copying: Fixture.read(Fixture.target))
        let units = try #require(model.tensors.first { $0.name == "blk.0.ffn_down.weight" }).shape[0]
        model.copied.removeAll { $0.key == "llama.feed_forward_length" }
        model.copied.append(list("llama.feed_forward_length", Array(repeating: UInt32(units), count: 8)))
        model.copied.append(list("llama.rope.dimension_sections", [1, 2, 3, 4]))
        model.copied.append(list("llama.swiglu_clamp_exp", [10, 11, 12, 13, 14, 15, 16, 17]))
        let source = TemporaryFile(model.bytes)
        let file = TemporaryFile([])
        let pruning = try LayerPruning(path: source.path)
        try pruning.write(try LayerSet("1,4,7", of: 8), to: file.path)
        let made = Dictionary(
            uniqueKeysWithValues: TinyGGUF(copying: Fixture.read(file.path)).copied.map { ($0.key, $0.bytes) })
        #expect(
            made["llama.feed_forward_length"]
                == list("llama.feed_forward_length", Array(repeating: UInt32(units), count: 3)).bytes)
        #expect(made["llama.swiglu_clamp_exp"] == list("llama.swiglu_clamp_exp", [11, 14, 17]).bytes)
        #expect(made["llama.rope.dimension_sections"] == list("llama.rope.dimension_sections", [1, 2, 3, 4]).bytes)
        for strange in [list("llama.moods", Array(0..<8)), list("llama.activation_sparsity_scale", [1, 2])] {
            var other = model
            other.copied.append(strange)
            let refused = TemporaryFile(other.bytes)
            let error = try #require(throws: EngineError.self) { _ = try LayerPruning(path: refused.path) }
            #expect(error.message.contains("its list \(strange.key)"), "\(error)")
        }
    }

    @Test("layers of different kinds at each other's places are found by loading, and nothing is written")
    func loading() throws {
        var model = TinyGGUF(copying: Fixture.read(Fixture.target))
        let units = try #require(model.tensors.first { $0.name == "blk.0.ffn_down.weight" }).shape[0]
        // A list that is no longer true of a narrower last layer.
        model.copied.removeAll { $0.key == "llama.feed_forward_length" }
        model.copied.append(list("llama.feed_forward_length", Array(repeating: UInt32(units - 32), count: 8)))
        let source = TemporaryFile(model.bytes)
        let path = source.path + ".drafter"
        let error = try #require(throws: EngineError.self) {
            try LayerPruning(path: source.path).write(try LayerSet("0-3", of: 8), to: path)
        }
        #expect(error.code == .modelUnsupported && error.message.contains("are no model"), "\(error)")
        #expect(Fixture.read(path).isEmpty)
    }
}
