import Foundation
package import NacreAPI
import NacreHTTP
package import NacreNode

/// Typed calls to one coordinator over one connection.
///
/// ```swift
/// let coordinator = try await CoordinatorClient.connect(to: HostPort("127.0.0.1:7401"))
/// let job = try await coordinator.submit(JobRequest(prompt: "def main():"))
/// await coordinator.close()
/// ```
package struct CoordinatorClient: Sendable {
    package let address: HostPort
    private let http: HTTPClient

    /// The coordinator keeps the text of its jobs; the longest answers are lists of thousands of them.
    private static let documentBytesMax = 64 << 20

    /// - Throws: `NacreError` `.unreachable`, with the command that starts a coordinator.
    package static func connect(
        to address: HostPort, timeout: Duration = .seconds(5)
    ) async throws -> CoordinatorClient {
        do {
            let http = try await HTTPClient.connect(host: address.host, port: address.port, timeout: timeout)
            return CoordinatorClient(address: address, http: http)
        } catch let error as HTTPError {
            let finding = error.code == .unreachable ? "no coordinator answers at \(address)" : error.message
            throw NacreError(
                .unreachable, finding,
                remedy: "start one with `nacre up` or name another with --coordinator", cause: error)
        }
    }

    /// Connects, hands the client to `body` and closes the connection.
    package static func with<Result>(
        _ address: HostPort, _ body: (CoordinatorClient) async throws -> Result
    ) async throws -> Result {
        let client = try await connect(to: address)
        do {
            let result = try await body(client)
            await client.close()
            return result
        } catch {
            await client.close()
            throw error
        }
    }

    package func close() async { await http.close() }

    /// Submits a job that goes on without us.
    package func submit(_ request: JobRequest) async throws -> JobDocument {
        var request = request
        request.stream = nil
        return try await call("POST", "/v1/jobs", body: try JSON.encode(request))
    }

    /// Submits a job attached to this connection: it is cancelled when the events are no longer read.
    package func stream(_ request: JobRequest) async throws -> JobEvents {
        var request = request
        request.stream = true
        return JobEvents(try await send("POST", "/v1/jobs", body: try JSON.encode(request)).body, of: self)
    }

    /// The events of a job from its output token `after` on.
    package func events(of id: String, after: Int = 0) async throws -> JobEvents {
        JobEvents(try await send("GET", "/v1/jobs/\(Self.escaped(id))/events?after=\(after)").body, of: self)
    }

    package func jobs() async throws -> [JobSummary] {
        let list: JobListDocument = try await call("GET", "/v1/jobs")
        return list.jobs
    }

    package func job(_ id: String) async throws -> JobDocument { try await call("GET", "/v1/jobs/\(Self.escaped(id))") }

    /// What happened in a job's last attempt, in the format of Chrome's trace viewer, as bytes of JSON.
    package func trace(_ id: String) async throws -> [UInt8] {
        let answer = try await send("GET", "/v1/jobs/\(Self.escaped(id))/trace")
        return try await translating { try await answer.body.collect(max: Self.documentBytesMax) }
    }

    /// How the drafts of a job did that was recorded, as the lines of a `DecisionTrace`.
    package func recording(_ id: String) async throws -> [UInt8] {
        let answer = try await send("GET", "/v1/jobs/\(Self.escaped(id))/record")
        return try await translating { try await answer.body.collect(max: Self.documentBytesMax) }
    }

    package func cancel(_ id: String) async throws -> JobDocument {
        try await call("DELETE", "/v1/jobs/\(Self.escaped(id))")
    }

    package func nodes() async throws -> [NodeDocument] {
        let list: NodeListDocument = try await call("GET", "/v1/nodes")
        return list.nodes
    }

    package func policies() async throws -> PolicyListDocument { try await call("GET", "/v1/policies") }

    /// Changes a policy and returns what is set now.
    package func setPolicy(_ change: PolicyChange) async throws -> PolicyListDocument {
        try await call("PUT", "/v1/policies", body: try JSON.encode(change))
    }

    package func status() async throws -> StatusDocument { try await call("GET", "/v1/status") }

    /// The id of the one job that begins with `prefix`.
    ///
    /// - Throws: `NacreError` `.failed` if there is none or more than one.
    package func resolve(_ prefix: String) async throws -> String {
        let isWhole = prefix.count == 32
        if isWhole { return prefix.lowercased() }
        return try Self.resolve(prefix, among: try await jobs().map(\.id))
    }

    package static func resolve(_ prefix: String, among ids: [String]) throws(NacreError) -> String {
        let matches = ids.filter { $0.hasPrefix(prefix.lowercased()) }
        guard let id = matches.first, !prefix.isEmpty else {
            throw NacreError(.failed, "there is no job '\(prefix)'", remedy: "`nacre jobs` lists those there are")
        }
        guard matches.count == 1 else {
            throw NacreError(.failed, "\(matches.count) jobs begin with '\(prefix)'", remedy: "give more of the id")
        }
        return id
    }

    // MARK: exchanges

    private static func escaped(_ id: String) -> String {
        id.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
    }

    private func call<Document: Decodable>(
        _ method: String, _ path: String, body: [UInt8] = []
    ) async throws -> Document {
        let answer = try await send(method, path, body: body)
        let bytes = try await translating { try await answer.body.collect(max: Self.documentBytesMax) }
        do {
            return try JSON.decode(Document.self, from: bytes)
        } catch {
            throw NacreError(
                .failed, "\(address) answered with a document this version does not know",
                remedy: "compare `nacre --version` with `nacre status`", cause: error)
        }
    }

    private func send(_ method: String, _ path: String, body: [UInt8] = []) async throws -> HTTPResponse {
        let answer = try await translating {
            try await http.request(
                method: method, path: path, headers: body.isEmpty ? [:] : ["content-type": "application/json"],
                body: body)
        }
        guard !(200..<300).contains(answer.status) else { return answer }
        let bytes = try await translating { try await answer.body.collect(max: 1 << 20) }
        let document = try? JSON.decode(ErrorDocument.self, from: bytes)
        let message = document?.error ?? "\(address) answered with status \(answer.status)"
        // What the coordinator calls a bad request is what the person at the command line asked for.
        throw NacreError(answer.status == 400 ? .badUsage : .failed, message)
    }

    /// Turns a broken exchange into what it means for a command.
    func translating<Result>(_ exchange: () async throws -> Result) async throws -> Result {
        do {
            return try await exchange()
        } catch let error as HTTPError {
            switch error.code {
            case .unreachable, .notHTTP2, .goAway, .connectionClosed:
                throw NacreError(
                    .unreachable, "the coordinator at \(address) went away (\(error.message))",
                    remedy: "`nacre status` tells whether it is back", cause: error)
            case .addressInUse, .cannotListen, .streamReset, .protocolViolation, .tooLarge, .invalidMessage, .library:
                throw NacreError(.failed, "the exchange with \(address) failed: \(error)", cause: error)
            }
        }
    }
}
