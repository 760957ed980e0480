import NacreCore

/// Everything that crosses a node link, checked and in Swift values. The wire form is in proto/; the numbers in the
/// comments are the frame types.
package enum Message: Sendable, Equatable {
    // Data plane: verifier ⇄ drafter. The verifier dials and chooses stream numbers.
    case draftOpen(DraftOpen)  // 1  verifier → drafter
    case draftReady(DraftReady)  // 2  drafter → verifier
    case draft(Draft)  // 3  drafter → verifier
    case verdict(Verdict)  // 4  verifier → drafter
    case streamPolicy(StreamPolicy)  // 5  verifier → drafter
    case draftClose(DraftClose)  // 6  both
    case rowRequest(RowRequest)  // 8  verifier → drafter
    case draftRow(DraftRow)  // 9  drafter → verifier
    case greeting(Greeting)  // 7  both, first on a data link
    // Data plane: verifier ⇄ verifier of the same target. The job's home dials and chooses stream numbers.
    case scoreOpen(ScoreOpen)  // 10 home → helper
    case scoreShard(ScoreShard)  // 11 home → helper
    case scores(Scores)  // 12 helper → home
    case scoreClose(ScoreClose)  // 13 both
    // Control plane: node ⇄ coordinator. The node dials.
    case hello(Hello)  // 20 node → coordinator, first on a control link
    case welcome(Welcome)  // 21
    case heartbeat(Heartbeat)  // 22
    case heartbeatAck(HeartbeatAck)  // 23
    case assignJob(AssignJob)  // 24
    case jobRefused(JobRefused)  // 25
    case commit(Commit)  // 26
    case jobEnded(JobEnded)  // 28
    case cancelJob(CancelJob)  // 29
    case hire(Hire)  // 30
    case offers(Offers)  // 31
    case jobPolicy(JobPolicy)  // 32 coordinator → verifier
    case vocabularyChunk(VocabularyChunk)  // 35 node → coordinator
    case tokenize(Tokenize)  // 36 coordinator → verifier
    case tokenized(Tokenized)  // 37
    case jobTrace(JobTrace)  // 38 verifier → coordinator
    case jobRecording(JobRecording)  // 39 verifier → coordinator
    // Either plane.
    case goodbye(Goodbye)  // 60
}
