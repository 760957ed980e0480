package import NacreAPI

/// What `nacre top` shows at one moment. Rates are over the time since the sample before.
package struct TopDocument: Codable, Sendable, Equatable {
    package struct Job: Codable, Sendable, Equatable {
        package var id: String
        package var state: String
        package var targetModel: String?
        package var draftModels: [String]
        package var method: String
        package var policy: String
        package var tree: String
        package var outputTokens: Int
        package var tokensPerSecond: Double
    }

    package struct Node: Codable, Sendable, Equatable {
        package var name: String
        package var role: String
        package var model: String
        package var cores: String
        package var shards: Int
        package var jobs: Int
        /// Share of the last heartbeat's time that its engine computed.
        package var busy: Double
        /// Share of the time with jobs in which no pass ran, though a job could have been decoded; absent for drafters
        /// and while nothing was to be decoded.
        package var bubble: Double?
        package var problem: String?
    }

    /// What a verifier says of a pair, and what the last samples add; one object in JSON.
    @dynamicMemberLookup
    package struct Pair: Codable, Sendable, Equatable {
        package var now: PairDocument
        /// Accepted of the judged drafts, the first of a round at index 0, over the last samples; since the start where
        /// these judged none.
        package var acceptanceByPosition: [Double?]
        /// Drafts verified per round, sample by sample, the youngest last; absent for samples without a round.
        package var draftLengths: [Double?]
        /// Share of its verifier's time in passes that the drafters computed in; absent where no pass ran.
        package var overlap: Double?
        /// Why `method` does not draft and verify at the same time, if it should and does not.
        package var warning: String?

        package subscript<Value>(dynamicMember member: KeyPath<PairDocument, Value>) -> Value { now[keyPath: member] }
    }

    package var seconds: Double
    package var ready: Bool
    package var uptimeSeconds: Double
    package var jobsOpen: Int
    package var jobsFinished: Int
    /// Of all jobs.
    package var tokensPerSecond: Double
    /// Whether jobs decode and none of them drafts, because drafts do not pay.
    package var allRest: Bool
    package var jobs: [Job]
    package var nodes: [Node]
    package var pairs: [Pair]
}

extension TopDocument.Pair {
    private enum CodingKeys: CodingKey { case acceptanceByPosition, draftLengths, overlap, warning }

    package init(from decoder: any Decoder) throws {
        let added = try decoder.container(keyedBy: CodingKeys.self)
        now = try PairDocument(from: decoder)
        acceptanceByPosition = try added.decode([Double?].self, forKey: .acceptanceByPosition)
        draftLengths = try added.decode([Double?].self, forKey: .draftLengths)
        overlap = try added.decodeIfPresent(Double.self, forKey: .overlap)
        warning = try added.decodeIfPresent(String.self, forKey: .warning)
    }

    package func encode(to encoder: any Encoder) throws {
        try now.encode(to: encoder)
        var added = encoder.container(keyedBy: CodingKeys.self)
        try added.encode(acceptanceByPosition, forKey: .acceptanceByPosition)
        try added.encode(draftLengths, forKey: .draftLengths)
        try added.encodeIfPresent(overlap, forKey: .overlap)
        try added.encodeIfPresent(warning, forKey: .warning)
    }
}

/// The last samples of a cluster, and what they come to.
package struct ClusterHistory: Sendable {
    private var samples: [ClusterSample] = []

    /// Samples for the draft length over time.
    private static let samplesMax = 60
    /// Samples that acceptance and overlap are taken over.
    private static let recentMax = 10

    package init() {}

    package mutating func add(_ sample: ClusterSample) {
        if samples.count > Self.samplesMax { samples.removeFirst() }
        forgetRestarted(sample)
        samples.append(sample)
    }

    /// Drops what older samples say of nodes and pairs whose sums begin anew: a verifier that was started again has the
    /// name of the one before, and nothing can be subtracted.
    private mutating func forgetRestarted(_ sample: ClusterSample) {
        for node in sample.nodes {
            let old = samples.lazy.reversed().compactMap { $0.nodes.first { $0.name == node.name } }.first
            guard let old, node.isBehind(old) else { continue }
            for place in samples.indices {
                samples[place].nodes.removeAll { $0.name == node.name }
                samples[place].status.pairs.removeAll { $0.verifier == node.name }
            }
        }
        for pair in sample.status.pairs {
            let old = samples.lazy.reversed().compactMap { $0.status.pairs.first { $0.isOf(pair) } }.first
            guard let old, pair.isBehind(old) else { continue }
            for place in samples.indices { samples[place].status.pairs.removeAll { $0.isOf(pair) } }
        }
    }

    /// The moment of the last sample; `nil` before there are two.
    package var document: TopDocument? {
        guard samples.count > 1, let now = samples.last else { return nil }
        let before = samples[samples.count - 2]
        let seconds = max(1e-6, (now.at - before.at) / .seconds(1))
        let old = Dictionary(before.jobs.map { ($0.id, $0.outputTokens) }) { $1 }
        func rate(_ job: JobSummary) -> Double {
            Double(max(0, job.outputTokens - (old[job.id] ?? 0))) / seconds
        }
        let pairs = now.status.pairs.map { pair($0) }
        let decoding = pairs.filter { $0.jobs > 0 && $0.state != "plain" }
        return TopDocument(
            seconds: seconds, ready: now.status.ready, uptimeSeconds: now.status.uptimeSeconds,
            jobsOpen: now.status.jobsOpen, jobsFinished: now.status.jobsFinished,
            tokensPerSecond: now.jobs.reduce(0) { $0 + rate($1) },
            allRest: !decoding.isEmpty && decoding.allSatisfy { $0.state == "resting" },
            jobs: now.jobs.filter { $0.state == "running" || $0.state == "queued" || rate($0) > 0 }.map { job in
                TopDocument.Job(
                    id: job.id, state: job.state, targetModel: job.targetModel, draftModels: job.draftModels,
                    method: job.method, policy: job.policy, tree: job.tree, outputTokens: job.outputTokens,
                    tokensPerSecond: rate(job))
            },
            nodes: now.nodes.map { node($0, before) }, pairs: pairs)
    }

    private func node(_ node: NodeDocument, _ before: ClusterSample) -> TopDocument.Node {
        var bubble: Double?
        if node.role == "verifier", let old = before.nodes.first(where: { $0.name == node.name }) {
            let waiting = max(0, node.waitingMicroseconds - old.waitingMicroseconds)
            // Counts are what a node says.
            let all = Double(waiting) + Double(max(0, node.passingMicroseconds - old.passingMicroseconds))
            if all > 0 { bubble = Double(waiting) / all }
        }
        return TopDocument.Node(
            name: node.name, role: node.role, model: ModelFileName.short(node.model), cores: node.cores,
            shards: node.shards, jobs: node.jobs, busy: node.busy, bubble: bubble, problem: node.problem)
    }

    private func pair(_ pair: PairDocument) -> TopDocument.Pair {
        let course = samples.map { sample in sample.status.pairs.first { $0.isOf(pair) } }
        let lengths: [Double?] = zip(course, course.dropFirst()).map { old, new in
            guard let new, new.rounds > (old?.rounds ?? 0) else { return nil }
            return Double(new.verified - (old?.verified ?? 0)) / Double(new.rounds - (old?.rounds ?? 0))
        }
        let start = samples.suffix(Self.recentMax + 1).first
        let recent = start?.status.pairs.first { $0.isOf(pair) }
        let (rounds, drafted) = (pair.rounds - (recent?.rounds ?? 0), pair.drafted - (recent?.drafted ?? 0))
        let overlap = overlap(of: pair, since: start, recent)
        return TopDocument.Pair(
            now: pair, acceptanceByPosition: Self.acceptance(pair, since: recent), draftLengths: lengths,
            overlap: overlap,
            warning: pair.jobs > 0 && rounds > 0 ? Self.warning(pair, overlap: overlap, drafted: drafted) : nil)
    }

    private static func acceptance(_ pair: PairDocument, since old: PairDocument?) -> [Double?] {
        func rise(_ new: [Int], _ old: [Int]?) -> [Int] {
            new.indices.map { place in
                guard let old, place < old.count else { return new[place] }
                return new[place] - old[place]
            }
        }
        var (judged, accepted) = (rise(pair.judgedAt, old?.judgedAt), rise(pair.acceptedAt, old?.acceptedAt))
        if judged.allSatisfy({ $0 == 0 }) { (judged, accepted) = (pair.judgedAt, pair.acceptedAt) }
        return zip(accepted, judged).map { $1 > 0 ? Double($0) / Double($1) : nil }
    }

    private func overlap(of pair: PairDocument, since start: ClusterSample?, _ old: PairDocument?) -> Double? {
        guard let now = samples.last?.nodes.first(where: { $0.name == pair.verifier }) else { return nil }
        let before = start?.nodes.first { $0.name == pair.verifier }
        let passing = now.passingMicroseconds - (before?.passingMicroseconds ?? 0)
        guard passing > 0 else { return nil }
        return min(1, Double(max(0, pair.overlapMicroseconds - (old?.overlapMicroseconds ?? 0))) / Double(passing))
    }

    /// Below this share of a verifier's time in passes drafting and verifying do not overlap.
    private static let engagedFrom = 0.01

    private static func warning(_ pair: PairDocument, overlap: Double?, drafted: Int) -> String? {
        guard pair.method == "stream" || pair.method == "pearl", let overlap, overlap < engagedFrom else { return nil }
        let why =
            switch pair.state {
            case "resting", "no drafter": pair.reason
            case _ where drafted <= 0: "no drafts came: look at the drafter's log"
            default: "drafts are computed while no pass runs, so they come late: look at the drafter's cores"
            }
        return "overlap not engaged: \(why)"
    }
}

/// Models as people call them.
enum ModelFileName {
    /// The file's name, without what stands in parentheses behind it.
    static func short(_ model: String) -> String { model.split(separator: " (").first.map(String.init) ?? model }
}
