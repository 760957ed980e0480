import Foundation
import NacreAPI
package import NacreNode

/// A cluster of real processes on this machine: one coordinator, verifiers and drafters.
///
/// ```swift
/// let cluster = try await Cluster.launch(plan, attachment: { _ in .attached { _ in } })
/// try await CoordinatorClient.with(cluster.http) { … }
/// await cluster.stop()
/// ```
package struct Cluster: Sendable {
    /// The coordinator first.
    package let children: [ChildProcess]
    package let control: HostPort
    package let http: HostPort

    // Large models take minutes to read from a slow disk.
    private static let readyMax = Duration.seconds(600)
    private static let pollEvery = Duration.milliseconds(10)
    private static let stopMax = Duration.seconds(5)

    /// Starts the processes and waits until all of them are registered and a job would be decoded. If that fails, or
    /// the task is cancelled, everything is stopped again.
    ///
    /// - Parameters:
    ///   - attachment: gives each process its attachment, by name.
    ///   - progress: told what is being waited for.
    /// - Throws: `.failed`, with the last words of the process that did not start.
    package static func launch(
        _ plan: ClusterPlan, attachment: (_ name: String) -> ChildProcess.Attachment,
        progress: (String) -> Void = { _ in }
    ) async throws -> Cluster {
        var children: [ChildProcess] = []
        func start(_ process: ClusterPlan.Process) throws -> ChildProcess {
            let attachment = attachment(process.name)
            var arguments = process.arguments
            if case .attached = attachment { arguments.append("--exit-with-stdin") }
            let child = try ChildProcess(
                process.name, executable: try plan.installation.executable(process.executable), arguments: arguments,
                attachment: attachment)
            children.append(child)
            return child
        }
        do {
            progress("starting the coordinator")
            let ready = try await readyLine(of: try start(plan.coordinator))
            guard let control = ready.addresses["control"], let http = ready.addresses["http"] else {
                throw NacreError(.failed, "the coordinator does not say where it listens")
            }
            let nodes = plan.nodes(control: control)
            for node in nodes { _ = try start(node) }
            progress("loading the models")
            let cluster = Cluster(children: children, control: control, http: http)
            do {
                try await cluster.waitUntilRegistered(nodes.map(\.name))
            } catch let error as NacreError where error.code == .unreachable {
                // Its connections close a moment before it can be reaped.
                guard await children[0].waitForEnd(within: .seconds(1)) else { throw error }
                throw lastWords(of: children[0])
            }
            return cluster
        } catch {
            let started = children
            await Interruption.shielding { await stop(started) }
            throw error
        }
    }

    /// Ends all processes, with force if they do not within five seconds. Runs to its end even if the task has been
    /// cancelled.
    package func stop() async {
        await Interruption.shielding { await Self.stop(children) }
    }

    /// Throws when a process ends: returns only by throwing.
    ///
    /// - Parameter onLoss: told of nodes that end; the cluster goes on without them.
    /// - Throws: `.failed` when the coordinator ends; `CancellationError`.
    package func watch(onLoss: (ChildProcess) -> Void) async throws -> Never {
        var living = children
        while true {
            for child in living where child.ending != nil {
                if child.pid == children.first?.pid { throw Self.lastWords(of: child) }
                onLoss(child)
                living.removeAll { $0.pid == child.pid }
            }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    // MARK: waiting

    private static func readyLine(of child: ChildProcess) async throws -> ReadyLine {
        let deadline = ContinuousClock.now + .seconds(30)
        while ContinuousClock.now < deadline {
            if let line = child.output.lazy.compactMap({ ReadyLine($0) }).first { return line }
            if child.ending != nil { throw lastWords(of: child) }
            try await Task.sleep(for: pollEvery)
        }
        throw NacreError(.failed, "\(child.name) did not become ready within 30 s")
    }

    private func waitUntilRegistered(_ names: [String]) async throws {
        try await CoordinatorClient.with(http) { coordinator in
            let deadline = ContinuousClock.now + Self.readyMax
            while ContinuousClock.now < deadline {
                if let dead = children.first(where: { $0.ending != nil }) { throw Self.lastWords(of: dead) }
                // In this order: once a target is known, every drafter registered by then has been held against it.
                let isReady = try await coordinator.status().ready
                let nodes = try await coordinator.nodes()
                // One with a problem is about to be refused, and ends with the reason.
                let usable = nodes.filter { $0.problem == nil }.map(\.name)
                if isReady, Set(names).isSubset(of: usable) { return }
                try await Task.sleep(for: Self.pollEvery)
            }
            throw NacreError(.failed, "the cluster did not become ready within \(Self.readyMax)")
        }
    }

    // A daemon's own complaint stands for itself; a crash is told with what came before it.
    private static func lastWords(of child: ChildProcess) -> NacreError {
        let lines = child.errors
        let complaint = lines.filter { $0.hasPrefix("nacre-") }.map { $0.drop { $0 != " " }.dropFirst() }
        if case .exited(let status) = child.ending, status != 0, !complaint.isEmpty {
            let code: NacreError.Code = status == NacreError.Code.badUsage.exitStatus ? .badUsage : .failed
            return NacreError(code, complaint.map { "\(child.name): \($0)" }.joined(separator: "\n"))
        }
        let how = child.ending.map { "\($0)" } ?? "running"
        return NacreError(.failed, (["\(child.name) ended (\(how))"] + lines.suffix(8)).joined(separator: "\n"))
    }

    // Nodes before their coordinator, so that none has to report its loss.
    private static func stop(_ children: [ChildProcess]) async {
        for group in [children.dropFirst(), children.prefix(1)] {
            for child in group { child.signal(SIGTERM) }
            let deadline = ContinuousClock.now + stopMax
            for child in group where !(await child.waitForEnd(within: deadline - .now)) { child.signal(SIGKILL) }
            for child in group { _ = await child.waitForEnd(within: .seconds(5)) }
        }
    }
}
