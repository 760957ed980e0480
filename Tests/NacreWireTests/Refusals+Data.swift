import NacreProtocol
import NacreWire

extension Refusal {
    static let dataPlane: [Refusal] = [
        Refusal(.draftOpen, "attempt", "is 0") { $0.sampling() },
        Refusal(.draft, "entropy", "is not one for each token") { payload in
            payload.numbers(6, [5, 6])
            for field in 14...17 as ClosedRange<UInt64> { payload.floats(field, [0.5]) }
        },
        Refusal(.draft, "entropy", "lacks its neighbours") { payload in
            payload.numbers(6, [5])
            payload.floats(14, [0.5])
        },
        Refusal(.draft, "entropy", "is not a number") { payload in
            payload.numbers(6, [5])
            for field in 14...17 as ClosedRange<UInt64> { payload.floats(field, [.nan]) }
        },
        Refusal(.draftOpen, "sampling", "is missing") { $0.number(4, 1) },
        Refusal(.draftOpen, "sampling", "has top-p 0") { payload in
            payload.number(4, 1)
            payload.part(8) { _ in }
        },
        Refusal(.draftOpen, "sampling", "has temperature NaN") { payload in
            payload.number(4, 1)
            payload.part(8) { part in
                part.double(1, .nan)
                part.double(3, 1)
            }
        },
        Refusal(.draftOpen, "sampling.topK", "is beyond every vocabulary") { payload in
            payload.draftOpen()
            payload.part(8) { $0.number(2, 1 << 20 + 1) }
        },
        Refusal(.draftOpen, "promptLength", "is beyond the context") { payload in
            payload.draftOpen()
            payload.number(15, 1)
        },
        Refusal(.draftOpen, "positionLimit", "is beyond Int32") { payload in
            payload.draftOpen()
            payload.number(14, beyondInt32)
        },
        Refusal(.draftOpen, "contextTotal", "is beyond the longest job") { payload in
            payload.draftOpen()
            payload.number(11, 65_537)
        },
        Refusal(.draftOpen, "contextOffset", "is beyond Int32") { payload in
            payload.draftOpen()
            payload.number(12, beyondInt32)
        },
        Refusal(.draftOpen, "context", "is too long for a chunk") { payload in
            payload.draftOpen()
            payload.numbers(13, [UInt64](repeating: 1, count: Limits.contextChunkTokens + 1))
        },
        Refusal(.draftOpen, "context", "ends beyond its total") { payload in
            payload.draftOpen()
            payload.number(11, 3)
            payload.number(12, 2)
            payload.numbers(13, [1, 2])
        },
        Refusal(.draftOpen, "context", "has a token beyond every vocabulary") { payload in
            payload.draftOpen()
            payload.number(11, 3)
            payload.numbers(13, [1, 1 << 20])
        },
        Refusal(.draft, "root", "is beyond Int32") { $0.number(3, beyondInt32) },
        Refusal(.draft, "firstNode", "is beyond Int32") { $0.number(4, beyondInt32) },
        Refusal(.draft, "firstNode", "leads beyond the last position") { payload in
            payload.number(3, 1 << 30)
            payload.number(4, 1 << 30)
        },
        Refusal(.draft, "tokens", "are more than a tree has nodes") {
            $0.numbers(6, [UInt64](repeating: 1, count: 257))
        },
        Refusal(.draft, "end", "is unknown") { $0.number(13, 4) },
        Refusal(.draft, "end", "is negative") { $0.number(13, .max) },
        Refusal(.verdict, "tokens", "are more than a window and one") {
            $0.numbers(5, [UInt64](repeating: 1, count: 258))
        },
        Refusal(.verdict, "tokens", "are more than there are positions") { payload in
            payload.numbers(5, [1, 2])
            payload.number(6, 1)
        },
        Refusal(.verdict, "committed", "is beyond Int32") { $0.number(6, beyondInt32) },
        Refusal(.verdict, "positionLimit", "is beyond Int32") { $0.number(9, beyondInt32) },
        Refusal(.draftClose, "reason", "is unknown") { $0.number(2, 6) },
        Refusal(.goodbye, "code", "is missing") { $0.text(2, "bye") },
        Refusal(.goodbye, "code", "is unknown") { $0.number(1, 7) },
        Refusal(.goodbye, "detail", "is too long") { payload in
            payload.number(1, 1)
            payload.text(2, String(repeating: "a", count: 1_025))
        },
        Refusal(.goodbye, "detail", "is not UTF-8") { payload in
            payload.number(1, 1)
            payload.data(2, [0xC3, 0x28])
        },
    ]
}
