import NacreCache
package import NacreCore

/// How often a draft model's choice was the target's.
package struct MeasuredAgreement: Codable, Sendable, Hashable {
    package var agreed: Int
    /// Positions, at least 1.
    package var judged: Int
    /// Passes of the draft model for a draft: 1, and over a bridge what it takes.
    package var passesPerDraft: Double

    package init(agreed: Int, judged: Int, passesPerDraft: Double = 1) {
        self.agreed = agreed
        self.judged = judged
        self.passesPerDraft = passesPerDraft
    }

    package var rate: Double { Double(agreed) / Double(judged) }
}

extension CalibrationCache {
    /// What an agreement holds for: two model files, the bridge between them, and the texts that it was measured on.
    package struct PairKey: Codable, Sendable, Hashable {
        package var target: UInt64
        package var draft: UInt64
        /// `nil` for two of one vocabulary.
        package var bridge: BridgeKind?
        package var prompts: [String]

        package init(target: UInt64, draft: UInt64, bridge: BridgeKind? = nil, prompts: [String]) {
            self.target = target
            self.draft = draft
            self.bridge = bridge
            self.prompts = prompts
        }

        /// One for each bridge, as several are compared.
        fileprivate var fileName: String {
            let bridge = bridge.map { "-\($0.rawValue)" } ?? ""
            return "pair-\(String(target, radix: 16))-\(String(draft, radix: 16))\(bridge).json"
        }
    }

    private struct PairDocument: Codable {
        var key: PairKey
        var agreement: MeasuredAgreement
    }

    /// What was measured of this pair on these texts; `nil` also for a damaged file.
    package func readAgreement(_ key: PairKey) -> MeasuredAgreement? {
        guard let document = file(key.fileName, of: PairDocument.self).read(), document.key == key,
            (0...document.agreement.judged).contains(document.agreement.agreed), document.agreement.judged > 0,
            document.agreement.passesPerDraft > 0
        else { return nil }
        return document.agreement
    }

    /// Keeps a measurement in place of what there was of the pair over this bridge.
    ///
    /// - Throws: what the file system says.
    package func write(_ agreement: MeasuredAgreement, as key: PairKey) throws {
        try file(key.fileName, of: PairDocument.self).write(PairDocument(key: key, agreement: agreement))
    }
}
