import NacreCore

// Jobs whose texts are drawn as beams (`BeamSampling`, `DSBDRule`): each pass holds all beams of a job, with the drafts
// below them.
//
// | a job with beams | does |
// |---|---|
// | is assigned | has as many side branches reserved as it may have beams; without so many it is declined |
// | reads its prompt | as any job, but for the last token, which the first pass of its beams begins with |
// | has no drafter that is ready | adds one token to every beam in each pass |
// | has one | waits for its forest, which each verdict begins anew |
// | has helpers | has some of its beams scored by them (`BeamLending.swift`) |
// | loses it | goes on alone: the law of the beams is the same |
// | loses its verifier | begins anew, from the prompt: nothing was committed |
extension VerifierMachine {
    /// Why this verifier can never run a job of so many beams; `nil` if it can.
    func beamsFault(_ speculation: Speculation) -> String? {
        guard speculation.method.usesBeams else { return nil }
        guard configuration.canRewind else {
            return "the target's cache cannot be divided among beams: use method stream"
        }
        // One branch stays for what fills passes up, half a pass for other jobs.
        let most = min(configuration.branches - 1, configuration.nodesMax / 2)
        guard speculation.beamsMax > most else { return nil }
        return
            "\(speculation.beamsMax) beams are more than the \(max(0, most)) that a verifier here can hold: use fewer"
    }

    /// The job whose beams hold the most cells, if those are more than one text may have: there is a context's worth
    /// for each job.
    var widestJob: Int? {
        let cells = jobs.map { $0.promptLength.rawValue + ($0.beams?.beams.cells ?? 0) }
        guard let most = cells.max(), most > configuration.contextMax else { return nil }
        return cells.lastIndex(of: most)
    }

    /// Side branches that no job with beams has reserved.
    var unreservedBranches: Int {
        configuration.branches - 1
            - jobs.reduce(0) { $0 + ($1.beams == nil ? 0 : $1.speculation.beamsMax) }
    }

    /// What a job with beams has in the next pass.
    struct BeamTurn {
        var index: Int
        var forest: DraftForest
        /// Trees that other verifiers score.
        var lent: [Int: StreamID] = [:]
        /// Trees whose text other verifiers read, for a later pass.
        var read: [Int: StreamID] = [:]
        /// Instead of all else so many tokens of a beam's text, where more than fit into a pass are not cached.
        var reading: (tree: Int, count: Int)?
        /// Tokens of the text of all beams that stay.
        var leads = 0
        /// Side branches for its drafts.
        var branches = 0

        var nodes: Int { reading?.count ?? leads + forest.count }
    }

    /// The jobs with beams whose turn it is, each with the layers of drafts that there is room for. What there is room
    /// for is settled without a look at the layer.
    ///
    /// - Parameter reserved: nodes of the pass that are not for those who decode.
    func beamTurns(leaving reserved: Int, at now: Instant) -> [BeamTurn] {
        let ready = jobs.indices.filter { jobs[$0].areBeamsReady }
        guard !ready.isEmpty else { return [] }
        let others = jobs.count { $0.beams == nil && $0.isReadyToDecode }
        var room = max(configuration.nodesMax / 2, configuration.nodesMax - reserved - others)
        var turns: [BeamTurn] = []
        for place in ready.indices {
            let index = ready[(place + prefillTurn) % ready.count]
            guard let forest = jobs[index].dueForest, forest.trees.count <= room else { continue }
            let turn = beamTurn(index, forest, room: room, at: now)
            room -= turn.reading?.count ?? turn.leads
            turns.append(turn)
        }
        var branches = max(0, unreservedBranches)
        for place in turns.indices where turns[place].reading == nil {
            // Of trees that are lent as well, so that they have room here should they come back.
            let forest = turns[place].forest
            let part = forest.prefix(forest.layers(withinNodes: room, sequences: branches))
            turns[place].forest = part
            turns[place].branches = part.sideBranches
            room -= part.count
            branches -= part.sideBranches
        }
        return turns
    }

    private func beamTurn(_ index: Int, _ forest: DraftForest, room: Int, at now: Instant) -> BeamTurn {
        let loan = jobs[index].lending(forest, by: lendingRule, at: now)
        var turn = BeamTurn(index: index, forest: forest, lent: loan.scored, read: loan.read)
        let leads = jobs[index].leads(without: turn.lent)
        turn.leads = leads.values.reduce(0, +)
        let longest = leads.max { ($0.value, $1.key) < ($1.value, $0.key) }
        if let longest, turn.leads > max(leads.count, room / 2) {
            turn.lent = [:]
            turn.reading = (longest.key, min(longest.value - 1, max(1, room / 2)))
        }
        return turn
    }

    mutating func add(
        _ turn: BeamTurn, at now: Instant, free: inout [SequenceID], to next: inout EnginePass,
        into effects: inout [Effect]
    ) -> PassShare {
        let lent = lend(turn, at: now, into: &effects)
        let branches = jobs[turn.index].place(
            turn.forest, lent: lent, reading: turn.reading, free: &free, in: &next)
        let job = jobs[turn.index]
        return PassShare(job: job, from: job.cursor.valid, rows: job.beams?.inFlight?.rows ?? 0, branches: branches)
    }

    /// Moves the beams on of every job whose pass is over.
    mutating func judgeBeams(at now: Instant, into effects: inout [Effect]) {
        for index in jobs.indices.reversed() where jobs[index].beams?.held != nil {
            if jobs[index].beams?.held?.part.isReading == true {
                jobs[index].noteReading()
                continue
            }
            switch beamRows(index, at: now, into: &effects) {
            case .complete: break
            case .awaited: continue
            case .void:
                jobs[index].forgetPass(edits: &releases)
                continue
            }
            let before = jobs[index].beamLength
            jobs[index].advanceBeams(edits: &releases)
            let tokens = jobs[index].beamLength - before
            jobs[index].trace.note(.commit, from: now, to: now, count: tokens)
            tokensCommitted += UInt64(tokens)
            count(tokens, of: index, pairKey(of: jobs[index]), at: now)
            if let answers = jobs[index].beamAnswers { endBeams(index, answers, into: &effects) }
        }
    }

    private mutating func endBeams(_ index: Int, _ answers: [BeamAnswer], into effects: inout [Effect]) {
        guard let best = answers.first else {
            return end(at: index, .engineFailed, detail: "no beam has a token", into: &effects)
        }
        jobs[index].statistics.logLikelihood = best.logLikelihood
        jobs[index].statistics.tokensScored = UInt64(best.tokens.count)
        end(at: index, best.hasEnded ? .endOfGeneration : .length, answers: answers, into: &effects)
    }

    // MARK: - Drafters

    /// Tells drafters of forests which beams there are.
    mutating func tellForests(at now: Instant, into effects: inout [Effect]) {
        for index in jobs.indices where jobs[index].beams != nil { tellForest(index, at: now, into: &effects) }
    }

    mutating func tellForest(_ index: Int, at now: Instant, into effects: inout [Effect]) {
        for hired in jobs[index].drafters.indices {
            let drafter = jobs[index].drafters[hired]
            guard drafter.isOpen, drafter.isReady, let steps = drafter.beamSteps,
                let forest = jobs[index].emptyForest
            else { continue }
            // On these cores it finishes first what it has begun.
            guard !isKeptWaiting(drafter), !drafter.sharesCores || !drafter.inbox.owes else {
                jobs[index].drafters[hired].isVerdictDue = true
                continue
            }
            jobs[index].drafters[hired].isVerdictDue = false
            jobs[index].drafters[hired].isBeside = false
            jobs[index].drafters[hired].beamSteps = nil
            let length = jobs[index].beamLength
            let limit = length + forest.layersMax
            let nextEpoch = jobs[index].drafters[hired].inbox.offer(forest, positionLimit: limit)
            if !drafter.inbox.owes { jobs[index].drafters[hired].attentionSince = now }
            jobs[index].drafters[hired].pace.told(standing: 0, at: now)
            var verdict = Verdict(
                stream: drafter.stream, nextEpoch: nextEpoch, tokens: [], committed: length, positionLimit: limit)
            verdict.beams = steps
            effects.append(.toDrafter(address: drafter.address, .verdict(verdict)))
        }
    }

    /// A stream of forests has opened: it begins with the prompt, from which the drafter is told the beams there are.
    mutating func beginForest(_ index: Int, of hired: Int) {
        guard let run = jobs[index].beams, case .forest(let draws) = jobs[index].speculation.shape else { return }
        let prompt = DraftForest(roots: 1, root: jobs[index].length, index: 0, ends: run.beams.ends)
        let layers = jobs[index].drafters[hired].inbox.positionLimit - jobs[index].length
        jobs[index].drafters[hired].inbox.expect(ExpectedForest(prompt, layersMax: layers, drawsMax: draws))
        jobs[index].drafters[hired].beamSteps =
            run.beams.index == 0 ? nil : run.beams.live.map { BeamStep(parent: 0, tokens: $0.text.tokens) }
    }
}
