import RealModule

/// What a policy that decides per round may look at, all of it measured.
package struct RoundConditions: Sendable {
    /// Who waits for whom.
    package enum Pacing: Sendable, Hashable, CaseIterable {
        /// Vanilla speculative decoding: a round is γ drafts, then a pass.
        case turns
        /// PEARL: γ drafts during each pass over γ.
        case lockStep
        /// The stream: passes take what is here.
        case stream

        /// Fewest drafts of a round that is not plain: a window of one leaves PEARL nothing to post-verify.
        package var draftsMin: Int { self == .lockStep ? 2 : 1 }
    }

    package var pacing: Pacing { didSet { found = nil } }
    /// t_p(n).
    package var cost: StepCostModel { didSet { found = nil } }
    /// t_q, one draft token, in microseconds; 0 if it was not measured.
    package var draftMicroseconds: Double { didSet { found = nil } }
    /// 2d, to the drafter and back, in microseconds.
    package var roundTripMicroseconds: Double { didSet { found = nil } }
    package var acceptance: PositionalAcceptance { didSet { found = nil } }
    /// Nodes of other jobs in the pass, a token for each: the load.
    package var others: Int { didSet { found = nil } }
    /// Those of the others that draft as much as this job, and so have its nodes and its tokens in the pass.
    package var peers: Int { didSet { found = nil } }
    /// Most drafts of the job that a pass may hold.
    package var most: Int { didSet { found = nil } }

    /// `best`, once it was searched for.
    private var found: (drafts: Int, tokensPerMicrosecond: Double)?

    package init(
        _ pacing: Pacing, cost: StepCostModel, draftMicroseconds: Double, roundTripMicroseconds: Double,
        acceptance: PositionalAcceptance, others: Int = 0, peers: Int = 0, most: Int
    ) {
        self.pacing = pacing
        self.cost = cost
        self.draftMicroseconds = draftMicroseconds
        self.roundTripMicroseconds = roundTripMicroseconds
        self.acceptance = acceptance
        self.others = others
        self.peers = min(max(0, peers), others)
        self.most = max(0, most)
    }

    /// The draft length of the best expected tokens per second of all jobs of the pass, and that rate per microsecond.
    ///
    /// Searched, because t_p is a table with steps. `turns`: ALGORITHMS 1.2; `lockStep`: PEARL (`lockStepRate`), two
    /// drafts at least; `stream`: the batch cap of 10.5, without the passes
    /// that follow rejections, which `tokensPerMicrosecond` knows. Ties to fewer; 0 where plain decoding is best.
    package var best: (drafts: Int, tokensPerMicrosecond: Double) { found ?? search() }

    /// Searches for `best` now, for all that ask until something changes.
    package mutating func findBest() { found = best }

    private func search() -> (drafts: Int, tokensPerMicrosecond: Double) {
        let tokens = acceptance.tokens(draftsMax: most)
        var best = (drafts: 0, tokensPerMicrosecond: rate(0, tokens))
        for gamma in 0...most {
            let rate = rate(gamma, tokens)
            if rate > best.tokensPerMicrosecond { best = (gamma, rate) }
        }
        return best
    }

    /// Expected tokens per microsecond, of all jobs of the pass, with rounds of `drafts`.
    package func tokensPerMicrosecond(drafts: Int) -> Double {
        let tokens = acceptance.tokens(draftsMax: drafts)
        return pacing == .stream && drafts > 0 ? streamRate(drafts, tokens) : rate(drafts, tokens)
    }

    /// Positions behind the committed text that may be drafted so that a round of `drafts` is there when its pass
    /// starts: in turns just these; PEARL's schedule adds its second window; the stream's covers a pass and the way.
    package func window(drafts: Int) -> Int {
        guard pacing == .stream else { return drafts }
        let window = DraftWindow(cap: drafts + 1, alpha: acceptance.alpha, cost: cost, others: others)
        return window.size(roundTripMicroseconds: roundTripMicroseconds, draftMicroseconds: draftMicroseconds)
    }

    /// Of a pass in which the job has `gamma` drafts.
    private func nodes(_ gamma: Int) -> Int { others + 1 + gamma * (peers + 1) }

    private func rate(_ gamma: Int, _ tokens: [Double]) -> Double {
        let plain = Double(others + 1) / cost.microseconds(nodes: others + 1)
        guard gamma > 0 else { return plain }
        let (shared, drafting) = (Double(others - peers), Double(gamma) * draftMicroseconds)
        func all(_ own: Double) -> Double { shared + Double(peers + 1) * own }
        switch pacing {
        case .turns:
            let pass = cost.microseconds(nodes: nodes(gamma))
            return all(tokens[gamma]) / (drafting + pass + roundTripMicroseconds)
        case .lockStep:
            // A window of one has nothing to post-verify.
            return gamma > 1 ? lockStepRate(gamma) : 0
        case .stream:
            return all(tokens[gamma]) / cost.microseconds(nodes: nodes(gamma))
        }
    }

    /// PEARL's, from one rejection to the next: a pre-verify, whose pass has no drafts of the job, and α/(1 − α^γ)
    /// post-verifies with γ nodes. ALGORITHMS 10.4 has all of these steps take as long as the last, which is so where
    /// passes cost the same whatever they hold; where they do not, its best γ is too short.
    private func lockStepRate(_ gamma: Int) -> Double {
        let alpha = acceptance.alpha
        let posts = alpha / (1 - Double.pow(alpha, gamma))
        let share = posts / (1 + posts)
        // The others that draft are in either step, each in its own.
        let beside = Double(others + 1) + Double(peers * (gamma - 1)) * share
        func step(_ drafts: Int) -> Double {
            let pass = cost.microseconds(nodes: Int(beside.rounded()) + drafts)
            return max(Double(gamma) * draftMicroseconds, pass) + roundTripMicroseconds
        }
        let tokens = Double(others - peers) * (1 + posts) + Double(peers + 1) / (1 - alpha)
        return tokens / (step(0) + posts * step(gamma - 1))
    }

    /// The stream's, with what follows a rejection: no draft stands then, and the next pass goes without, or waits for
    /// some (`DraftPatience`).
    private func streamRate(_ gamma: Int, _ tokens: [Double]) -> Double {
        let rejected = 1 - (tokens[gamma] - tokens[gamma - 1])
        let (full, bare) = (cost.microseconds(nodes: nodes(gamma)), cost.microseconds(nodes: others + 1))
        let (shared, drafting) = (Double(others - peers), Double(peers + 1))
        func all(_ own: Double, _ passes: Double) -> Double { shared * passes + drafting * own }
        let going = all(tokens[gamma] + rejected, 1 + rejected) / (full + rejected * bare)
        let wait = roundTripMicroseconds + Double(gamma) * draftMicroseconds
        // Only who is alone in his passes may let them wait.
        guard others == 0, wait <= DraftPatience.shareMax * bare else { return going }
        return max(going, tokens[gamma] / (full + rejected * wait))
    }
}
