extension TinyGGUF {
    /// Takes a sound little-endian file apart.
    init(copying file: [UInt8]) {
        var reader = Reader(file: file, place: 8)
        let (tensorCount, pairCount) = (reader.number(8), reader.number(8))
        for _ in 0..<pairCount {
            let start = reader.place
            let key = reader.text()
            reader.skipValue(type: reader.number(4))
            copied.append((key, Array(file[start..<reader.place])))
        }
        var ends: [Int] = []
        for _ in 0..<tensorCount {
            let name = reader.text()
            let shape = (0..<reader.number(4)).map { _ in UInt64(reader.number(8)) }
            tensors.append(Tensor(name: name, shape: shape, type: UInt32(reader.number(4)), bytes: []))
            ends.append(reader.number(8))
        }
        // A file of a vocabulary alone has no weights.
        guard !tensors.isEmpty else { return }
        let weights = (reader.place + 31) / 32 * 32
        ends = ends.dropFirst() + [file.count - weights]
        var start = 0
        for (index, end) in ends.enumerated() {
            tensors[index].bytes = Array(file[weights + start..<weights + end])
            start = end
        }
    }

    /// The file in `count` parts, as llama.cpp's gguf-split writes them.
    ///
    /// - Parameter isFirstEmpty: as with `--no-tensor-first-split`.
    func split(in count: Int, isFirstEmpty: Bool) -> [TinyGGUF] {
        let holders = isFirstEmpty ? count - 1 : count
        let size = (tensors.count + holders - 1) / holders
        return (0..<count).map { number in
            var part = TinyGGUF()
            // What describes the model is in the first alone.
            if number == 0 { part.copied = copied }
            part.pairs = [
                ("split.no", .half(UInt16(number))), ("split.count", .half(UInt16(count))),
                ("split.tensors.count", .signed(Int32(tensors.count))),
            ]
            let holder = isFirstEmpty ? number - 1 : number
            if holder >= 0 { part.tensors = Array(tensors.dropFirst(holder * size).prefix(size)) }
            return part
        }
    }

    /// A model whose layer is recurrent, with the vocabulary of `source` and weights that mean nothing.
    ///
    /// - Source: the tensors' names and shapes: Gu, Dao, "Mamba", 2023, as llama.cpp stores them.
    static func recurrent(vocabularyOf source: TinyGGUF, tokens: Int) -> TinyGGUF {
        let (width, inner, states, rank, taps) = (32, 64, 16, 2, 4)
        var model = TinyGGUF()
        model.copied = source.copied.filter { $0.key.hasPrefix("tokenizer.") }
        model.pairs = [
            ("general.architecture", .text("mamba")), ("mamba.context_length", .number(128)),
            ("mamba.embedding_length", .number(UInt32(width))), ("mamba.block_count", .number(1)),
            ("mamba.feed_forward_length", .number(0)), ("mamba.attention.head_count", .number(0)),
            ("mamba.attention.layer_norm_rms_epsilon", .float(1e-5)), ("mamba.ssm.conv_kernel", .number(UInt32(taps))),
            ("mamba.ssm.inner_size", .number(UInt32(inner))), ("mamba.ssm.state_size", .number(UInt32(states))),
            ("mamba.ssm.time_step_rank", .number(UInt32(rank))),
        ]
        let shapes: [(String, [Int])] = [
            ("token_embd.weight", [width, tokens]), ("output_norm.weight", [width]),
            ("blk.0.attn_norm.weight", [width]), ("blk.0.ssm_in.weight", [width, 2 * inner]),
            ("blk.0.ssm_conv1d.weight", [taps, inner]), ("blk.0.ssm_conv1d.bias", [inner]),
            ("blk.0.ssm_x.weight", [inner, rank + 2 * states]), ("blk.0.ssm_dt.weight", [rank, inner]),
            ("blk.0.ssm_dt.bias", [inner]), ("blk.0.ssm_a", [states, inner]), ("blk.0.ssm_d", [inner]),
            ("blk.0.ssm_out.weight", [inner, width]),
        ]
        // The state fades: its rates are negative.
        model.tensors = tensors(shapes, seed: 5) { $0.hasSuffix("ssm_a") ? -1 ... -0.1 : -0.1...0.1 }
        return model
    }

    /// A transformer of one layer, with the vocabulary of `source` and random weights. What it says next is often what
    /// it has just said, as its output matrix is that of its input.
    static func transformer(vocabularyOf source: TinyGGUF, tokens: Int, seed: UInt64) -> TinyGGUF {
        let (width, heads, inner) = (32, 2, 64)
        var model = TinyGGUF()
        model.copied = source.copied.filter { $0.key.hasPrefix("tokenizer.") }
        model.pairs = [
            ("general.architecture", .text("llama")), ("llama.context_length", .number(2_048)),
            ("llama.embedding_length", .number(UInt32(width))), ("llama.block_count", .number(1)),
            ("llama.feed_forward_length", .number(UInt32(inner))),
            ("llama.attention.head_count", .number(UInt32(heads))),
            ("llama.attention.layer_norm_rms_epsilon", .float(1e-5)),
            ("llama.rope.dimension_count", .number(UInt32(width / heads))),
        ]
        let shapes: [(String, [Int])] = [
            ("token_embd.weight", [width, tokens]), ("output_norm.weight", [width]),
            ("blk.0.attn_norm.weight", [width]), ("blk.0.attn_q.weight", [width, width]),
            ("blk.0.attn_k.weight", [width, width]), ("blk.0.attn_v.weight", [width, width]),
            ("blk.0.attn_output.weight", [width, width]), ("blk.0.ffn_norm.weight", [width]),
            ("blk.0.ffn_gate.weight", [width, inner]), ("blk.0.ffn_up.weight", [width, inner]),
            ("blk.0.ffn_down.weight", [inner, width]),
        ]
        model.tensors = tensors(shapes, seed: seed) {
            $0.hasSuffix("norm.weight") ? 0.9...1.1 : $0.hasPrefix("blk") ? -0.12...0.12 : -0.4...0.4
        }
        return model
    }

    private static func tensors(
        _ shapes: [(String, [Int])], seed: UInt64, _ range: (String) -> ClosedRange<Float>
    ) -> [Tensor] {
        var random = TestRandom(seed: seed)
        return shapes.map { name, shape in
            let range = range(name)
            let weights = (0..<shape.reduce(1, *)).map { _ in Float.random(in: range, using: &random) }
            return Tensor(
                name: name, shape: shape.map(UInt64.init), type: 0, bytes: weights.withUnsafeBytes { Array($0) })
        }
    }
}

/// Reads a GGUF from front to back.
private struct Reader {
    let file: [UInt8]
    var place: Int

    mutating func number(_ bytes: Int) -> Int {
        defer { place += bytes }
        return file[place..<place + bytes].reversed().reduce(0) { $0 << 8 | Int($1) }
    }

    mutating func text() -> String {
        let count = number(8)
        defer { place += count }
        return String(decoding: file[place..<place + count], as: UTF8.self)
    }

    mutating func skipValue(type: Int) {
        switch type {
        case 0, 1, 7: place += 1
        case 2, 3: place += 2
        case 4, 5, 6: place += 4
        case 8: place += number(8)
        case 9:
            let inner = number(4)
            for _ in 0..<number(8) { skipValue(type: inner) }
        default: place += 8
        }
    }
}
