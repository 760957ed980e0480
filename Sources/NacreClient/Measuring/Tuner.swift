package import NacreAPI
package import NacreCore
import NacreNode

/// Looks for the fastest way to decode within a time, by successive halving, in alternation with plain decoding.
package struct Tuner: Sendable {
    package let variants: [DecodingVariant]
    package let prompts: [Prompt]
    /// Jobs at once.
    package let jobs: Int
    /// The settings of every job; its prompt and how it is decoded are replaced.
    package let template: JobRequest
    /// When it must be over.
    package let deadline: ContinuousClock.Instant

    /// Ways that are measured between two measurements of plain decoding, which is what they are held against: so near
    /// that the machine is still the same.
    private static let between = 6
    private static let warmingTokens = 16

    package init(
        _ variants: [DecodingVariant], prompts: [Prompt], jobs: Int, template: JobRequest,
        deadline: ContinuousClock.Instant
    ) {
        precondition(!variants.isEmpty && !prompts.isEmpty && jobs > 0, "nothing to tune")
        self.variants = variants
        self.prompts = prompts
        self.jobs = jobs
        self.template = template
        self.deadline = deadline
    }

    /// Decodes jobs at the same time.
    package typealias Measurement = @Sendable ([JobRequest]) async throws -> TimedJobs

    /// How far the search is.
    package struct State: Sendable {
        package var search: SuccessiveHalving
        /// Of each variant, tokens per second.
        package var rates: [[Double]]
        /// Of plain decoding.
        package var plain: [Double] = []
        package var outputs = 0
        package var differing = 0
        package var exact = true
        /// Variants that the coordinator refuses.
        package var refusals: [Int: String] = [:]
    }

    /// Searches until the budget is spent, or the best is clear.
    ///
    /// - Parameters:
    ///   - keep: given what is known after every sample, so that it is not lost if the task is cancelled.
    ///   - progress: told what is being measured.
    /// - Throws: as `CoordinatorClient.run`; `.failed` if there was no time to measure anything.
    package func run(
        at coordinator: CoordinatorClient, keep: (State) throws -> Void, progress: (String) -> Void
    ) async throws {
        try await run(by: { try await TimedJobs.run($0, at: coordinator) }, keep: keep, progress: progress)
    }

    /// The same, on whatever `measure` decodes with.
    package func run(
        by measure: @escaping Measurement, keep: (State) throws -> Void, progress: (String) -> Void
    ) async throws {
        progress("warming up")
        for method in [DecodingVariant.plain.method] + Set(variants.map(\.method)).sorted() {
            var request = DecodingVariant(method: method).request(template)
            request.prompt = prompts[0].text
            request.maxTokens = Self.warmingTokens
            guard try await timed([request], by: measure) != nil else { break }
        }
        let budget = max(0.001, ContinuousClock.now.duration(to: deadline) / .seconds(1))
        var state = State(
            search: SuccessiveHalving(arms: variants.count, budget: budget),
            rates: Array(repeating: [], count: variants.count))
        var turn = 0
        while let arms = state.search.next(), !state.search.isSure {
            let what = state.search.isFinal ? "finalists" : "round \(state.search.rounds.count + 1)"
            let search = state.search
            // What is known is kept after a part of a sample already: of many ways one sample takes long.
            try await sample(turn, arms, by: measure, into: &state) { state, ratios, seconds in
                state.search = search
                state.search.record(ratios, cost: seconds)
                try keep(state)
            } progress: {
                progress("\(what), \(arms.count) ways: \($0)")
            }
            turn += 1
            if ContinuousClock.now >= deadline { break }
        }
        guard state.outputs > 0 else {
            throw NacreError(
                .failed, "there was no time to measure anything", remedy: "give more --budget, or fewer --tokens")
        }
    }

    // MARK: - Measuring

    /// One sample of every arm, but those that there is no time for.
    ///
    /// - Parameter record: given the ratios to plain decoding so far and the seconds that they took, whenever there are
    ///   more.
    private func sample(
        _ turn: Int, _ arms: [Int], by measure: @escaping Measurement, into state: inout State,
        record: (inout State, [Int: Double], Double) throws -> Void, progress: (String) -> Void
    ) async throws {
        let texts = (0..<jobs).map { prompts[(turn * jobs + $0) % prompts.count].text }
        var (ratios, seconds) = ([Int: Double](), 0.0)
        // Another one first each time, and plain decoding at another place.
        let shift = turn % arms.count
        let order = Array(arms[shift...] + arms[..<shift])
        for start in stride(from: 0, to: order.count, by: Self.between) {
            var group: [Int?] = order[start..<min(start + Self.between, order.count)].map { $0 }
            group.insert(nil, at: (turn + start) % (group.count + 1))
            var taken: [Int?: TimedJobs] = [:]
            for arm in group where arm.map({ state.refusals[$0] == nil }) ?? true {
                let variant = arm.map { variants[$0] } ?? .plain
                progress("\(variant)")
                let requests = texts.map { text in
                    var request = variant.request(template)
                    request.prompt = text
                    return request
                }
                do {
                    guard let timed = try await timed(requests, by: measure) else { return }
                    taken[arm] = timed
                    seconds += timed.seconds
                } catch let error as NacreError where error.code == .badUsage {
                    guard let arm else { throw error }
                    state.refusals[arm] = error.message
                }
            }
            guard let plain = taken[nil] else { return }
            state.plain.append(plain.tokensPerSecond)
            for case (let arm?, let timed) in taken {
                ratios[arm] = timed.tokensPerSecond / plain.tokensPerSecond
                state.rates[arm].append(timed.tokensPerSecond)
                compare(timed, plain, &state)
            }
            try record(&state, ratios, seconds)
        }
    }

    private func compare(_ timed: TimedJobs, _ plain: TimedJobs, _ state: inout State) {
        for (job, other) in zip(timed.finished, plain.finished) {
            state.outputs += 1
            if job.document.tokens != other.document.tokens { state.differing += 1 }
            if !job.document.exact || !other.document.exact { state.exact = false }
        }
    }

    /// `nil` if the deadline came first; the jobs are cancelled then.
    private func timed(_ requests: [JobRequest], by measure: @escaping Measurement) async throws -> TimedJobs? {
        // Jobs that are fast enough would win against a deadline that is past.
        guard ContinuousClock.now < deadline else { return nil }
        return try await withThrowingTaskGroup(of: TimedJobs?.self) { group in
            defer { group.cancelAll() }
            group.addTask { try await measure(requests) }
            group.addTask {
                try await Task.sleep(until: deadline, clock: .continuous)
                return nil
            }
            return try await group.next() ?? nil
        }
    }
}
