package import NacreProtocol

/// The kind of message a frame carries. The numbers are the contract of proto/; 27, 33 and 34 are kept for
/// messages to come.
package enum FrameType: UInt16, Sendable, CaseIterable {
    case draftOpen = 1
    case draftReady = 2
    case draft = 3
    case verdict = 4
    case streamPolicy = 5
    case draftClose = 6
    case greeting = 7
    case rowRequest = 8
    case draftRow = 9
    case scoreOpen = 10
    case scoreShard = 11
    case scores = 12
    case scoreClose = 13
    case hello = 20
    case welcome = 21
    case heartbeat = 22
    case heartbeatAck = 23
    case assignJob = 24
    case jobRefused = 25
    case commit = 26
    case jobEnded = 28
    case cancelJob = 29
    case hire = 30
    case offers = 31
    case jobPolicy = 32
    case vocabularyChunk = 35
    case tokenize = 36
    case tokenized = 37
    case jobTrace = 38
    case jobRecording = 39
    case goodbye = 60

    /// The frame type that carries `message`.
    package init(_ message: Message) {
        self =
            switch message {
            case .draftOpen: .draftOpen
            case .draftReady: .draftReady
            case .draft: .draft
            case .verdict: .verdict
            case .streamPolicy: .streamPolicy
            case .draftClose: .draftClose
            case .greeting: .greeting
            case .rowRequest: .rowRequest
            case .draftRow: .draftRow
            case .scoreOpen: .scoreOpen
            case .scoreShard: .scoreShard
            case .scores: .scores
            case .scoreClose: .scoreClose
            case .hello: .hello
            case .welcome: .welcome
            case .heartbeat: .heartbeat
            case .heartbeatAck: .heartbeatAck
            case .assignJob: .assignJob
            case .jobRefused: .jobRefused
            case .commit: .commit
            case .jobEnded: .jobEnded
            case .cancelJob: .cancelJob
            case .hire: .hire
            case .offers: .offers
            case .jobPolicy: .jobPolicy
            case .vocabularyChunk: .vocabularyChunk
            case .tokenize: .tokenize
            case .tokenized: .tokenized
            case .jobTrace: .jobTrace
            case .jobRecording: .jobRecording
            case .goodbye: .goodbye
            }
    }
}
