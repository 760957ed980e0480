package import NacreAPI
import NacreNode

/// Decodes prompts in several ways, in alternation, and takes the time.
///
/// A sample is so many prompts as there are jobs at once. Each sample is taken in every way before the next one begins,
/// and another way begins each time, so that a drift of the machine favours none; ratios are of one sample.
package struct Benchmark: Sendable {
    package let variants: [DecodingVariant]
    package let prompts: [Prompt]
    /// Numbers of jobs at once.
    package let jobs: [Int]
    package let repetitions: Int
    /// The settings of every job; its prompt and how it is decoded are replaced.
    package let template: JobRequest

    private static let warmingTokens = 16

    /// - Parameter variants: plain decoding, then those that are held against it.
    package init(
        _ variants: [DecodingVariant], prompts: [Prompt], jobs: [Int], repetitions: Int, template: JobRequest
    ) {
        precondition(variants.first?.isPlain ?? false, "plain decoding comes first")
        precondition(!prompts.isEmpty && !jobs.isEmpty && repetitions > 0, "nothing to measure")
        self.variants = variants
        self.prompts = prompts
        self.jobs = jobs
        self.repetitions = repetitions
        self.template = template
    }

    /// What was found.
    package struct Outcome: Sendable {
        package var cells: [BenchmarkCell] = []
        /// A job of each way to decode as it went, of the smallest number of jobs at once.
        package var timelines: [JobTimeline] = []
        /// Ways that the coordinator refuses, and why.
        package var refusals: [Refusal] = []

        package init() {}
    }

    /// What does not go together.
    package struct Refusal: Sendable, Codable, Equatable {
        package let name: String
        package let reason: String

        package init(name: String, reason: String) {
            self.name = name
            self.reason = reason
        }
    }

    /// Measures everything.
    ///
    /// - Parameter progress: told the share that is done and what is being measured.
    /// - Throws: as `CoordinatorClient.run`.
    package func run(
        at coordinator: CoordinatorClient, progress: (Double, String) -> Void
    ) async throws -> Outcome {
        var outcome = Outcome()
        progress(0, "warming up")
        var accepted: [DecodingVariant] = []
        for variant in variants {
            if let refusal = try await warm(variant, at: coordinator) {
                outcome.refusals.append(Refusal(name: variant.description, reason: refusal))
            } else {
                accepted.append(variant)
            }
        }
        let rounds = jobs.map { 1 + repetitions * groups(of: $0).count }.reduce(0, +)
        var (done, references) = (0, [Int: FinishedJob]())
        for atOnce in jobs {
            var tallies = accepted.map { BenchmarkTally($0, jobs: atOnce, temperature: template.temperature) }
            let groups = groups(of: atOnce)
            // The first sample of a load is the one that a cluster learns it by: shown by itself.
            for turn in -1..<repetitions * groups.count {
                let group = groups[max(0, turn) % groups.count]
                var taken: [Int: TimedJobs] = [:]
                for step in accepted.indices {
                    let index = (turn + 1 + step) % accepted.count
                    let share = (Double(done) + Double(step) / Double(accepted.count)) / Double(rounds)
                    progress(share, "\(accepted[index]), \(atOnce) job\(atOnce == 1 ? "" : "s")")
                    taken[index] = try await sample(accepted[index], group, at: coordinator)
                }
                if let plain = taken[0] {
                    for (prompt, job) in zip(group, plain.finished) where references[prompt] == nil {
                        references[prompt] = job
                    }
                }
                for (index, timed) in taken {
                    let plain = index == 0 ? nil : taken[0]?.tokensPerSecond
                    guard turn >= 0 else {
                        tallies[index].begin(rate: timed.tokensPerSecond, plain: plain)
                        continue
                    }
                    tallies[index].add(rate: timed.tokensPerSecond, plain: plain)
                    if accepted[index].helpers ?? 0 > 0 {
                        tallies[index].addHelp(try await help(to: timed.finished, at: coordinator))
                    }
                    for (prompt, job) in zip(group, timed.finished) {
                        guard let reference = references[prompt] else { continue }
                        tallies[index].add(job, against: reference, prompt: prompt)
                    }
                }
                done += 1
                guard atOnce == jobs[0], turn == groups.count * repetitions - 1 else { continue }
                outcome.timelines = try await timelines(taken, accepted, at: coordinator)
            }
            outcome.cells += tallies.map(\.cell)
        }
        return outcome
    }

    /// Why the coordinator refuses `variant`; `nil` if it does not.
    private func warm(_ variant: DecodingVariant, at coordinator: CoordinatorClient) async throws -> String? {
        var request = variant.request(template)
        request.prompt = prompts[0].text
        request.maxTokens = Self.warmingTokens
        do {
            _ = try await coordinator.run(request)
            return nil
        } catch let error as NacreError where error.code == .badUsage && !variant.isPlain {
            return error.message
        }
    }

    /// All prompts, so many at a time; from the first again where they do not suffice to fill the last group.
    func groups(of size: Int) -> [[Int]] {
        stride(from: 0, to: max(prompts.count, size), by: size).map { start in
            (start..<start + size).map { $0 % prompts.count }
        }
    }

    private func sample(
        _ variant: DecodingVariant, _ group: [Int], at coordinator: CoordinatorClient
    ) async throws -> TimedJobs {
        let requests = group.map { prompt in
            var request = variant.request(template)
            request.prompt = prompts[prompt].text
            return request
        }
        do {
            return try await TimedJobs.run(requests, at: coordinator)
        } catch let error as NacreError where error.code == .failed {
            throw NacreError(.failed, "\(variant): \(error.message)", remedy: error.remedy, cause: error)
        }
    }

    private func timelines(
        _ taken: [Int: TimedJobs], _ variants: [DecodingVariant], at coordinator: CoordinatorClient
    ) async throws -> [JobTimeline] {
        var timelines: [JobTimeline] = []
        // A pass of several texts does not say how many of its nodes are drafts.
        for (index, variant) in variants.enumerated() where !variant.drawsBeams {
            guard let job = taken[index]?.finished.first,
                let trace = try await trace(of: job, at: coordinator),
                let timeline = JobTimeline(trace, of: variant)
            else { continue }
            timelines.append(timeline)
        }
        return timelines
    }

    /// How often other verifiers scored for these jobs.
    private func help(to jobs: [FinishedJob], at coordinator: CoordinatorClient) async throws -> Int {
        var count = 0
        for job in jobs { count += try await trace(of: job, at: coordinator)?.helped ?? 0 }
        return count
    }

    /// `nil` for a job whose events are gone: the coordinator keeps those of its last jobs only.
    private func trace(of job: FinishedJob, at coordinator: CoordinatorClient) async throws -> TraceDocument? {
        do {
            return try JSON.decode(TraceDocument.self, from: try await coordinator.trace(job.document.id))
        } catch let error as NacreError where error.code == .failed {
            return nil
        }
    }
}
