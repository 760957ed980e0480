/// The suffix automaton of a growing text: which of its pieces occur where, and what follows them.
///
/// Taking in a token costs O(1) amortised: the automaton itself grows as published, at most 2n states and 3n edges for
/// n tokens (about 200 bytes per token). Beside that each state counts its occurrences and knows the latest of them;
/// these figures are brought up to date for the `chainMax` longest pieces that end at the new token, so that they are
/// exact unless a text repeats itself within itself more than `chainMax` times, as one token a thousand times does:
/// then the shortest pieces are undercounted, and the longest match, which is what is asked for, is not.
///
/// The last `undoMax` tokens or more can be taken back, each at the cost of having taken it in.
///
/// - Source: Blumer et al., "The smallest automaton recognizing the subwords of a text", 1985; as a drafter: Oliaro et
///   al., "SuffixDecoding", 2024.
package struct SuffixAutomaton: Sendable {
    /// All pieces that end at the same places.
    private struct State: Sendable {
        /// Tokens of the longest of them.
        var length: Int32
        /// The state of its longest suffix that ends at more places; −1 for the root, the empty piece.
        var link: Int32
        var firstEdge: Int32 = -1
        var occurrences: Int32 = 0
        /// The index of the token at which it ended last.
        var latest: Int32 = -1
    }

    private struct Edge: Sendable {
        let source: Int32
        let token: TokenID
        var target: Int32
        /// The edge that `source` got before.
        let next: Int32
    }

    private struct EdgeKey: Hashable, Sendable {
        let source: Int32
        let token: TokenID
    }

    /// What taking in one token changed.
    private struct Undo: Sendable {
        let edges: Int
        let last: Int32
        /// The state that was divided, if one was.
        var divided: Int32?
        /// `latest` of the states that were brought up to date, the longest first.
        var latest: [Int32] = []
    }

    /// A piece that occurs: the last `length` tokens of what was followed.
    package struct Match: Sendable, Hashable {
        package fileprivate(set) var state: Int32 = 0
        package fileprivate(set) var length = 0

        package init() {}
        fileprivate init(state: Int32, length: Int) {
            self.state = state
            self.length = length
        }
    }

    private let chainMax = 64
    /// Continuations of a piece that are looked at: without a bound, a token that something new followed each time
    /// would cost as much as all of them in every draft.
    package static let continuationsMax = 64
    private let undoMax: Int
    private var states = [State(length: 0, link: -1)]
    private var edges: [Edge] = []
    private var index: [EdgeKey: Int] = [:]
    private var last: Int32 = 0
    private var undos: [Undo] = []
    /// Tokens taken in.
    package private(set) var length = 0

    package init(undoMax: Int = 0) { self.undoMax = undoMax }

    package var stateCount: Int { states.count }
    package var edgeCount: Int { edges.count }
    /// Tokens that can be taken back.
    package var undoable: Int { undos.count }

    // MARK: - Growing

    package mutating func append(_ token: TokenID) {
        var undo = Undo(edges: edges.count, last: last)
        let new = Int32(states.count)
        states.append(State(length: states[Int(last)].length + 1, link: 0))
        var at = last
        while at >= 0, edge(at, token) == nil {
            connect(at, token, to: new)
            at = states[Int(at)].link
        }
        if let edge = edge(at, token) {
            let target = edges[edge].target
            let isWhole = states[Int(at)].length + 1 == states[Int(target)].length
            states[Int(new)].link = isWhole ? target : split(target, reachedFrom: at, by: token)
            if !isWhole { undo.divided = target }
        }
        last = new
        var state = new
        while state > 0, undo.latest.count < chainMax {
            undo.latest.append(states[Int(state)].latest)
            states[Int(state)].occurrences += 1
            states[Int(state)].latest = Int32(length)
            state = states[Int(state)].link
        }
        length += 1
        guard undoMax > 0 else { return }
        undos.append(undo)
        if undos.count > 2 * undoMax { undos.removeFirst(undoMax) }
    }

    /// Divides `target`: the pieces of it that `source` leads to also end elsewhere from now on. Returns their state.
    private mutating func split(_ target: Int32, reachedFrom source: Int32, by token: TokenID) -> Int32 {
        let part = Int32(states.count)
        states.append(states[Int(target)])
        states[Int(part)].length = states[Int(source)].length + 1
        states[Int(part)].firstEdge = -1
        for edge in edges(of: target).reversed() { connect(part, edges[edge].token, to: edges[edge].target) }
        redirect(from: source, by: token, target, to: part)
        states[Int(target)].link = part
        return part
    }

    private mutating func connect(_ source: Int32, _ token: TokenID, to target: Int32) {
        index[EdgeKey(source: source, token: token)] = edges.count
        let next = states[Int(source)].firstEdge
        states[Int(source)].firstEdge = Int32(edges.count)
        edges.append(Edge(source: source, token: token, target: target, next: next))
    }

    private mutating func redirect(from source: Int32, by token: TokenID, _ old: Int32, to new: Int32) {
        var at = source
        while at >= 0, let edge = edge(at, token), edges[edge].target == old {
            edges[edge].target = new
            at = states[Int(at)].link
        }
    }

    /// Takes the last token back.
    package mutating func removeLast() {
        guard let undo = undos.popLast() else { preconditionFailure("no token can be taken back") }
        let new = last
        var state = new
        for latest in undo.latest {
            states[Int(state)].occurrences -= 1
            states[Int(state)].latest = latest
            state = states[Int(state)].link
        }
        let token = edges[undo.edges].token
        while edges.count > undo.edges {
            let edge = edges.removeLast()
            states[Int(edge.source)].firstEdge = edge.next
            index[EdgeKey(source: edge.source, token: edge.token)] = nil
        }
        if let divided = undo.divided {
            let part = new + 1
            var at = undo.last
            while at >= 0, edge(at, token) == nil { at = states[Int(at)].link }
            redirect(from: at, by: token, part, to: divided)
            states[Int(divided)].link = states[Int(part)].link
        }
        states.removeLast(states.count - Int(new))
        last = undo.last
        length -= 1
    }

    // MARK: - Looking up

    /// The longest piece at the end of the text that also occurs before it.
    package var ending: Match {
        let state = states[Int(last)].link
        return state < 0 ? Match() : Match(state: state, length: Int(states[Int(state)].length))
    }

    /// The longest piece that occurs and that `match` and `token` end in. O(1) amortised over the tokens of a path.
    package func advance(_ match: Match, by token: TokenID) -> Match {
        var match = match
        while true {
            if let edge = edge(match.state, token) {
                return Match(state: edges[edge].target, length: match.length + 1)
            }
            guard let shorter = shorter(match) else { return Match() }
            match = shorter
        }
    }

    /// The longest shorter piece that ends at more places; `nil` for the empty one.
    package func shorter(_ match: Match) -> Match? {
        let link = states[Int(match.state)].link
        return link < 0 ? nil : Match(state: link, length: Int(states[Int(link)].length))
    }

    /// How often the piece occurs.
    package func occurrences(of match: Match) -> Int { Int(states[Int(match.state)].occurrences) }

    /// What followed the piece, without `excluded`: of more than `continuationsMax` tokens those that were new there
    /// last.
    package func continuations(of match: Match, excluding excluded: TokenID? = nil) -> ContinuationCounts {
        var counts = ContinuationCounts()
        var overlooked = occurrences(of: match)
        let latest = edges(of: match.state, atMost: Self.continuationsMax)
        for edge in latest {
            let state = states[Int(edges[edge].target)]
            overlooked -= Int(state.occurrences)
            guard edges[edge].token != excluded else { continue }
            counts.append(edges[edge].token, times: Int(state.occurrences), recency: Int(state.latest))
        }
        if latest.count == Self.continuationsMax { counts.overlooked = max(0, overlooked) }
        return counts
    }

    private func edge(_ source: Int32, _ token: TokenID) -> Int? {
        source < 0 ? nil : index[EdgeKey(source: source, token: token)]
    }

    /// The edges of a state, the latest first.
    private func edges(of state: Int32, atMost most: Int = .max) -> [Int] {
        var found: [Int] = []
        var edge = states[Int(state)].firstEdge
        while edge >= 0, found.count < most {
            found.append(Int(edge))
            edge = edges[Int(edge)].next
        }
        return found
    }
}
