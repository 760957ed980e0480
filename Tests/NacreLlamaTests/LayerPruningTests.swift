import Foundation
import NacreCore
import NacreEngine
import NacreLlama
import NacreModels
import Testing

/// Drafters made from a target by dropping layers.
struct LayerPruningTests {
    private static let text =
        "import os\n\n\nclass Stack:\n    def push(self, item):\n        self.items.append(item)\n"

    /// The file with layers `keep` of the model at `path`, until the last use of what is returned.
    private func pruned(_ keep: String, of path: String = Fixture.target) throws -> TemporaryFile {
        let pruning = try LayerPruning(path: path)
        let file = TemporaryFile([])
        let size = try pruning.write(try LayerSet(keep, of: pruning.layers), to: file.path)
        #expect(size == Fixture.read(file.path).count)
        return file
    }

    private func rows(_ path: String) throws -> [[UInt32]] {
        let model = try LlamaModel(path: path)
        let tokens = try LlamaTokenizer(model).tokenize(Array(Self.text.utf8), addSpecial: true, parseSpecial: false)
        var engine = try AuditedEngine(model, LlamaSettings(threads: 1, contextPerJob: 128))
        try engine.run(ForestNode.chain(tokens, from: 0, sequence: 0, policy: .greedy))
        return engine.rows.map(\.bits)
    }

    private func refusal(_ bytes: [UInt8]) throws -> EngineError {
        let file = TemporaryFile(bytes)
        return try #require(throws: EngineError.self) { _ = try LayerPruning(path: file.path) }
    }

    @Test("a drafter of all layers computes the target's logits, bit for bit")
    func allLayers() throws {
        let file = try pruned("0-7")
        #expect(try rows(file.path) == rows(Fixture.target))
        let (all, target) = (
            TinyGGUF(copying: Fixture.read(file.path)), TinyGGUF(copying: Fixture.read(Fixture.target))
        )
        #expect(all.tensors.map(\.name) == target.tensors.map(\.name))
        #expect(all.tensors.map(\.bytes) == target.tensors.map(\.bytes))
    }

    @Test(
        "a drafter of some layers computes what the target does when the others add nothing to the stream",
        arguments: ["0-3,7", "0-1", "1,3,5-6"])
    func someLayers(keep: String) throws {
        var model = TinyGGUF(copying: Fixture.read(Fixture.target))
        let kept = try LayerSet(keep, of: 8).layers
        for index in model.tensors.indices {
            let parts = model.tensors[index].name.split(separator: ".")
            guard parts[0] == "blk", let layer = Int(parts[1]), !kept.contains(layer),
                ["attn_output", "ffn_down"].contains(parts[2])
            else { continue }
            // A Q8_0 block of zeroes is 32 zeroes.
            model.tensors[index].bytes = Array(repeating: 0, count: model.tensors[index].bytes.count)
        }
        let silenced = TemporaryFile(model.bytes)
        let file = try pruned(keep)
        #expect(try rows(file.path) == rows(silenced.path))
        #expect(try rows(file.path) != rows(Fixture.target))
    }

    @Test("everything but the dropped layers is in the file as it was, under the new numbers")
    func bytes() throws {
        let file = try pruned("0-3,7")
        let (made, target) = (
            TinyGGUF(copying: Fixture.read(file.path)), TinyGGUF(copying: Fixture.read(Fixture.target))
        )
        let expected = target.tensors.compactMap { tensor -> TinyGGUF.Tensor? in
            var tensor = tensor
            if ["blk.4.", "blk.5.", "blk.6."].contains(where: tensor.name.hasPrefix) { return nil }
            if tensor.name.hasPrefix("blk.7.") { tensor.name = "blk.4." + tensor.name.dropFirst(6) }
            return tensor
        }
        #expect(made.tensors.map(\.name) == expected.map(\.name))
        #expect(made.tensors.map(\.shape) == expected.map(\.shape) && made.tensors.map(\.type) == expected.map(\.type))
        // The last may be padded.
        for (one, other) in zip(made.tensors, expected) { #expect(one.bytes.starts(with: other.bytes), "\(one.name)") }
        let changed: Set = [
            "llama.block_count", "general.name", "nacre.pruned_from", "nacre.pruned_name", "nacre.pruned_layers",
        ]
        func pairs(_ model: TinyGGUF) -> [String: [UInt8]] {
            Dictionary(
                uniqueKeysWithValues: model.copied.filter { !changed.contains($0.key) }.map { ($0.key, $0.bytes) })
        }
        #expect(pairs(made) == pairs(target) && pairs(made).count == target.copied.count - 2)
    }

    @Test("the drafter passes the check, fits its target and says what it was made from")
    func facts() throws {
        let file = try pruned("0-3,7")
        let check = ModelCheck(path: file.path, threads: 1)
        #expect(check.passed && check.steps.count == ModelCheck.names.count, "\(check.steps)")
        let (facts, target) = (try #require(check.facts), ModelFacts(try ModelOutline(path: Fixture.target)))
        #expect(facts.vocabulary.digest == target.vocabulary.digest && facts.layers == 5)
        #expect(facts.modelDigest != target.modelDigest)
        let made = try #require(facts.selfDrafter)
        #expect(made.target == "pycode-8m" && made.digest == target.modelDigest && made.layers == "0-3,7 of 8")
        #expect(facts.name == "pycode-8m, layers 0-3,7 of 8" && target.selfDrafter == nil)
        #expect(facts.rows.contains { $0.0 == "self_drafter" && $0.1.contains("0-3,7 of 8") })
        #expect(!target.rows.contains { $0.0 == "self_drafter" })
    }

    @Test(
        "a list of layers is one, rising, each once, and of this model",
        arguments: [
            ("8", "no layer 8"), ("0-9", "no layer 8"), ("1,1", "twice"), ("0-3,3", "twice"), ("3,1", "after 3"),
            ("", "no list"),
            ("a", "no list"), ("0-", "no list"), ("3-1", "no list"), ("-1", "no list"), ("1,,2", "no list"),
            ("0-99999999999", "no list"), ("1-2-3", "no list"),
        ])
    func lists(text: String, words: String) throws {
        let error = try #require(throws: LayerSet.Refusal.self) { _ = try LayerSet(text, of: 8) }
        #expect(error.message.contains(words) && error.remedy.contains("0 to 7"), "\(error)")
    }

    @Test("a list is written as it is read", arguments: ["0", "0-3,7", "0,2,4-5", "0-7"])
    func written(text: String) throws {
        #expect(try LayerSet(text, of: 8).description == text)
        #expect(try LayerSet(text, of: 8).isPrefix == ["0", "0-7"].contains(text))
    }

    @Test("models that cannot be taken apart are refused, with the reason")
    func refused() throws {
        let target = TinyGGUF(copying: Fixture.read(Fixture.target))
        let part = try refusal(target.split(in: 3, isFirstEmpty: false)[0].bytes)
        #expect(part.message.contains("3 files") && part.remedy.contains("gguf-split"), "\(part)")
        let recurrent = try refusal(TinyGGUF.recurrent(vocabularyOf: target, tokens: 4096).bytes)
        #expect(recurrent.message.contains("recurrent"), "\(recurrent)")
        let drafter = try pruned("0-3")
        let again = try refusal(Fixture.read(drafter.path))
        #expect(again.message.contains("0-3 of 8 of another model already"), "\(again)")
        let cut = try refusal(Array(Fixture.read(Fixture.target).prefix(900_000)))
        #expect(cut.code == .modelUnreadable && cut.message.contains("cut short"), "\(cut)")
        let vocabulary = try refusal(Fixture.read(Fixture.vocabularies + "ggml-vocab-gpt-2.gguf"))
        #expect(vocabulary.message.contains("does not generate text"), "\(vocabulary)")
        for (name, words) in [
            ("blk.8.ffn_down.weight", "none of its 8 layers"), ("blk.07.ffn_down.weight", "layer of another kind"),
            ("v.blk.7.ffn_down.weight", "layer of another kind"),
        ] {
            var model = target
            let index = try #require(model.tensors.firstIndex { $0.name == "blk.7.ffn_down.weight" })
            model.tensors[index].name = name
            let error = try refusal(model.bytes)
            #expect(error.message.contains(words), "\(error)")
        }
        var gap = target
        gap.tensors.removeAll { $0.name.hasPrefix("blk.5.") }
        #expect(try refusal(gap.bytes).message.contains("layer 5 has no tensors"))
        var predicting = target
        predicting.pairs.append(("llama.nextn_predict_layers", .number(1)))
        #expect(try refusal(predicting.bytes).message.contains("predict further tokens"))
    }

    @Test("the target itself is never written over, and a file that cannot be written leaves nothing behind")
    func output() throws {
        let target = TemporaryFile(Fixture.read(Fixture.target))
        let pruning = try LayerPruning(path: target.path)
        let keep = try LayerSet("0-1", of: 8)
        let error = try #require(throws: EngineError.self) { try pruning.write(keep, to: target.path) }
        #expect(
            error.message.contains("the target itself") && Fixture.read(target.path) == Fixture.read(Fixture.target))
        let nowhere = try #require(throws: EngineError.self) { try pruning.write(keep, to: "/nowhere/d.gguf") }
        #expect(nowhere.message.contains("no such file"), "\(nowhere)")
        let file = try pruned("0-1")
        let name = URL(filePath: file.path).lastPathComponent
        let left = try FileManager.default.contentsOfDirectory(atPath: "/tmp").filter { $0.hasPrefix(name) }
        #expect(left == [name])
    }

    @Test("what lies where a part of a file would go, and what it links to, stays as it is")
    func planted() throws {
        let (pruning, keep) = (try LayerPruning(path: Fixture.target), try LayerSet("0-1", of: 8))
        let (output, other) = (TemporaryFile([]), TemporaryFile([1, 2, 3]))
        let part = "\(output.path).\(ProcessInfo.processInfo.processIdentifier).part"
        try FileManager.default.createSymbolicLink(atPath: part, withDestinationPath: other.path)
        defer { try? FileManager.default.removeItem(atPath: part) }
        let size = try pruning.write(keep, to: output.path)
        #expect(Fixture.read(output.path).count == size && Fixture.read(other.path) == [1, 2, 3])
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: part) == other.path)
    }

    @Test("a trial is the file that the drafter would be, and is in no folder")
    func unnamed() throws {
        let pruning = try LayerPruning(path: Fixture.target)
        let trial = try pruning.writeUnnamed(try LayerSet("0-1", of: 8), in: "/tmp")
        let bytes = Fixture.read(trial.path)
        let names = try FileManager.default.contentsOfDirectory(atPath: "/tmp")
        trial.close()
        let drafter = try pruned("0-1")
        #expect(bytes == Fixture.read(drafter.path) && !bytes.isEmpty)
        #expect(!names.contains { $0.hasPrefix("nacre-trial.\(ProcessInfo.processInfo.processIdentifier)") })
    }
}
