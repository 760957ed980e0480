package import NacreAPI
import NacreHTTP
import NacreNode

/// One event of a job's stream.
package enum JobEvent: Sendable, Equatable {
    case started(JobStarted)
    case tokens(JobTokens)
    /// The last event, also of a job that failed.
    case ended(JobDocument)
}

/// The events of one job as they come; read once, by one task. Dropping it ends an attached job.
package struct JobEvents: AsyncSequence, Sendable {
    package typealias Element = JobEvent

    private let body: HTTPBody
    private let client: CoordinatorClient

    init(_ body: HTTPBody, of client: CoordinatorClient) {
        self.body = body
        self.client = client
    }

    package func makeAsyncIterator() -> Iterator { Iterator(body: body.makeAsyncIterator(), client: client) }

    /// Reads the events in order.
    package struct Iterator: AsyncIteratorProtocol {
        fileprivate var body: HTTPBody.Iterator
        fileprivate let client: CoordinatorClient
        private var decoder = ServerSentEventDecoder(eventBytesMax: 16 << 20)
        private var waiting: [ServerSentEvent] = []
        private var hasEnded = false

        fileprivate init(body: HTTPBody.Iterator, client: CoordinatorClient) {
            self.body = body
            self.client = client
        }

        /// The next event; `nil` after `ended`.
        ///
        /// - Throws: `NacreError` `.unreachable` when the coordinator goes away before the job's end;
        ///   `CancellationError`.
        package mutating func next() async throws -> JobEvent? {
            while !hasEnded {
                while !waiting.isEmpty {
                    guard let event = try Self.decode(waiting.removeFirst()) else { continue }
                    if case .ended = event { hasEnded = true }
                    return event
                }
                guard let chunk = try await nextChunk() else {
                    throw NacreError(
                        .unreachable, "the coordinator at \(client.address) ended the stream before the job was over",
                        remedy: "`nacre status` tells whether it is back")
                }
                waiting = try decoder.decode(chunk)
            }
            return nil
        }

        private mutating func nextChunk() async throws -> [UInt8]? {
            var body = body
            defer { self.body = body }
            return try await client.translating { try await body.next() }
        }

        // Kinds of event that this version does not know are skipped.
        private static func decode(_ event: ServerSentEvent) throws -> JobEvent? {
            let data = Array(event.data.utf8)
            return switch event.event {
            case "started": .started(try JSON.decode(JobStarted.self, from: data))
            case "tokens": .tokens(try JSON.decode(JobTokens.self, from: data))
            case "ended": .ended(try JSON.decode(JobDocument.self, from: data))
            default: nil
            }
        }
    }
}

/// A finished job with the margins that only its events carry.
package struct FinishedJob: Sendable {
    package let document: JobDocument
    /// One per output token that was scored, in nats; `nil` where there was no second best.
    package let margins: [Float?]

    package init(document: JobDocument, margins: [Float?] = []) {
        self.document = document
        self.margins = margins
    }
}

extension CoordinatorClient {
    /// Runs an attached job to its end.
    ///
    /// - Parameter onText: called with each piece of text as it is committed.
    /// - Throws: `NacreError` `.failed` when the job fails; what `stream` throws.
    package func run(
        _ request: JobRequest, onText: (String) throws -> Void = { _ in }
    ) async throws -> FinishedJob {
        if request.usesBeams { return try await runWhole(request, onText: onText) }
        var margins: [Float?] = []
        for try await event in try await stream(request) {
            switch event {
            case .started: break
            case .tokens(let tokens):
                margins += tokens.margins
                if !tokens.text.isEmpty { try onText(tokens.text) }
            case .ended(let document):
                if document.state == "failed" {
                    throw NacreError(.failed, "the job failed: \(document.error ?? "no reason given")")
                }
                return FinishedJob(document: document, margins: margins)
            }
        }
        throw NacreError(.failed, "the job's stream ended without its end")
    }

    /// Runs a job that has no text before its end; it is cancelled if this task is.
    private func runWhole(_ request: JobRequest, onText: (String) throws -> Void) async throws -> FinishedJob {
        let id = try await submit(request).id
        do {
            let document = try await end(of: id, within: nil)
            if document.state == "failed" {
                throw NacreError(.failed, "the job failed: \(document.error ?? "no reason given")")
            }
            if !document.text.isEmpty { try onText(document.text) }
            return FinishedJob(document: document, margins: document.tokens.map { _ in nil })
        } catch {
            // In a task of its own, which no cancellation reaches; it is waited for here.
            _ = await Task { try? await cancel(id) }.value
            throw error
        }
    }

    /// Waits for the end of a job, whoever submitted it.
    ///
    /// - Throws: `NacreError` `.failed` if it is not over within `limit`.
    package func end(of id: String, within limit: Duration?) async throws -> JobDocument {
        try await withThrowingTaskGroup(of: JobDocument.self) { group in
            defer { group.cancelAll() }
            group.addTask {
                for try await event in try await events(of: id) {
                    if case .ended(let document) = event { return document }
                }
                return try await job(id)
            }
            if let limit {
                group.addTask {
                    try await Task.sleep(for: limit)
                    throw NacreError(.failed, "the job was not over in time", remedy: "`nacre wait` it again")
                }
            }
            guard let document = try await group.next() else { throw CancellationError() }
            return document
        }
    }
}
