import NacreCore
import NacreProtocol

/// The coordinator with verifiers on links 1, 2, ... and drafters from 10 on.
struct CoordinatorRig {
    var machine: CoordinatorMachine
    var now: Instant = 0
    var effects: [CoordinatorMachine.Effect] = []
    static let job = JobID(high: 0, low: 1)
    /// What was found of policies.
    private(set) var learnt: [KeptTuning.Key: KeptTuning] = [:]

    /// - Parameter tunings: what an earlier coordinator found of policies.
    init(tunings: [KeptTuning.Key: KeptTuning] = [:], alternates: Bool = true) {
        var configuration = CoordinatorMachine.Configuration(generation: 1)
        configuration.alternates = alternates
        configuration.tunings = tunings
        machine = CoordinatorMachine(configuration)
    }

    @discardableResult
    mutating func step(_ input: CoordinatorMachine.Input) -> [CoordinatorMachine.Effect] {
        effects = []
        machine.step(input, at: now, into: &effects)
        for case .learnt(let tuning) in effects { learnt[tuning.key] = tuning }
        return effects
    }

    mutating func join(
        _ link: LinkID, _ role: Role, name: String? = nil, vocabulary: UInt64 = 7, reportsVocabulary: Bool = true,
        sequences: Int = 1, model: UInt64 = 5, address: String? = nil, incarnation: Incarnation = 1,
        engine: String = "", isExact: Bool = true, context: Int = 64, place: ComputePlace = .unknown,
        passTimes: [PassTime] = [], disturbance: String = "", modelName: String = ""
    ) {
        step(.opened(link))
        let capacity = Capacity(sequences: sequences, context: context, nodesMax: 16)
        let hello = Hello(
            node: name ?? "n\(link)", incarnation: incarnation, role: role, wireMin: 1, wireMax: 1, modelDigest: model,
            vocabularyDigest: vocabulary, dataAddress: address ?? "a\(link)", capacity: capacity, modelName: modelName,
            engineVersion: engine, cores: "", place: place, passTimes: passTimes, isExact: isExact,
            disturbance: disturbance)
        step(.received(link, .hello(hello)))
        if reportsVocabulary { for part in 0..<3 { report(link, part, of: vocabulary) } }
    }

    /// A vocabulary of three pieces in three parts: a, b and the end; 8 has c in b's place, in 9 the end is a command.
    mutating func report(_ link: LinkID, _ part: Int, of vocabulary: UInt64 = 7) {
        let entry = VocabularyChunk.Entry(
            piece: Array(["a", vocabulary == 8 ? "c" : "b", "<end>"][part].utf8), endsGeneration: part == 2,
            isControl: vocabulary == 9 && part == 2)
        step(
            .received(
                link, .vocabularyChunk(VocabularyChunk(digest: vocabulary, total: 3, first: part, entries: [entry]))
            ))
    }

    mutating func submit(
        _ speculation: Speculation = Speculation(.stream), tokensMax: Int = 8, stops: [String] = [],
        job: JobID = CoordinatorRig.job, ignoresEnds: Bool = false
    ) {
        let specification = JobSpecification(
            prompt: [97], speculation: speculation, sampling: .greedy, seed: 1, tokensMax: tokensMax,
            stops: stops.map { Array($0.utf8) }, ignoresEnds: ignoresEnds)
        step(.submit(job, specification))
        for case .send(let link, .tokenize(let tokenize)) in effects {
            step(.received(link, .tokenized(Tokenized(request: tokenize.request, tokens: [0], error: ""))))
        }
    }

    mutating func commit(
        _ link: LinkID, _ attempt: Attempt, _ start: Position, _ tokens: [TokenID], job: JobID = CoordinatorRig.job
    ) {
        let margins = tokens.map { _ in Float(1) }
        step(
            .received(
                link,
                .commit(Commit(job: job, attempt: attempt, start: start, tokens: tokens, margins: margins))))
    }

    mutating func end(
        _ link: LinkID, _ attempt: Attempt, _ reason: EndReason, detail: String = "", answers: [BeamAnswer] = [],
        job: JobID = CoordinatorRig.job
    ) {
        var ended = JobEnded(
            job: job, attempt: attempt, length: 0, reason: reason, detail: detail, statistics: JobStatistics())
        ended.answers = answers
        step(.received(link, .jobEnded(ended)))
    }

    /// A drafter whose incarnation is its link's number.
    mutating func joinDrafter(_ link: Int) {
        join(
            LinkID(rawValue: link), .drafter, reportsVocabulary: false, incarnation: Incarnation(rawValue: UInt64(link))
        )
    }

    /// Verifier 1 lacks a drafter for its job; returns the addresses that it is offered.
    mutating func hire(lost: Incarnation...) -> [String] {
        step(.received(1, .hire(Hire(job: Self.job, attempt: 1, lost: lost))))
        return offers
    }

    /// The addresses that the last step offered.
    var offers: [String] {
        effects.flatMap { effect in
            if case .send(_, .offers(let offers)) = effect { offers.offers.map(\.address) } else { [String]() }
        }
    }

    mutating func wait(_ milliseconds: Int) {
        now = now + Instant.milliseconds(milliseconds)
        step(.tick)
    }

    var record: JobRecord? { machine.jobs[Self.job] }
    var output: [TokenID] { record?.output.map(\.token) ?? [] }
    /// Where the last step placed the job, and with what.
    var placed: (link: LinkID, assignment: AssignJob)? {
        for case .send(let link, .assignJob(let assignment)) in effects { return (link, assignment) }
        return nil
    }
}
