package import NacreCore

/// A draft that was held against the target's token at its position.
package struct DecidedDraft: Sendable, Equatable {
    package var position: Position
    package var agrees: Bool
    package var measure: DraftMeasure
}

/// The positions of an attempt that is recorded, as they are committed and compared.
package struct DecisionRecorder: Sendable {
    private let start: Position
    private var last: Instant?
    package private(set) var positions: [JobRecording.Position] = []
    /// Of the drafter that the job has, or had last.
    package var draftMicroseconds = 0.0
    package var roundTripMicroseconds: Double?

    /// - Parameter start: the length of the text that the attempt began with.
    package init(start: Position) { self.start = start }

    /// So many tokens were committed.
    package mutating func committed(_ count: Int, at now: Instant) {
        for place in 0..<count where positions.count < JobRecording.positionsMax {
            let delay = place == 0 ? last.map { now - $0 } ?? 0 : 0
            positions.append(JobRecording.Position(delay: UInt32(clamping: delay)))
        }
        last = now
    }

    /// Drafts were compared, those of siblings one by one: one that agrees is what counts.
    package mutating func decided(_ drafts: [DecidedDraft]) {
        for draft in drafts {
            let place = draft.position - start
            guard positions.indices.contains(place), positions[place].agreement != .agrees else { continue }
            guard draft.agrees || positions[place].agreement == .unknown else { continue }
            positions[place].agreement = draft.agrees ? .agrees : .differs
            positions[place].measure = draft.measure
        }
    }
}

/// What an inbox notes for a recording: what drafts came with, and how they compared.
struct DecisionLog: Sendable {
    /// Of the drafts that wait.
    private var measures: [NodeIndex: DraftMeasure] = [:]
    private var decisions: [DecidedDraft] = []

    mutating func arrived(_ node: NodeIndex, _ measure: DraftMeasure) { measures[node] = measure }

    /// A draft came for a position that was decided before.
    mutating func late(at position: Position, agrees: Bool, _ measure: DraftMeasure) {
        decisions.append(DecidedDraft(position: position, agrees: agrees, measure: measure))
    }

    /// Committed tokens went along the drafts to `reached`, and passed others by unless they were drafts as a `whole`.
    mutating func committed(on tree: DraftTree, to reached: NodeIndex?, whole: Bool) {
        func decided(_ node: NodeIndex, _ agrees: Bool) -> DecidedDraft {
            DecidedDraft(position: tree.position(of: node), agrees: agrees, measure: measures[node] ?? .unknown)
        }
        decisions += tree.path(to: reached).map { decided($0, true) }
        if !whole, let other = tree.firstChild(of: reached) { decisions.append(decided(other, false)) }
    }

    mutating func move(to part: DraftTree.Part) {
        let kept = measures.compactMap { old, measure in part.moved[old.rawValue].map { ($0, measure) } }
        measures = Dictionary(uniqueKeysWithValues: kept)
    }

    mutating func clear() { measures = [:] }

    mutating func take() -> [DecidedDraft] {
        let taken = decisions
        decisions = []
        return taken
    }
}
