import NacreProtocol
import NacreWire

extension Refusal {
    static let membership: [Refusal] = [
        Refusal(.greeting, "wireMin", "is 0") { $0.text(3, "node") },
        Refusal(.greeting, "wireMin", "is above wireMax") { payload in
            payload.greeting()
            payload.number(1, 2)
        },
        Refusal(.greeting, "node", "is empty") { payload in
            payload.greeting()
            payload.text(3, "")
        },
        Refusal(.greeting, "node", "has a line break") { payload in
            payload.greeting()
            payload.text(3, "a\nb")
        },
        Refusal(.greeting, "node", "is too long") { payload in
            payload.greeting()
            payload.text(3, String(repeating: "a", count: 256))
        },
        Refusal(.greeting, "role", "is missing") { payload in
            payload.greeting()
            payload.number(4, 0)
        },
        Refusal(.hello, "wireMin", "is 0") { $0.text(1, "node") },
        Refusal(.hello, "capacity", "is missing") { payload in
            payload.number(4, 1)
            payload.number(5, 1)
        },
        Refusal(.hello, "node", "is not UTF-8") { payload in
            payload.hello()
            payload.data(1, [0xFF])
        },
        Refusal(.hello, "role", "is unknown") { payload in
            payload.hello()
            payload.number(3, 3)
        },
        Refusal(.hello, "dataAddress", "has a control character") { payload in
            payload.hello()
            payload.text(8, "a\u{7F}")
        },
        Refusal(.hello, "capacity.sequences", "is beyond Int32") { payload in
            payload.hello()
            payload.part(9) { $0.number(2, beyondInt32) }
        },
        Refusal(.hello, "capacity.shards", "are too many") { payload in
            payload.hello()
            payload.part(9) { $0.number(1, 257) }
        },
        Refusal(.hello, "passTimes", "are too many") { payload in
            payload.hello()
            for _ in 0..<65 { payload.part(13) { $0.number(1, 1) } }
        },
        Refusal(.hello, "passTimes.shards", "are too many") { payload in
            payload.hello()
            payload.part(13) { $0.number(1, 257) }
        },
        Refusal(.hello, "passTimes.nodes", "is beyond Int32") { payload in
            payload.hello()
            payload.part(13) { $0.number(2, beyondInt32) }
        },
        Refusal(.hello, "capacity.context", "is beyond Int32") { payload in
            payload.hello()
            payload.part(9) { $0.number(3, beyondInt32) }
        },
        Refusal(.hello, "capacity.nodesMax", "is beyond Int32") { payload in
            payload.hello()
            payload.part(9) { $0.number(4, beyondInt32) }
        },
        Refusal(.hello, "modelName", "is too long") { payload in
            payload.hello()
            payload.text(10, String(repeating: "a", count: 256))
        },
        Refusal(.hello, "engineVersion", "is not UTF-8") { payload in
            payload.hello()
            payload.data(11, [0x80])
        },
        Refusal(.hello, "cores", "is not UTF-8") { payload in
            payload.hello()
            payload.data(12, [0x80])
        },
        Refusal(.hello, "disturbance", "is too long") { payload in
            payload.hello()
            payload.text(15, String(repeating: "a", count: 256))
        },
        Refusal(.hello, "bridge", "means nothing") { payload in
            payload.hello()
            payload.number(17, 5)
        },
        Refusal(.welcome, "heartbeatMilliseconds", "is 0") { $0.number(4, 9) },
        Refusal(.welcome, "heartbeatMilliseconds", "is beyond the lease") { payload in
            payload.number(3, 10)
            payload.number(4, 9)
        },
        Refusal(.heartbeat, "load", "is missing") { $0.number(1, 1) },
        Refusal(.heartbeat, "load.jobs", "is beyond Int32") { $0.part(2) { $0.number(1, beyondInt32) } },
        Refusal(.heartbeat, "load.busy", "is NaN") { $0.part(2) { $0.float(5, .nan) } },
        Refusal(.heartbeat, "pairs", "are too many") { payload in
            payload.part(2) { $0.number(1, 1) }
            for _ in 0...16 { payload.pair { _ in } }
        },
        Refusal(.heartbeat, "pairs.state", "means nothing") { payload in
            payload.part(2) { $0.number(1, 1) }
            payload.pair { $0.number(5, 99) }
        },
        Refusal(.heartbeat, "pairs.method", "means nothing") { payload in
            payload.part(2) { $0.number(1, 1) }
            payload.pair { $0.number(2, 99) }
        },
        Refusal(.heartbeat, "pairs.ratio", "is NaN") { payload in
            payload.part(2) { $0.number(1, 1) }
            payload.pair { $0.float(7, .nan) }
        },
        Refusal(.heartbeat, "pairs.judgedAt", "are too many") { payload in
            payload.part(2) { $0.number(1, 1) }
            payload.pair { pair in
                for field in [17, 18] as [UInt64] { for _ in 0...16 { pair.number(field, 1) } }
            }
        },
        Refusal(.heartbeat, "pairs.acceptedAt", "is more than was judged") { payload in
            payload.part(2) { $0.number(1, 1) }
            payload.pair { pair in
                for judged in [5, 3] as [UInt64] { pair.number(17, judged) }
                for accepted in [5, 4] as [UInt64] { pair.number(18, accepted) }
            }
        },
        Refusal(.heartbeat, "load.busy", "is above 1") { $0.part(2) { $0.float(5, 1.01) } },
        Refusal(.heartbeat, "load.busy", "is negative") { $0.part(2) { $0.float(5, -0.01) } },
        Refusal(.vocabularyChunk, "entries", "have lengths without flags") { $0.numbers(5, [0]) },
        Refusal(.vocabularyChunk, "entries", "are too many") { payload in
            payload.number(2, 1 << 20)
            payload.numbers(5, [UInt64](repeating: 0, count: Limits.vocabularyChunkEntries + 1))
            payload.numbers(6, [UInt64](repeating: 0, count: Limits.vocabularyChunkEntries + 1))
        },
        Refusal(.vocabularyChunk, "entries", "end beyond the total") { payload in
            payload.number(2, 1)
            payload.number(3, 1)
            payload.numbers(5, [0])
            payload.numbers(6, [0])
        },
        Refusal(.vocabularyChunk, "total", "is beyond every vocabulary") { $0.number(2, 1 << 20 + 1) },
        Refusal(.vocabularyChunk, "first", "is beyond the total") { $0.number(3, 1) },
        Refusal(.vocabularyChunk, "entries.piece", "are shorter than their lengths") { payload in
            payload.number(2, 1)
            payload.numbers(5, [UInt64(UInt32.max)])
            payload.numbers(6, [0])
        },
        Refusal(.vocabularyChunk, "entries.piece", "are longer than their lengths") { payload in
            payload.number(2, 1)
            payload.data(4, [1, 2])
            payload.numbers(5, [1])
            payload.numbers(6, [0])
        },
        Refusal(.vocabularyChunk, "entries.flags", "are unknown") { payload in
            payload.number(2, 1)
            payload.numbers(5, [0])
            payload.numbers(6, [4])
        },
        Refusal(.tokenize, "text", "is longer than a prompt") {
            $0.data(2, [UInt8](repeating: 0, count: Limits.promptBytesMax + 1))
        },
        Refusal(.tokenized, "tokens", "are more than a prompt has") {
            $0.numbers(2, [UInt64](repeating: 0, count: Limits.promptTokensMax + 1))
        },
        Refusal(.tokenized, "error", "comes with tokens") { payload in
            payload.numbers(2, [1])
            payload.text(3, "no")
        },
        Refusal(.tokenized, "error", "is not UTF-8") { $0.data(3, [0xF8]) },
    ]
}
