import NacreProtocol
import NacreWire

extension Refusal {
    /// Draft trees, and how their tokens were drawn.
    static let trees: [Refusal] = [
        Refusal(.draft, "parents", "are fewer than the tokens") { payload in
            payload.numbers(6, [1, 2])
            payload.numbers(5, [0])
        },
        Refusal(.draft, "parents", "come without tokens") { $0.numbers(5, [0]) },
        Refusal(.draft, "parents", "name the node itself") { payload in
            payload.number(4, 7)
            payload.numbers(6, [1, 2])
            payload.numbers(5, [7, 9])
        },
        Refusal(.draft, "probabilities", "are fewer than the tokens") { payload in
            payload.numbers(6, [1, 2])
            payload.numbers(8, [255])
        },
        Refusal(.draft, "probabilities", "are above one") { payload in
            payload.numbers(6, [1])
            payload.numbers(8, [256])
        },
        Refusal(.draft, "references", "are above 0") { $0.doubles(20, [0.5]) },
        Refusal(.draft, "references", "are infinite") { $0.doubles(20, [-.infinity]) },
        Refusal(.draft, "references", "are no number") { $0.doubles(20, [.nan]) },
        Refusal(.draft, "references", "are too many") { $0.doubles(20, Array(repeating: -1, count: 65)) },
        Refusal(.draft, "layers", "are too many") { payload in
            for _ in 0...Limits.gammaMax { payload.part(30) { _ in } }
        },
        Refusal(.draft, "layers.beams", "are fewer than the tokens") { payload in
            payload.part(30) { layer in
                layer.numbers(1, [0])
                layer.numbers(2, [1, 2])
            }
        },
        Refusal(.draft, "layers.tokens", "are too many") { payload in
            payload.part(30) { $0.numbers(2, Array(repeating: 1, count: 17)) }
        },
        Refusal(.draft, "layers.rows", "have a row without entries") { payload in
            payload.part(30) { layer in layer.part(3) { _ in } }
        },
        Refusal(.verdict, "beams", "are too many") { payload in
            for _ in 0...16 { payload.part(30) { _ in } }
        },
        Refusal(.draftOpen, "shape", "is a forest and a beam search") { payload in
            payload.draftOpen()
            payload.part(9) { shape in
                shape.number(4, 2)
                shape.number(6, 2)
            }
        },
        Refusal(.draftOpen, "shape.forest", "has too many draws") { payload in
            payload.draftOpen()
            payload.part(9) { $0.number(6, 17) }
        },
        Refusal(.draft, "proposals", "are more than a tree has nodes") { payload in
            payload.number(4, 1_000)
            for node in 0...UInt64(Limits.treeNodesMax) { payload.part(9) { $0.number(1, node) } }
        },
        Refusal(.draft, "proposals.node", "does not exist yet") { payload in
            payload.numbers(6, [1])
            payload.part(9) { $0.number(1, 2) }
        },
        Refusal(.draft, "proposals.node", "comes twice") { payload in
            for _ in 0..<2 { payload.part(9) { $0.number(1, 0) } }
        },
        Refusal(.draft, "proposals.kind", "is unknown") { payload in payload.proposal { $0.number(2, 6) } },
        Refusal(.draft, "proposals.draws", "name a node of another message") { payload in
            payload.number(4, 4)
            payload.numbers(6, [1])
            payload.part(9) { part in
                part.number(1, 4)
                part.numbers(3, [3])
            }
        },
        Refusal(.draft, "proposals.draws", "name a node that is not there yet") { payload in
            payload.proposal { $0.numbers(3, [1]) }
        },
        Refusal(.draft, "proposals.draws", "name another node's child") { payload in
            payload.numbers(6, [1, 2])
            payload.part(9) { $0.numbers(3, [1]) }
        },
        Refusal(.draft, "proposals.draws", "are too many in all") { payload in
            payload.numbers(6, [1, 2])
            for node in 0..<2 as Range<UInt64> {
                payload.part(9) { part in
                    part.number(1, node)
                    part.numbers(3, [UInt64](repeating: node, count: Limits.treeNodesMax / 2 + 1))
                }
            }
        },
        Refusal(.draft, "proposals.row", "comes with a deterministic draft") { payload in
            payload.proposal { part in
                part.numbers(4, [1])
                part.numbers(5, [1])
            }
        },
        Refusal(.draft, "proposals.row", "is missing") { payload in payload.proposal { $0.number(2, 2) } },
        Refusal(.draft, "proposals.row", "has fewer weights than tokens") { payload in
            payload.proposal { $0.row([1, 2], [1]) }
        },
        Refusal(.draft, "proposals.row", "does not rise") { payload in payload.proposal { $0.row([2, 2], [1, 1]) } },
        Refusal(.draft, "proposals.row", "has a weight of 0") { payload in payload.proposal { $0.row([2, 3], [1, 0]) }
        },
        Refusal(.draft, "proposals.row", "has a weight of 65536") { payload in
            payload.proposal { $0.row([2, 3], [1, 65_536]) }
        },
        Refusal(.draft, "proposals.row", "has a token beyond every vocabulary") { payload in
            payload.proposal { $0.row([1 << 20], [1]) }
        },
        Refusal(.draft, "proposals.row", "is too long") { payload in
            let tokens = Array(0...UInt64(Limits.rowEntriesMax))
            payload.proposal { $0.row(tokens, tokens.map { _ in 1 }) }
        },
        Refusal(.draft, "proposals.weight", "is missing in a scalar") { payload in payload.proposal { $0.number(2, 4) }
        },
        Refusal(.draft, "proposals.weight", "is 0") { payload in payload.proposal { $0.scalar(0, of: 1) } },
        Refusal(.draft, "proposals.weight", "is above the sum") { payload in payload.proposal { $0.scalar(2, of: 1) } },
        Refusal(.draft, "proposals.weight", "is 65536") { payload in payload.proposal { $0.scalar(65_536, of: 65_536) }
        },
        Refusal(.draft, "proposals.total", "is that of no row") { payload in
            payload.proposal { $0.scalar(1, of: 1_024 * 65_535 + 1) }
        },
        Refusal(.draftRow, "row", "is empty") { $0.number(1, 1) },
        Refusal(.draftRow, "row", "has fewer weights than tokens") { $0.row([1, 2], [1]) },
        Refusal(.draftRow, "node", "is beyond Int32") { payload in
            payload.number(3, beyondInt32)
            payload.numbers(4, [1])
            payload.numbers(5, [1])
        },
        Refusal(.rowRequest, "node", "is beyond Int32") { $0.number(3, beyondInt32) },
        Refusal(.draftOpen, "rule", "is unknown") { payload in
            payload.draftOpen()
            payload.number(6, 3)
        },
        Refusal(.draftOpen, "payload", "is unknown") { payload in
            payload.draftOpen()
            payload.number(17, 2)
        },
        Refusal(.draftOpen, "siblings", "are unknown") { payload in
            payload.draftOpen()
            payload.number(19, 2)
        },
        Refusal(.draftOpen, "merge", "is too large") { payload in
            payload.draftOpen()
            payload.number(20, 17)
        },
        Refusal(.draftOpen, "branches", "are too many") { payload in
            payload.draftOpen()
            payload.number(16, 257)
        },
        Refusal(.draftOpen, "nodesMax", "is larger than a tree") { payload in
            payload.draftOpen()
            payload.number(18, 257)
        },
        Refusal(.verdict, "nodesMax", "is larger than a tree") { $0.number(10, 257) },
        Refusal(.draftOpen, "shape", "is a beam search and static") { payload in
            payload.shape { part in
                part.numbers(1, [2])
                part.number(4, 2)
            }
        },
        Refusal(.draftOpen, "shape.beams", "are too many") { payload in payload.shape { $0.number(4, 17) } },
        Refusal(.draftOpen, "shape", "is static and grows") { payload in
            payload.shape { part in
                part.numbers(1, [2])
                part.number(3, 2)
            }
        },
        Refusal(.draftOpen, "shape.widths", "have a level of 0") { payload in payload.shape { $0.numbers(1, [2, 0]) } },
        Refusal(.draftOpen, "shape.widths", "are too deep") { payload in
            payload.shape { $0.numbers(1, [UInt64](repeating: 1, count: 65)) }
        },
        Refusal(.draftOpen, "shape.widths", "make too many nodes") { payload in
            payload.shape { $0.numbers(1, [16, 16]) }
        },
        Refusal(.draftOpen, "shape.nodesMax", "is larger than a tree") { payload in
            payload.shape { part in
                part.number(2, 257)
                part.number(3, 4)
            }
        },
        Refusal(.draftOpen, "shape.widthMax", "is missing") { payload in payload.shape { $0.number(2, 8) } },
        Refusal(.draftOpen, "shape.widthMax", "is too large") { payload in payload.shape { $0.number(3, 17) } },
    ]
}

extension RawPayload {
    /// A draft of one token and what was proposed below the root.
    fileprivate mutating func proposal(_ build: (inout RawPayload) -> Void) {
        numbers(6, [1])
        part(9, build)
    }

    fileprivate mutating func row(_ tokens: [UInt64], _ weights: [UInt64]) {
        number(2, 2)
        numbers(4, tokens)
        numbers(5, weights)
    }

    fileprivate mutating func scalar(_ weight: UInt64, of total: UInt64) {
        number(2, 4)
        numbers(5, [weight])
        number(6, total)
    }

    fileprivate mutating func shape(_ build: (inout RawPayload) -> Void) {
        draftOpen()
        part(9, build)
    }
}
