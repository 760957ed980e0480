import NacreCore

/// What a survey found, what to do about it, and why.
package struct PlacementReport: Encodable, Sendable {
    /// Where the agreement comes from.
    package enum Source: String, Encodable, Sendable {
        case given, measured, kept
    }

    /// Pass times of a model, in microseconds by scored nodes.
    package struct Table: Encodable, Sendable {
        package struct Pass: Encodable, Sendable {
            package let nodes: Int
            package let microseconds: Double
        }
        package let model: String
        package let threads: Int
        package let passes: [Pass]

        init(model: String, threads: Int, costs: [PassCost]) {
            self.model = model
            self.threads = threads
            passes = costs.map { Pass(nodes: $0.nodes, microseconds: $0.microseconds) }
        }
    }

    /// What was measured of a bridge.
    package struct Bridge: Encodable, Sendable {
        package let bridge: String
        package let agreement: Double
        package let passesPerDraft: Double
        /// Of one job, to be expected, at the best placement.
        package let tokensPerSecond: Double

        private enum CodingKeys: String, CodingKey {
            case bridge, agreement
            case passesPerDraft = "passes_per_draft"
            case tokensPerSecond = "tokens_per_second"
        }
    }

    package struct Option: Encodable, Sendable {
        /// apart, remote, together or plain.
        package let placement: String
        package let verifierCores: Int
        /// 0 without a drafter.
        package let drafterCores: Int
        /// Of one job, to be expected.
        package let tokensPerSecond: Double
        /// Drafts of a round.
        package let draftLength: Int
        package let description: String

        private enum CodingKeys: String, CodingKey {
            case placement, description
            case verifierCores = "verifier_cores"
            case drafterCores = "drafter_cores"
            case tokensPerSecond = "tokens_per_second"
            case draftLength = "draft_length"
        }

        fileprivate init(_ prediction: PlacementQuestion.Prediction) {
            (tokensPerSecond, draftLength) = (prediction.tokensPerSecond, prediction.drafts)
            description = prediction.placement.description
            switch prediction.placement {
            case .apart(let verifier, let drafter, let isRemote):
                (placement, verifierCores, drafterCores) = (isRemote ? "remote" : "apart", verifier, drafter)
            case .together(let cores): (placement, verifierCores, drafterCores) = ("together", cores, cores)
            case .plain(let cores): (placement, verifierCores, drafterCores) = ("plain", cores, 0)
            }
        }
    }

    package let cores: Int
    package let agreement: Double
    /// Positions that it was measured on; `nil` if it was given.
    package let agreementPositions: Int?
    package let agreementSource: Source
    /// Over which drafts become the target's tokens; `nil` for one vocabulary.
    package let bridge: String?
    /// The bridges that were compared, the one that `auto` takes by itself first; empty for one vocabulary, for a
    /// bridge that was named, and for an agreement that was given.
    package internal(set) var bridges: [Bridge] = []
    /// Passes of the draft model for a draft.
    package let passesPerDraft: Double
    package let choice: Option
    package let reason: String
    /// The best of each kind, the fastest first.
    package let options: [Option]
    package let tables: [Table]
    /// Why the tables are not those of a machine that did nothing else, so that the choice may be wrong.
    package let disturbance: String?

    private enum CodingKeys: String, CodingKey {
        case cores, agreement, bridge, bridges, choice, reason, options, tables, disturbance
        case passesPerDraft = "passes_per_draft"
        case agreementPositions = "agreement_positions"
        case agreementSource = "agreement_source"
    }

    init(
        _ question: PlacementQuestion, agreement: Double, positions: Int?, source: Source, bridge: String?,
        passesPerDraft: Double, tables: [Table], disturbance: String?
    ) {
        cores = question.cores
        self.agreement = agreement
        agreementPositions = positions
        agreementSource = source
        self.bridge = bridge
        self.passesPerDraft = passesPerDraft
        options = question.options.map(Option.init)
        guard let choice = question.choice else { preconditionFailure("a survey without a table") }
        self.choice = Option(choice)
        reason = question.reason
        self.disturbance = disturbance
        self.tables = tables.sorted { ($0.model, $1.threads) > ($1.model, $0.threads) }
    }

    /// What a drafter has to be told that shall draft over this bridge; `nil` if `auto` takes it by itself, or there is
    /// nothing to bridge.
    package var bridgeToName: String? { bridges.first?.bridge == bridge || bridges.isEmpty ? nil : bridge }

    /// The report on the bridge to take, with what was measured of all of them.
    ///
    /// - Parameter reports: one for each, at least one; what `auto` takes by itself first.
    static func best(of reports: [PlacementReport]) -> PlacementReport {
        var best = reports[BridgeKind.fastest(reports.map(\.choice.tokensPerSecond))]
        guard reports.count > 1 else { return best }
        best.bridges = reports.compactMap { report in
            report.bridge.map {
                Bridge(
                    bridge: $0, agreement: report.agreement, passesPerDraft: report.passesPerDraft,
                    tokensPerSecond: report.choice.tokensPerSecond)
            }
        }
        return best
    }
}
