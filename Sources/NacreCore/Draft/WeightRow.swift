/// A drafter's law of the next token as integer weights: q(x) = weight / total, 0 for a token without an entry.
///
/// The drafter draws *from these integers*, and the verifier tests and subtracts the same integers. A law that was
/// rounded, or cut to its top, after the draw would bias the output (ALGORITHMS 0.6).
package struct WeightRow: Sendable, Hashable {
    /// One token and its weight.
    package struct Entry: Sendable, Hashable {
        package let token: TokenID
        /// 1 ... 65535.
        package let weight: UInt16

        package init(_ token: TokenID, _ weight: UInt16) {
            self.token = token
            self.weight = weight
        }
    }

    /// Rising token ids, at least one entry.
    package let entries: [Entry]
    /// The sum of the weights.
    package let total: Int

    /// - Throws: `.row` unless there is an entry, ids rise and no weight is 0.
    package init(_ entries: [Entry]) throws(PayloadFault) {
        guard !entries.isEmpty else { throw .row("a row of q has no entries") }
        for (place, entry) in entries.enumerated() {
            if entry.weight == 0 { throw .row("token \(entry.token) has weight 0: leave it out") }
            if place > 0, entries[place - 1].token >= entry.token {
                throw .row("token \(entry.token) follows \(entries[place - 1].token): sort by rising id, once each")
            }
        }
        self.init(checked: entries)
    }

    private init(checked entries: [Entry]) {
        self.entries = entries
        total = entries.reduce(0) { $0 + Int($1.weight) }
    }

    /// The likeliest `entriesMax` tokens of `law`, the largest weight 65535, the others in proportion, rounded; what
    /// rounds to 0 is left out. Of equally likely tokens the lowest ids stay.
    package init(_ law: Distribution, entriesMax: Int) {
        precondition(entriesMax > 0, "a row holds at least one token")
        let likeliest = law.probabilities.max() ?? 0
        let weights = law.probabilities.map { UInt16(($0 / likeliest * 65_535).rounded()) }
        var kept = weights.indices.filter { weights[$0] > 0 }
        if kept.count > entriesMax {
            let falling = kept.sorted { (law.probabilities[$1], $0) < (law.probabilities[$0], $1) }
            kept = falling.prefix(entriesMax).sorted()
        }
        self.init(checked: kept.map { Entry(TokenID(rawValue: UInt32($0)), weights[$0]) })
    }

    /// The point mass on `token`.
    init(pointMass token: TokenID) { self.init(checked: [Entry(token, 1)]) }

    /// The weight of `token`, 0 if it has no entry. Logarithmic in the entries.
    package func weight(of token: TokenID) -> UInt16 {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].token < token { low = middle + 1 } else { high = middle }
        }
        return low < entries.count && entries[low].token == token ? entries[low].weight : 0
    }

    /// q(token).
    package subscript(token: TokenID) -> Double { Double(weight(of: token)) / Double(total) }

    /// The token that the uniform number `u` in [0, 1) draws.
    package func token(at u: Double) -> TokenID {
        // u · total can round up to total.
        var rest = min(Int(u * Double(total)), total - 1)
        for entry in entries {
            rest -= Int(entry.weight)
            if rest < 0 { return entry.token }
        }
        preconditionFailure("\(rest) of \(total) lies behind the last entry")
    }

    /// The row without `token`, as drawing without replacement leaves it; `nil` if nothing is left.
    package func removing(_ token: TokenID) -> WeightRow? {
        let rest = entries.filter { $0.token != token }
        return rest.isEmpty ? nil : WeightRow(checked: rest)
    }
}
