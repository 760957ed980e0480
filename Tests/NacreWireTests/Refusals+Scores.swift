import NacreProtocol
import NacreWire

extension Refusal {
    /// Between verifiers of one target.
    static let scores: [Refusal] = [
        Refusal(.scoreOpen, "attempt", "is 0") { $0.number(8, 1) },
        Refusal(.scoreOpen, "sampling", "is missing") { $0.number(4, 1) },
        Refusal(.scoreOpen, "promptLength", "is beyond the context") { payload in
            payload.scoreOpen()
            payload.number(7, 1)
        },
        Refusal(.scoreOpen, "contextTotal", "is beyond the longest job") { payload in
            payload.scoreOpen()
            payload.number(8, 65_537)
        },
        Refusal(.scoreOpen, "contextOffset", "is beyond Int32") { payload in
            payload.scoreOpen()
            payload.number(9, beyondInt32)
        },
        Refusal(.scoreOpen, "context", "ends beyond its total") { payload in
            payload.scoreOpen()
            payload.numbers(10, [1])
        },
        Refusal(.scoreOpen, "context", "is too long for a chunk") { payload in
            payload.scoreOpen()
            payload.numbers(10, [UInt64](repeating: 1, count: Limits.contextChunkTokens + 1))
        },
        Refusal(.scoreShard, "keep", "is beyond the longest job") { $0.number(3, 65_537) },
        Refusal(.scoreShard, "tokens", "end beyond the longest job") { payload in
            payload.number(3, 65_535)
            payload.numbers(4, [1, 2])
        },
        Refusal(.scoreShard, "tokens", "have one beyond every vocabulary") { $0.numbers(4, [1 << 20]) },
        Refusal(.scoreShard, "parents", "are missing") { $0.numbers(6, [1]) },
        Refusal(.scoreShard, "parents", "name the draft itself") { payload in
            payload.numbers(5, [0, 2])
            payload.numbers(6, [1, 2])
        },
        Refusal(.scoreShard, "drafts", "are too many") { payload in
            payload.numbers(5, [UInt64](repeating: 0, count: Limits.treeNodesMax + 1))
            payload.numbers(6, [UInt64](repeating: 1, count: Limits.treeNodesMax + 1))
        },
        Refusal(.scores, "choices", "are more than drafts and one") {
            $0.numbers(3, [UInt64](repeating: 1, count: Limits.treeNodesMax + 2))
        },
        Refusal(.scores, "margins", "are fewer than the choices") { $0.numbers(3, [1]) },
        Refusal(.scores, "margins", "are NaN") { payload in
            payload.numbers(3, [1])
            payload.float(4, .nan)
        },
        Refusal(.scores, "rowTokens", "are more than fit into a message") {
            $0.numbers(7, [UInt64](repeating: 1, count: Limits.lawEntriesMax + 1))
        },
        Refusal(.scores, "rowTokens", "have one beyond every vocabulary") { $0.numbers(7, [1 << 20]) },
        Refusal(.scores, "rowProbabilities", "are fewer than the tokens") { $0.numbers(7, [1]) },
        Refusal(.scores, "rowProbabilities", "are 0") { payload in
            payload.numbers(7, [1])
            payload.double(8, 0)
        },
        Refusal(.scores, "rowProbabilities", "are NaN") { payload in
            payload.numbers(7, [1])
            payload.double(8, .nan)
        },
        Refusal(.scores, "rowSizes", "are beyond the entries") { $0.numbers(6, [1]) },
        Refusal(.scores, "rowSizes", "leave entries") { payload in
            payload.numbers(7, [1])
            payload.double(8, 0.5)
        },
        Refusal(.scores, "rowSizes", "are too many") {
            $0.numbers(6, [UInt64](repeating: 0, count: Limits.treeNodesMax + 2))
        },
        Refusal(.scores, "rows", "go on, but there are none") { $0.number(9, 1) },
        Refusal(.scoreClose, "reason", "is unknown") { $0.number(2, 6) },
    ]
}

extension RawPayload {
    fileprivate mutating func scoreOpen() {
        number(4, 1)
        part(6) { $0.double(3, 1) }
    }
}
