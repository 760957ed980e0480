package import NacreAPI
package import NacreNode

/// Decodes prompts in many ways and holds each output against plain decoding, token by token.
///
/// Plain outputs of the first cluster are the reference on all of them; on every cluster the prompts are decoded
/// plainly again, alone and together, which is what the engine's noise is measured on.
package struct Comparison: Sendable {
    package static let plainMethod = "autoregressive"

    private let prompts: [String]
    private let template: JobRequest
    package private(set) var cells: [CheckCell] = []
    /// By temperature.
    private var references: [Double: PlainReference] = [:]

    /// - Parameter template: the settings of every job; prompt, temperature and what `CheckCell` has are replaced.
    package init(_ prompts: [String], template: JobRequest) {
        self.prompts = prompts
        self.template = template
    }

    /// Runs `cells` on the cluster that they are about.
    ///
    /// - Parameter progress: told how far it is.
    /// - Throws: as `CoordinatorClient.run`, but for jobs that fail: those are part of the result.
    package mutating func run(
        _ cells: [CheckCell], at coordinator: CoordinatorClient, progress: (String) -> Void
    ) async throws {
        for temperature in Set(cells.map(\.temperature)).sorted() {
            try await refer(temperature, at: coordinator, progress: progress)
        }
        for (number, cell) in cells.enumerated() {
            progress("\(number + 1) of \(cells.count): \(cell.name)")
            self.cells.append(try await run(cell, at: coordinator))
        }
    }

    private mutating func refer(
        _ temperature: Double, at coordinator: CoordinatorClient, progress: (String) -> Void
    ) async throws {
        var request = template
        request.temperature = temperature
        var reference: PlainReference
        if let known = references[temperature] {
            reference = known
            try await reference.measureAlone(at: coordinator, progress: progress)
        } else {
            reference = try await PlainReference(prompts, template: request, at: coordinator, progress: progress)
        }
        try await reference.measureTogether(at: coordinator, progress: progress)
        references[temperature] = reference
    }

    /// Every prompt at least once, `cell.jobs` at a time.
    private func run(_ cell: CheckCell, at coordinator: CoordinatorClient) async throws -> CheckCell {
        guard let reference = references[cell.temperature] else {
            preconditionFailure("no plain outputs at temperature \(cell.temperature)")
        }
        var cell = cell
        // Prompts are repeated where there are fewer of them than jobs at once.
        let numbers = (0..<max(cell.jobs, prompts.count)).map { $0 % prompts.count }
        do {
            for start in stride(from: 0, to: numbers.count, by: cell.jobs) {
                let together = numbers[start..<min(start + cell.jobs, numbers.count)]
                let requests = together.map { (number: $0, request: cell.request(from: reference.requests[$0])) }
                let finished = try await withThrowingTaskGroup(of: (Int, FinishedJob).self) { group in
                    for (number, request) in requests {
                        group.addTask { (number, try await coordinator.run(request)) }
                    }
                    var finished: [(Int, FinishedJob)] = []
                    for try await job in group { finished.append(job) }
                    return finished
                }
                for (number, job) in finished.sorted(by: { $0.0 < $1.0 }) {
                    cell.add(job, against: reference.plain[number], prompt: number)
                }
            }
        } catch let error as NacreError where error.code == .badUsage {
            cell.refusal = error.message
        } catch let error as NacreError where error.code == .failed {
            cell.failure = error.message
        }
        return cell
    }

    /// What was found, all of the noise being known.
    package var result: Result {
        let noises = references.mapValues(\.noise)
        return Result(
            cells: cells.map { cell in
                var cell = cell
                cell.settle(noises[cell.temperature] ?? Noise())
                return cell
            }, noises: noises)
    }
}

extension Comparison {
    /// What was found.
    package struct Result: Sendable {
        package var cells: [CheckCell]
        /// By temperature.
        package var noises: [Double: Noise]

        package init(cells: [CheckCell], noises: [Double: Noise]) {
            self.cells = cells
            self.noises = noises
        }

        package var tokens: Int { cells.reduce(0) { $0 + $1.tokens } }
        package var divergences: Int { cells.reduce(0) { $0 + $1.divergences.count } }
        package var isExact: Bool { cells.allSatisfy(\.exact) }
        package var unexplained: Int { cells.reduce(0) { $0 + $1.unexplained } }

        package func noise(of cell: CheckCell) -> Noise { noises[cell.temperature] ?? Noise() }

        /// Why the check failed; `nil` if it did not: every output is plain decoding's but for ties that rounding
        /// tipped.
        package var failure: NacreError? {
            if let failed = cells.first(where: { $0.failure != nil }), let failure = failed.failure {
                return NacreError(.failed, "a job of \(failed.name) failed: \(failure)")
            }
            if unexplained > 0 {
                return NacreError(
                    .failed, "\(unexplained) outputs differ from plain decoding's, beyond the engine's noise")
            }
            // A value that no combination can use is a mistake of whoever named it, not a passed check.
            for cell in cells {
                guard let refusal = cell.refusal else { continue }
                let used = cells.filter { $0.refusal == nil }
                if !used.contains(where: { $0.tree == cell.tree }) || !used.contains(where: { $0.rule == cell.rule })
                    || !used.contains(where: { $0.method == cell.method })
                    || !used.contains(where: { $0.branches == cell.branches })
                {
                    return NacreError(.badUsage, "nothing was checked with \(cell.name): \(refusal)")
                }
            }
            return nil
        }
    }
}

extension CheckCell {
    /// The job of this combination that is held against `plain`.
    fileprivate func request(from plain: JobRequest) -> JobRequest {
        var request = plain
        request.method = method
        request.rule = rule
        request.tree = tree
        request.branches = branches
        request.drafters = max(1, drafters)
        request.helpers = verifiers - 1
        return request
    }
}
