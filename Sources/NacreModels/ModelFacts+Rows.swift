import NacreLlama

extension ModelFacts {
    /// The facts as names and values, in the order in which people ask.
    package var rows: [(String, String)] {
        var rows = [
            ("file", path), ("name", name.isEmpty ? "-" : name), ("architecture", architecture),
            ("parameters", parameterWords), ("bytes", "\(bytes)"), ("quantisation", quantisation.words),
            ("context_trained", contextTrained.map { "\($0) tokens" } ?? "-"),
            ("vocabulary", "\(vocabulary.tokens) tokens, digest \(vocabulary.digest)"),
            ("tokenizer", vocabulary.words), ("adds", vocabulary.additions),
            (
                "special_tokens",
                vocabulary.special.isEmpty
                    ? "-" : vocabulary.special.map { "\($0.role) \($0.words)" }.joined(separator: ", ")
            ),
            ("ends", vocabulary.ends.isEmpty ? "none" : vocabulary.ends.map(\.words).joined(separator: ", ")),
            ("rollback", rollback.words), ("chat_template", hasChatTemplate ? "yes" : "no"),
            ("generates_text", generationWords),
            ("model_digest", modelDigest),
        ]
        if let files { rows.append(("files", "the first of \(files); sizes are of this one")) }
        if let costShaped { rows.append(("cost_shaped", costShaped.words)) }
        if let selfDrafter { rows.append(("self_drafter", selfDrafter.words)) }
        return rows
    }

    private var generationWords: String {
        if generatesText { return "yes" }
        return parameters > 0 || files != nil ? "no" : "no: there are no weights"
    }

    private var parameterWords: String {
        guard parameters > 0 else { return files == nil ? "0: a vocabulary without weights" : "0 in this file" }
        let layers = layers.map { " in \($0) layers" } ?? ""
        return "\(parameters) (\(LlamaModel.rounded(parameters)))\(layers)"
    }
}

extension ModelFacts.Quantisation {
    /// "Q8_0 99.9 %, F32 0.1 % of the weights; 8.51 bits per weight".
    package var words: String {
        let all = types.reduce(0) { $0 + $1.weights }
        guard all > 0, let bitsPerWeight else { return "none" }
        let shares = types.map { type in
            let share = 100 * Double(type.weights) / Double(all)
            let words =
                switch share {
                case 100: "100"
                case 99.95...: "over 99.9"
                case ..<0.05: "under 0.1"
                default: share.rounded(to: 1)
                }
            return "\(type.type) \(words) %"
        }
        return "\(shares.joined(separator: ", ")) of the weights; \(bitsPerWeight.rounded(to: 2)) bits per weight"
    }
}

extension ModelFacts.Vocabulary {
    package var words: String {
        let pre = preTokenizer.map { ", pre-tokenizer \($0)" } ?? ""
        return "\(kind) (\(name))\(pre)"
    }

    package var additions: String {
        switch (addsBos, addsEos) {
        case (true, true): "bos before and eos after a prompt"
        case (true, false): "bos before a prompt"
        case (false, true): "eos after a prompt"
        case (false, false): "nothing to a prompt"
        }
    }
}

extension ModelFacts.SpecialToken {
    /// `0 '<|endoftext|>'`.
    package var words: String { "\(id) '\(text)'" }
}

extension ModelFacts.Rollback {
    package var words: String {
        "\(works ? "works" : "does not work"): \(reason) (\(isMeasured ? "tried" : "by architecture, not tried"))"
    }
}

extension ModelFacts.CostShaped {
    package var words: String {
        "computes the function of \(source) at the cost of \(LlamaModel.rounded(parameters)) parameters: for measuring "
            + "speed, it knows nothing more"
    }
}

extension ModelFacts.SelfDrafter {
    package var words: String { "made from \(target) (digest \(digest)), of which it has layers \(layers)" }
}

extension Double {
    /// The number with `digits` decimals.
    func rounded(to digits: Int) -> String {
        let scale = (0..<digits).reduce(1) { product, _ in product * 10 }
        let units = Int((self * Double(scale)).rounded())
        let rest = String(abs(units % scale))
        return "\(units / scale)." + String(repeating: "0", count: digits - rest.count) + rest
    }
}
