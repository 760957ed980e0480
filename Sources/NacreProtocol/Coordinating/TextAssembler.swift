/// Turns the bytes of committed tokens into text that a client may see: never half a character, never any part of a
/// stop string, never anything that would have to be taken back.
package struct TextAssembler: Sendable {
    private let stops: [[UInt8]]
    /// Bytes that may still turn out to be part of a stop string or of a character.
    private var pending: [UInt8] = []
    /// A stop string was seen: the text is over.
    package private(set) var isStopped = false

    package init(stops: [[UInt8]]) {
        self.stops = stops.filter { !$0.isEmpty }
    }

    /// Adds a token's bytes and returns those that are now certain.
    package mutating func append(_ bytes: [UInt8]) -> [UInt8] {
        guard !isStopped else { return [] }
        pending += bytes
        if let cut = firstStop() {
            isStopped = true
            defer { pending = [] }
            return TextAssembler.wellFormed(pending[..<cut])
        }
        let certain = min(pending.count - longestStopPrefix(), TextAssembler.completeCharacters(pending[...]))
        guard certain > 0 else { return [] }
        defer { pending.removeFirst(certain) }
        return TextAssembler.wellFormed(pending[..<certain])
    }

    /// The generation is over without a stop string: what was held back is text after all.
    package mutating func finish() -> [UInt8] {
        guard !isStopped else { return [] }
        defer { pending = [] }
        return TextAssembler.wellFormed(pending[...])
    }

    /// Where the earliest stop string begins.
    private func firstStop() -> Int? {
        guard !stops.isEmpty else { return nil }
        return pending.indices.first { start in
            stops.contains { pending[start...].starts(with: $0) }
        }
    }

    /// Length of the longest end of `pending` that begins a stop string.
    private func longestStopPrefix() -> Int {
        pending.indices.first { start in
            stops.contains { $0.starts(with: pending[start...]) }
        }.map { pending.count - $0 } ?? 0
    }

    /// Length of `bytes` without an unfinished UTF-8 character at its end. A byte that cannot begin or continue a
    /// character is not waited for.
    private static func completeCharacters(_ bytes: ArraySlice<UInt8>) -> Int {
        for back in 1...3 where back <= bytes.count {
            let byte = bytes[bytes.endIndex - back]
            if byte & 0b1100_0000 == 0b1000_0000 { continue }  // a continuation byte: look further back
            let needed = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1
            return needed > back ? bytes.count - back : bytes.count
        }
        return bytes.count
    }

    /// The same bytes with each ill-formed sequence replaced by U+FFFD: clients get valid UTF-8, always.
    private static func wellFormed(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        Array(String(decoding: bytes, as: UTF8.self).utf8)
    }
}
