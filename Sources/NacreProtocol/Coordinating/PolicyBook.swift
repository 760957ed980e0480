package import NacreCore

/// Which draft-length policy jobs get that name none: by the pair of target and draft model, or by default.
package struct PolicyBook: Sendable {
    /// What a policy is for.
    package enum Scope: Sendable, Hashable, Comparable, CustomStringConvertible {
        case all
        case pair(target: String, draft: String)

        /// Reads `default` or `TARGET/DRAFT`, names of models as nodes report them.
        package init?(parsing text: String) {
            let names = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
            switch names.count {
            case 1 where text == "default": self = .all
            case 2 where !names[0].isEmpty && !names[1].isEmpty: self = .pair(target: names[0], draft: names[1])
            default: return nil
            }
        }

        package var description: String {
            switch self {
            case .all: "default"
            case .pair(let target, let draft): "\(target)/\(draft)"
            }
        }
    }

    package struct Entry: Sendable, Equatable {
        package var policy: PolicySpecification
        /// Who chose it, for people.
        package var setBy: String
        /// Whether it is tuned while jobs run; then `policy` is what is in force meanwhile.
        package var isAuto: Bool

        package init(_ policy: PolicySpecification, setBy: String, isAuto: Bool = false) {
            self.policy = policy
            self.setBy = setBy
            self.isAuto = isAuto
        }
    }

    package static let builtIn = Entry(.goodput, setBy: "built in")
    /// Pairs with a policy of their own.
    package static let pairsMax = 256

    private var initial: Entry
    private var entries: [Scope: Entry] = [:]

    /// - Parameter initial: the default until somebody sets another.
    package init(initial: Entry = PolicyBook.builtIn) { self.initial = initial }

    /// All that is set, the default first.
    package var all: [(scope: Scope, entry: Entry)] {
        let pairs = entries.filter { $0.key != .all }.sorted { $0.key < $1.key }
        return [(.all, entries[.all] ?? initial)] + pairs.map { ($0.key, $0.value) }
    }

    /// - Parameter drafts: the models of the job's drafters; a pair has one.
    package func entry(target: String, drafts: Set<String>) -> Entry {
        if drafts.count == 1, let draft = drafts.first, let own = entries[.pair(target: target, draft: draft)] {
            return own
        }
        return entries[.all] ?? initial
    }

    /// `nil` takes back what was set. Returns whether there was room.
    package mutating func set(_ entry: Entry?, for scope: Scope) -> Bool {
        guard entry == nil || entries[scope] != nil || entries.count < Self.pairsMax else { return false }
        entries[scope] = entry
        return true
    }
}

extension Hello {
    /// The model's file and its lookups, without the bridge that it drafts over and what stands in parentheses.
    package var fileName: String { Self.fileName(of: modelName) }

    package static func fileName(of model: String) -> String {
        let name = model.split(separator: " (", maxSplits: 1).first.map(String.init) ?? model
        guard let bridge = BridgeKind.allCases.map({ " by \($0.rawValue)" }).first(where: name.hasSuffix) else {
            return name
        }
        return String(name.dropLast(bridge.count))
    }
}

// Policies of jobs.
extension CoordinatorMachine {
    /// The policy that the job should be decoded under now, and who chose it.
    func policy(for job: JobRecord) -> PolicyBook.Entry {
        let specification = job.specification
        if specification.namesPolicy { return PolicyBook.Entry(specification.speculation.policy, setBy: "the job") }
        let drafts = Set(job.hiredModels.map(Hello.fileName(of:)))
        let entry = policies.entry(target: Hello.fileName(of: job.modelName), drafts: drafts)
        var speculation = specification.speculation
        // A tree, a fixed γ: there a policy decides nothing, or must not.
        for entry in [tuned(entry, for: job), policies.entry(target: "", drafts: [])] {
            speculation.policy = entry.policy
            if speculation.complaint(under: specification.sampling) == nil { return entry }
        }
        return PolicyBook.builtIn
    }

    /// Tells the job's verifier if its policy is another now.
    mutating func refreshPolicy(of id: JobID, into effects: inout [Effect]) {
        guard let job = jobs[id], case .running(let link, let attempt) = job.state else { return }
        let entry = policy(for: job)
        guard entry != job.policy else { return }
        jobs[id]?.policy = entry
        if entry.policy != job.policy.policy {
            effects.append(.send(link, .jobPolicy(JobPolicy(job: id, attempt: attempt, policy: entry.policy))))
        }
    }
}
