import NacreAPI
import NacreCore
import NacreHTTP
import NacreProtocol

/// Follows one job and writes its event stream at the client's own pace: what is not yet sent waits in the job's
/// record, not in a queue.
struct JobEvents {
    let node: CoordinatorNode
    let job: JobID
    let writer: HTTPBodyWriter

    /// Most output tokens in one event.
    private static let tokensPerEvent = 256

    /// Writes events for output tokens from `start` on until the job is over.
    ///
    /// - Throws: what `HTTPBodyWriter` throws when the client is gone.
    func write(from start: Int, announce: Bool) async throws {
        let (follower, changes) = await node.follow(job)
        do {
            try await follow(changes, from: start, announce: announce)
            await node.unfollow(job, follower)
        } catch {
            await node.unfollow(job, follower)
            throw error
        }
    }

    private func follow(_ changes: AsyncStream<Void>, from start: Int, announce: Bool) async throws {
        var next = start
        guard let first = await node.record(job) else { return }
        if announce {
            try await write(
                "started",
                JobStarted(
                    id: job.description, method: first.specification.speculation.method.name,
                    lossy: first.specification.speculation.isLossy, seed: first.specification.seed))
        }
        var record = first
        var changes = changes.makeAsyncIterator()
        var isWoken = false
        while true {
            let before = next
            while next < record.output.count {
                let end = min(next + JobEvents.tokensPerEvent, record.output.count)
                try await write(record.output[next..<end], from: next)
                next = end
            }
            if record.isOver {
                if !record.tail.isEmpty { try await writeTail(record, at: next) }
                try await write("ended", JobDocument(record))
                return
            }
            // Woken for nothing: a comment shows the client that this end lives, and this end that the client does.
            if isWoken && next == before { try await writer.write(Array(":\n\n".utf8)) }
            isWoken = true
            guard await changes.next() != nil, let newer = await node.record(job) else { return }
            record = newer
        }
    }

    private func write(_ output: ArraySlice<OutputToken>, from start: Int) async throws {
        let text = output.reduce(into: [UInt8]()) { $0 += $1.text }
        let tokens = JobTokens(
            start: start, tokens: output.map(\.token.rawValue),
            margins: output.map { $0.margin.isFinite ? $0.margin : nil }, text: String(decoding: text, as: UTF8.self))
        try await write("tokens", tokens, id: String(start + output.count))
    }

    /// Text that was held back as the possible beginning of a stop string, and was none.
    private func writeTail(_ record: JobRecord, at end: Int) async throws {
        let tail = String(decoding: record.tail, as: UTF8.self)
        try await write("tokens", JobTokens(start: end, tokens: [], margins: [], text: tail), id: String(end))
    }

    private func write(_ name: String, _ document: some Encodable & Sendable, id: String? = nil) async throws {
        let data = String(decoding: try JSON.encode(document), as: UTF8.self)
        try await writer.write(ServerSentEvent(id: id, event: name, data: data).encoded)
    }
}
