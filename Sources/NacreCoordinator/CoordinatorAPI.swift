import Foundation
import NacreAPI
import NacreCore
package import NacreHTTP
import NacreProtocol

/// The coordinator's HTTP API over its node. Paths and documents: docs/api.md.
package struct CoordinatorAPI: Sendable {
    private let node: CoordinatorNode
    private let version: String
    private let defaults: JobDefaults
    private let started = ContinuousClock.now

    /// - Parameter defaults: how jobs are decoded that say nothing about it.
    package init(node: CoordinatorNode, version: String, defaults: JobDefaults = JobDefaults()) {
        self.defaults = defaults
        self.node = node
        self.version = version
    }

    /// Answers one request. A client that goes away is not an error: there is no one left to tell.
    package func answer(_ request: HTTPRequest, _ responder: HTTPResponder) async {
        do {
            try await route(request, responder)
        } catch let refusal as JobIntake.Refusal {
            try? await send(ErrorDocument(error: refusal.message), status: refusal.status, responder)
        } catch is HTTPError {
        } catch is CancellationError {
        } catch {
            try? await send(ErrorDocument(error: "\(error)"), status: 500, responder)
        }
    }

    private func route(_ request: HTTPRequest, _ responder: HTTPResponder) async throws {
        let path = request.path.split(separator: "/").map(String.init)
        switch (request.method, path) {
        case ("POST", ["v1", "jobs"]): try await submit(request, responder)
        case ("GET", ["v1", "jobs"]):
            try await send(JobListDocument(jobs: await node.records.map(JobSummary.init)), responder)
        case ("GET", let path) where path.count == 3 && path.starts(with: ["v1", "jobs"]):
            try await send(JobDocument(await record(path[2])), responder)
        case ("DELETE", let path) where path.count == 3 && path.starts(with: ["v1", "jobs"]):
            let id = try await record(path[2]).id
            guard let record = await node.cancel(id) else { throw unknownJob(path[2]) }
            try await send(JobDocument(record), responder)
        case ("GET", let path) where path.count == 4 && path.starts(with: ["v1", "jobs"]) && path[3] == "events":
            try await follow(request, job: path[2], responder)
        case ("GET", let path) where path.count == 4 && path.starts(with: ["v1", "jobs"]) && path[3] == "trace":
            try await sendTrace(of: path[2], responder)
        case ("GET", let path) where path.count == 4 && path.starts(with: ["v1", "jobs"]) && path[3] == "record":
            try await sendRecording(of: path[2], responder)
        case ("GET", ["metrics"]): try await sendMetrics(responder)
        case ("GET", ["v1", "policies"]): try await send(await policies, responder)
        case ("PUT", ["v1", "policies"]):
            let change = try PolicyIntake.change(
                request.body, pairs: await node.pairs, listed: await node.policies.map(\.scope))
            await node.setPolicy(change.entry, for: change.scope)
            try await send(await policies, responder)
        case ("GET", ["v1", "nodes"]):
            let nodes = await node.nodes.map { NodeDocument($0.record, problem: $0.problem) }
            try await send(NodeListDocument(nodes: nodes), responder)
        case ("GET", ["v1", "status"]): try await send(await status, responder)
        case ("GET", ["healthz"]): try await send(["status": "alive"], responder)
        case ("GET", ["readyz"]):
            let isReady = await node.isReady
            try await send(["status": isReady ? "ready" : "no verifier yet"], status: isReady ? 200 : 503, responder)
        default:
            throw JobIntake.Refusal(
                status: 404, message: "there is no \(request.method) \(request.path): docs/api.md lists what there is")
        }
    }

    private func submit(_ request: HTTPRequest, _ responder: HTTPResponder) async throws {
        // A seed that JSON clients read as a double would not come back the same above 2^53.
        let accepted = try JobIntake.read(
            request.body, defaults: defaults, drawSeed: { UInt64.random(in: 0..<(1 << 53)) })
        guard let record = await node.submit(accepted.specification) else {
            let full = ErrorDocument(error: "\(Limits.jobsQueuedMax) jobs are waiting already: try again later")
            try await send(full, status: 429, headers: ["retry-after": "5"], responder)
            return
        }
        guard accepted.isAttached else {
            try await send(
                JobDocument(record), status: 201, headers: ["location": "/v1/jobs/\(record.id)"], responder)
            return
        }
        do {
            try await stream(record.id, from: 0, announce: true, responder)
        } catch {
            _ = await node.cancel(record.id)
            throw error
        }
    }

    private func sendTrace(of job: String, _ responder: HTTPResponder) async throws {
        let record = try await record(job)
        guard !record.trace.isEmpty else {
            let why = record.isOver ? "only the last 64 jobs keep their events" : "its events come when it ends"
            throw JobIntake.Refusal(status: 404, message: "there is no trace of job '\(job)': \(why)")
        }
        // The format's keys are its own: they are not turned into snake case.
        let body = Array(try JSONEncoder().encode(TraceDocument(record)))
        try await responder.send(status: 200, headers: ["content-type": "application/json"], body: body)
    }

    private func sendRecording(of job: String, _ responder: HTTPResponder) async throws {
        let record = try await record(job)
        guard record.specification.speculation.isRecorded else {
            throw JobIntake.Refusal(status: 404, message: "job '\(job)' was not recorded: submit it with record: true")
        }
        guard let trace = DecisionTrace(record) else {
            let why =
                record.isOver ? "its verifier died first, or 16 later jobs were recorded" : "it comes when the job ends"
            throw JobIntake.Refusal(status: 404, message: "there is no recording of job '\(job)': \(why)")
        }
        let body = try trace.lines(TraceLines()).map { $0 + "\n" }.joined()
        try await responder.send(
            status: 200, headers: ["content-type": "application/jsonl"], body: Array(body.utf8))
    }

    private func sendMetrics(_ responder: HTTPResponder) async throws {
        let metrics = await node.metrics
        let headers: HTTPFields = ["content-type": "text/plain; version=0.0.4"]
        try await responder.send(status: 200, headers: headers, body: Array(metrics.utf8))
    }

    private func follow(_ request: HTTPRequest, job: String, _ responder: HTTPResponder) async throws {
        let id = try await record(job).id
        let text = request.queryValue("after") ?? "0"
        guard let after = Int(text), after >= 0 else {
            throw JobIntake.Refusal(status: 400, message: "after must be a number of output tokens, not '\(text)'")
        }
        try await stream(id, from: after, announce: false, responder)
    }

    private func stream(_ id: JobID, from start: Int, announce: Bool, _ responder: HTTPResponder) async throws {
        let writer = try await responder.start(
            status: 200, headers: ["content-type": "text/event-stream", "cache-control": "no-store"])
        try await JobEvents(node: node, job: id, writer: writer).write(from: start, announce: announce)
        try await writer.finish()
    }

    private func record(_ text: String) async throws -> JobRecord {
        guard let id = JobID(text), let record = await node.record(id) else { throw unknownJob(text) }
        return record
    }

    private func unknownJob(_ text: String) -> JobIntake.Refusal {
        JobIntake.Refusal(status: 404, message: "there is no job '\(text)': GET /v1/jobs lists those there are")
    }

    private var policies: PolicyListDocument {
        get async {
            PolicyListDocument(
                policies: await node.policies.map { PolicyDocument($0.scope, $0.entry) },
                known: PolicySpecification.Name.allCases.map {
                    PolicyManualDocument(PolicySpecification($0).manual)
                } + [.auto])
        }
    }

    private var status: StatusDocument {
        get async {
            let nodes = await node.nodes
            let records = await node.records
            let uptime = started.duration(to: .now)
            return StatusDocument(
                version: version, uptimeSeconds: Double(uptime.components.seconds), ready: await node.isReady,
                verifiers: nodes.count { $0.record.isVerifier }, drafters: nodes.count { !$0.record.isVerifier },
                jobsOpen: records.count { !$0.isOver }, jobsFinished: records.count { $0.isOver },
                pairs: PairDocument.all(of: nodes.map(\.record)))
        }
    }

    private func send(
        _ document: some Encodable & Sendable, status: Int = 200, headers: HTTPFields = [:],
        _ responder: HTTPResponder
    ) async throws {
        var headers = headers
        headers.append("content-type", "application/json")
        try await responder.send(status: status, headers: headers, body: try JSON.encode(document))
    }
}
