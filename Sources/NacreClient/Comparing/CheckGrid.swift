/// The combinations that `nacre check` runs: every value of each axis with every value of the others.
package struct CheckGrid: Sendable, Equatable {
    /// What is drafted.
    package struct Drafts: Sendable, Hashable {
        package var tree: String
        package var branches: Int

        package init(tree: String, branches: Int = 0) {
            self.tree = tree
            self.branches = branches
        }
    }

    /// The processes of a cluster.
    package struct Nodes: Sendable, Hashable {
        package let verifiers: Int
        package let drafters: Int
    }

    package var methods = ["speculative", "pearl", "stream"]
    package var rules = ["coupled"]
    package var drafts = [Drafts(tree: "chain")]
    package var jobs = [1]
    package var verifiers = [1]
    package var drafters = [1]
    package var temperatures = [0.0]

    package init() {}

    /// What every release must hold: rules, trees and branches, one job and several, one node and two of each role;
    /// the rule that keeps one text per seed also at a temperature.
    package static var matrix: CheckGrid {
        var grid = CheckGrid()
        grid.methods = ["stream"]
        grid.rules = ["coupled", "rejection", "block"]
        grid.drafts = [
            Drafts(tree: "chain"), Drafts(tree: "4,2,2,1"), Drafts(tree: "best"), Drafts(tree: "chain", branches: 8),
        ]
        grid.jobs = [1, 4]
        grid.verifiers = [1, 2]
        grid.drafters = [1, 2]
        grid.temperatures = [0, 0.8]
        return grid
    }

    /// The clusters it takes, each once.
    package var clusters: [Nodes] {
        verifiers.flatMap { verifiers in drafters.map { Nodes(verifiers: verifiers, drafters: $0) } }
    }

    /// What is run on one of the clusters. Above temperature 0 only coupled drafting gives plain decoding's text: the
    /// other rules draw another text of the same law, which no comparison by tokens can judge.
    package func cells(on nodes: Nodes) -> [CheckCell] {
        temperatures.flatMap { temperature in
            methods.flatMap { method in
                rules.filter { temperature == 0 || $0 == "coupled" }.flatMap { rule in
                    drafts.flatMap { drafts in
                        jobs.map { jobs in
                            CheckCell(
                                method: method, rule: rule, tree: drafts.tree, branches: drafts.branches, jobs: jobs,
                                verifiers: nodes.verifiers, drafters: nodes.drafters, temperature: temperature)
                        }
                    }
                }
            }
        }
    }

    /// A rule that no temperature here lets be compared.
    package var incomparableRule: String? {
        temperatures.contains(0) ? nil : rules.first { $0 != "coupled" }
    }
}
