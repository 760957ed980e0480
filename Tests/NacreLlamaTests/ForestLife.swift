import NacreCore

/// Jobs as a verifier has them, at random: trees and chains for several of them in one pass, side branches that win,
/// jobs that end, begin anew, or begin as another one did.
struct ForestLife {
    private struct Job {
        /// Prompt and output; the last is never cached before its pass.
        var tokens: [TokenID]
        var cursor: CacheCursor
        /// What was asked in the last pass.
        var cover: PathCover?
        var tree = DraftTree(root: 0)
    }

    private var random: TestRandom
    private var jobs: [Job]
    private let branches: [SequenceID]
    private let vocabulary: Int
    /// Tokens at which a job ends.
    private let lengthMax: Int
    private let nodesMax: Int
    /// What happened, so that a test can see that it did.
    private(set) var sideBranches = 0
    private(set) var forks = 0
    private(set) var ends = 0

    init(seed: UInt64, jobs: Int, branches: Int, vocabulary: Int, lengthMax: Int, nodesMax: Int) {
        random = TestRandom(seed: seed)
        self.vocabulary = vocabulary
        self.lengthMax = lengthMax
        self.nodesMax = nodesMax
        self.jobs = (0..<Int32(jobs)).map {
            Job(tokens: [], cursor: CacheCursor(sequence: SequenceID(rawValue: $0)))
        }
        self.branches = (Int32(jobs)..<Int32(jobs + branches)).map { SequenceID(rawValue: $0) }
        for index in self.jobs.indices { self.jobs[index].tokens = tokens(2...20) }
    }

    private mutating func tokens(_ counts: ClosedRange<Int>) -> [TokenID] {
        (0..<Int.random(in: counts, using: &random)).map { _ in
            TokenID(rawValue: UInt32.random(in: 0..<UInt32(vocabulary), using: &random))
        }
    }

    /// The next pass. It has to be run.
    mutating func pass() -> EnginePass {
        var pass = EnginePass()
        for index in jobs.indices { settle(index, &pass) }
        for index in jobs.indices where jobs[index].tokens.count > lengthMax || oneIn(20) { restart(index, &pass) }
        var free = branches
        var part: [[ForestNode]] = []
        for index in jobs.indices where !oneIn(4) { part.append(grow(index, &free, &pass)) }
        part.shuffle(using: &random)
        // A path must stand before what goes on from it: the jobs' parts are mixed, their own order stays.
        while !part.isEmpty {
            let next = Int.random(in: 0..<part.count, using: &random)
            pass.nodes.append(part[next].removeFirst())
            if part[next].isEmpty { part.remove(at: next) }
        }
        return pass
    }

    private mutating func oneIn(_ count: Int) -> Bool { Int.random(in: 0..<count, using: &random) == 0 }

    /// Any draft may have been accepted, or none.
    private mutating func settle(_ index: Int, _ pass: inout EnginePass) {
        guard let cover = jobs[index].cover else { return }
        jobs[index].cover = nil
        let node = oneIn(5) ? nil : cover.drafts.randomElement(using: &random)?.node
        let settlement = cover.settle(accepting: node)
        sideBranches += settlement.adoptions.count
        pass.adoptions += settlement.adoptions
        pass.edits += settlement.releases
        jobs[index].cursor.settle(settlement)
        jobs[index].tokens += jobs[index].tree.tokens(to: node) + tokens(1...1)
    }

    private mutating func restart(_ index: Int, _ pass: inout EnginePass) {
        ends += 1
        let sequence = jobs[index].cursor.sequence
        pass.edits.append(.release(sequence))
        jobs[index] = Job(tokens: tokens(2...20), cursor: CacheCursor(sequence: sequence))
        let others = jobs.indices.filter { $0 != index && jobs[$0].cursor.valid > 1 }
        guard !oneIn(3), let other = others.randomElement(using: &random) else { return }
        forks += 1
        let length = Int.random(in: 1...jobs[other].cursor.valid.rawValue, using: &random)
        pass.edits.append(
            .fork(jobs[other].cursor.sequence, to: sequence, length: Position(rawValue: length)))
        jobs[index].tokens = jobs[other].tokens.prefix(length) + tokens(1...6)
        jobs[index].cursor.advance(by: length)
    }

    private mutating func grow(_ index: Int, _ free: inout [SequenceID], _ pass: inout EnginePass) -> [ForestNode] {
        if let edit = jobs[index].cursor.rewindIfNeeded() { pass.edits.append(edit) }
        let job = jobs[index]
        var tree = DraftTree(root: Position(rawValue: job.tokens.count))
        var leaves = 1
        for _ in 0..<Int.random(in: 0...nodesMax, using: &random) {
            let parent = oneIn(4) ? nil : tree.indices.randomElement(using: &random)
            let token = tokens(1...1)[0]
            let children = Array(tree.children(of: parent))
            guard !children.contains(where: { tree[$0].token == token }) else { continue }
            if !children.isEmpty {
                guard leaves <= free.count else { continue }
                leaves += 1
            }
            tree.append(token, under: parent, probability: Double.random(in: 0...1, using: &random))
        }
        let cover = PathCover(
            tree, chosen: Array(tree.indices), lead: Array(job.tokens[job.cursor.valid.rawValue...]),
            at: job.cursor.valid, owner: job.cursor.sequence, branches: free)
        free.removeFirst(cover.branches.count)
        jobs[index].cover = cover
        jobs[index].tree = tree
        jobs[index].cursor.advance(by: cover.lead.count + cover.spine)
        return cover.nodes { position in
            ScoreRequest(
                key: StreamKey(rawValue: UInt64(index)), index: position.rawValue,
                policy: SamplingPolicy(temperature: 0.8, topK: 40))
        }
    }
}
