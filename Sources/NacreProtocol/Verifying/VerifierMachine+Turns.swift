import NacreCore

// Which jobs and which of their drafts take part in a pass.
extension VerifierMachine {
    /// The jobs whose method gives them a turn, each with the drafts that take part. When not even a node for each has
    /// room, those that have waited longest go first (`FairShare`).
    ///
    /// - Parameters:
    ///   - reserved: nodes of the pass that are not for those who decode.
    ///   - beams: what jobs with beams have in the pass.
    mutating func decodingTurns(leaving reserved: Int, beside beams: [BeamTurn]) -> [JobTurn] {
        let nodesMax = configuration.nodesMax - beams.reduce(reserved) { $0 + $1.nodes }
        let ready = jobs.indices.filter { jobs[$0].isReadyToDecode && jobs[$0].beams == nil }
        let lead = ready.map { jobs[$0].length - jobs[$0].cursor.valid }
        let inTurn = FairShare.turns(
            mandatory: lead, waited: ready.map { jobs[$0].share.waited }, nodesMax: nodesMax)
        var turns: [JobTurn] = []
        var flexible: [(turn: Int, most: Int)] = []
        var room = nodesMax - inTurn.reduce(0) { $0 + lead[$1] }
        // One branch stays for what fills the pass up.
        var branches = max(0, beams.reduce(unreservedBranches) { $0 - $1.branches })
        for place in inTurn {
            let job = jobs[ready[place]]
            let drafts = job.drafts
            var turn = JobTurn(index: ready[place], drafts: drafts, chosen: [])
            switch job.schedule.turn(job.view(of: drafts)) {
            case .wait: continue
            case .spine(let count): turn.chosen = Array(drafts.spine.prefix(min(count, room)))
            case .all: turn.chosen = usable(drafts, of: job, most: room, branches: &branches)
            case .upTo(let most): if most > 0, !drafts.isEmpty { flexible.append((turns.count, most)) }
            }
            room -= turn.chosen.count
            turns.append(turn)
        }
        let limits = ForestPacker.Limits(nodesMax: nodesMax, branchesMax: branches)
        pack(flexible, into: &turns, mandatory: inTurn.map { lead[$0] }, limits)
        keepFair(ready, turns)
        return turns
    }

    /// The drafts that a commit within the budget can reach, in the order in which they came, within the branches there
    /// are.
    private func usable(
        _ drafts: DraftTree, of job: JobVerification, most: Int, branches: inout Int
    ) -> [NodeIndex] {
        let deepest = job.remaining - 1
        var chosen: [NodeIndex] = []
        var isParent: Set<NodeIndex?> = []
        var taken: Set<NodeIndex?> = [nil]
        for node in drafts.indices where chosen.count < most && drafts[node].depth <= deepest {
            let parent = drafts[node].parent
            guard taken.contains(parent) else { continue }
            if isParent.contains(parent) {
                guard branches > 0 else { continue }
                branches -= 1
            }
            isParent.insert(parent)
            taken.insert(node)
            chosen.append(node)
        }
        return chosen
    }

    /// Chooses the drafts of the jobs that take what is worth its cost, all together.
    private func pack(
        _ flexible: [(turn: Int, most: Int)], into turns: inout [JobTurn], mandatory: [Int],
        _ limits: ForestPacker.Limits
    ) {
        guard !flexible.isEmpty else { return }
        let fixed = turns.reduce(0) { $0 + $1.chosen.count } + mandatory.reduce(0, +) - flexible.count
        var candidates: [ForestPacker.Job] = []
        for (rank, choice) in flexible.enumerated() {
            let job = jobs[turns[choice.turn].index]
            let tree = turns[choice.turn].drafts
            var worth = job.worth(of: tree)
            // What lies deeper than the budget reaches cannot be committed.
            for (node, draft) in tree.nodes.enumerated() where draft.depth > job.remaining - 1 { worth[node] = 0 }
            // What is fixed already is part of the pass's cost, not of the choice.
            candidates.append(
                ForestPacker.Job(
                    mandatory: 1 + (rank == 0 ? fixed : 0), tree: tree, worth: worth,
                    weight: job.share.weight))
        }
        for (choice, chosen) in zip(flexible, ForestPacker.pack(candidates, cost: configuration.cost, limits: limits)) {
            turns[choice.turn].chosen = Array(chosen.prefix(choice.most))
        }
    }

    private mutating func keepFair(_ ready: [Int], _ turns: [JobTurn]) {
        let drafts = turns.reduce(0) { $0 + $1.chosen.count }
        for index in ready {
            guard let turn = turns.first(where: { $0.index == index }) else {
                jobs[index].share.wait()
                continue
            }
            jobs[index].share.took(
                turn.chosen.count, of: turn.drafts.count, evenShare: Double(drafts) / Double(max(1, turns.count)))
        }
    }
}
