package import NacreCore
package import NacreEngine
package import NacreWire

/// An engine in another process, behind the same protocol as one in this.
///
/// Its passes block like any engine's, so it belongs on the thread of an `EngineHost`. When the other process dies, or
/// says what makes no sense, the pass in flight and all later ones throw `.lost`.
package struct RemoteEngine: ~Copyable, Engine {
    /// What the other process has loaded.
    package let ready: EngineReady
    private let link: EngineLink
    private let whyLost: @Sendable () -> EngineError
    private var isLost = false

    package var shape: EngineShape { ready.shape }

    /// Has a model loaded; returns when it is, which may take as long as sending it to other hosts.
    ///
    /// - Parameter whyLost: what to throw when the other end is gone; called on this thread, may wait for the reason.
    /// - Throws: what the other process says, or `whyLost()`.
    package init(
        _ link: EngineLink, start: EngineStart, whyLost: @escaping @Sendable () -> EngineError
    ) throws(EngineError) {
        switch try Self.exchange(link, .start(start), whyLost) {
        case .ready(let ready): self.ready = ready
        case .refused(let error): throw error
        case .start, .pass, .scores: throw Self.nonsense("did not answer the start")
        }
        self.link = link
        self.whyLost = whyLost
    }

    /// Runs one pass there; see `Engine.run`.
    ///
    /// - Throws: as `Engine.run`, and `.lost`.
    package mutating func run(_ pass: EnginePass) throws(EngineError) -> [Score] {
        guard !isLost else { throw whyLost() }
        do throws(EngineError) {
            return try scores(of: pass)
        } catch {
            isLost = error.code == .lost
            throw error
        }
    }

    private func scores(of pass: EnginePass) throws(EngineError) -> [Score] {
        let requests = pass.nodes.compactMap(\.score)
        var answer = try Self.exchange(link, .pass(pass), whyLost)
        var scores: [Score] = []
        while true {
            switch answer {
            case .scores(let part):
                guard !part.isEmpty || requests.isEmpty, part.count <= requests.count - scores.count else {
                    throw Self.nonsense("gave \(part.count) scores where \(requests.count - scores.count) were due")
                }
                for (score, request) in zip(part, requests.dropFirst(scores.count)) {
                    guard score.answers(request, vocabularySize: shape.vocabularySize) else {
                        throw Self.nonsense("gave a score that was not asked for")
                    }
                }
                scores += part
            case .refused(let error): throw error
            case .start, .ready, .pass: throw Self.nonsense("did not answer a pass")
            }
            if scores.count == requests.count { return scores }
            answer = try Self.exchange(link, nil, whyLost)
        }
    }

    /// Sends a message, if there is one, and waits for the next.
    private static func exchange(
        _ link: EngineLink, _ message: EngineMessage?, _ whyLost: () -> EngineError
    ) throws(EngineError) -> EngineMessage {
        do throws(EngineLink.Fault) {
            if let message { try link.send(message) }
            return try link.receive()
        } catch {
            switch error {
            case .closed: throw whyLost()
            // Nothing was sent, and nothing is amiss there.
            case .wire(let fault) where fault.code == .unsendable: throw EngineError(.invalidPass, fault.message)
            case .wire(let fault): throw nonsense("cannot be understood: \(fault.message)")
            }
        }
    }

    private static func nonsense(_ what: String) -> EngineError {
        EngineError(.lost, "the target's engine \(what)", remedy: "report this; verifier and engine are one program")
    }
}

extension Score {
    /// Whether this is what `request` asked for, with tokens that exist.
    fileprivate func answers(_ request: ScoreRequest, vocabularySize: Int) -> Bool {
        func exists(_ token: TokenID) -> Bool { token.rawValue < vocabularySize }
        switch (self, request.kind) {
        case (.choice(let choice), .choice): return exists(choice.token)
        case (.candidates(let candidates), .candidates(let count)):
            return candidates.count <= count && candidates.allSatisfy { exists($0.token) }
        case (.measured(let measured), .measured(let count)):
            return measured.candidates.count <= count && measured.candidates.allSatisfy { exists($0.token) }
        case (.weights(let row), .weights(let entriesMax)):
            return row.entries.count <= entriesMax && row.entries.allSatisfy { exists($0.token) }
        case (.law(let law), .law): return law.probabilities.count == vocabularySize
        case (.likelihood(let likelihood), .likelihood(let tokens)):
            return exists(likelihood.choice.token) && likelihood.ofTokens.count == tokens.count
        default: return false
        }
    }
}
