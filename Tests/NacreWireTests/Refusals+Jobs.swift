import NacreProtocol
import NacreWire

extension Refusal {
    static let jobs: [Refusal] = [
        Refusal(.assignJob, "attempt", "is 0") { $0.number(14, 4) },
        Refusal(.assignJob, "method", "is missing") { $0.number(3, 1) },
        Refusal(.assignJob, "beams", "are none") { payload in
            payload.assignJob()
            payload.part(40) { $0.number(5, 1) }
        },
        Refusal(.assignJob, "beams", "have a threshold above 1") { payload in
            payload.assignJob()
            payload.part(40) { beams in
                beams.number(1, 1)
                beams.number(5, 1)
                beams.number(3, 1)
                beams.double(2, 1.5)
            }
        },
        Refusal(.assignJob, "beams.widthMin", "is that of a fixed width") { payload in
            payload.assignJob()
            payload.part(40) { beams in
                beams.number(1, 1)
                beams.number(5, 1)
                beams.number(3, 1)
            }
        },
        Refusal(.assignJob, "beams.survivor", "is unknown") { payload in
            payload.assignJob()
            payload.part(40) { beams in
                beams.number(1, 1)
                beams.number(5, 1)
                beams.number(4, 3)
            }
        },
        Refusal(.assignJob, "ignoreEnds", "is set of a method with beams") { payload in
            payload.assignJob()
            payload.number(14, 6)
            payload.number(44, 1)
        },
        Refusal(.assignJob, "gamma", "is too large") { payload in
            payload.assignJob()
            payload.number(15, 33)
        },
        Refusal(.assignJob, "sampling", "is missing") { payload in
            payload.number(3, 1)
            payload.number(14, 4)
        },
        Refusal(.assignJob, "lengthMax", "is beyond the longest job") { payload in
            payload.assignJob()
            payload.number(16, 65_537)
        },
        Refusal(.assignJob, "promptLength", "is beyond the longest prompt") { payload in
            payload.assignJob()
            payload.number(9, 65_536)
            payload.number(8, 32_769)
        },
        Refusal(.assignJob, "contextTotal", "is beyond the longest job") { payload in
            payload.assignJob()
            payload.number(9, 65_537)
        },
        Refusal(.assignJob, "contextTotal", "is beyond lengthMax") { payload in
            payload.assignJob()
            payload.number(9, 101)
        },
        Refusal(.assignJob, "contextOffset", "is beyond Int32") { payload in
            payload.assignJob()
            payload.number(10, beyondInt32)
        },
        Refusal(.assignJob, "context", "ends beyond its total") { payload in
            payload.assignJob()
            payload.numbers(11, [1])
        },
        Refusal(.assignJob, "offers", "are too many") { payload in
            payload.assignJob()
            for _ in 0...Limits.offersMax { payload.part(12) { $0.text(1, "a:1") } }
        },
        Refusal(.assignJob, "offers.address", "is empty") { payload in
            payload.assignJob()
            payload.part(12) { _ in }
        },
        Refusal(.assignJob, "policy", "is unknown") { payload in
            payload.assignJob()
            payload.text(25, "fastest")
        },
        Refusal(.jobPolicy, "policy", "is out of range") { payload in
            payload.number(3, 1)
            payload.text(4, "fixed:gamma=1000")
        },
        Refusal(.assignJob, "rule", "is unknown") { payload in
            payload.assignJob()
            payload.number(4, 3)
        },
        Refusal(.assignJob, "payload", "is unknown") { payload in
            payload.assignJob()
            payload.number(21, 2)
        },
        Refusal(.assignJob, "siblings", "are unknown") { payload in
            payload.assignJob()
            payload.number(23, 2)
        },
        Refusal(.assignJob, "merge", "is too large") { payload in
            payload.assignJob()
            payload.number(24, 17)
        },
        Refusal(.assignJob, "tau", "is above 1") { payload in
            payload.assignJob()
            payload.double(30, 1.5)
        },
        Refusal(.assignJob, "tau", "is below 0") { payload in
            payload.assignJob()
            payload.double(30, -0.5)
        },
        Refusal(.assignJob, "shape.widths", "make too many nodes") { payload in
            payload.assignJob()
            payload.part(17) { $0.numbers(1, [257]) }
        },
        Refusal(.assignJob, "branches", "are too many") { payload in
            payload.assignJob()
            payload.number(18, 257)
        },
        Refusal(.assignJob, "drafters", "are too many") { payload in
            payload.assignJob()
            payload.number(19, 17)
        },
        Refusal(.assignJob, "helperCount", "is too large") { payload in
            payload.assignJob()
            payload.number(20, 17)
        },
        Refusal(.assignJob, "helpers", "are too many") { payload in
            payload.assignJob()
            for _ in 0...Limits.offersMax { payload.part(22) { $0.text(1, "a:1") } }
        },
        // pearl and branches
        Refusal(.assignJob, "speculation", "does not go together") { payload in
            payload.assignJob()
            payload.number(14, 3)
            payload.number(18, 1)
        },
        Refusal(.offers, "offers.address", "has a control character") { payload in
            payload.number(4, 1)
            payload.part(3) { $0.text(1, "a\t") }
        },
        Refusal(.offers, "attempt", "is 0") { _ in },
        Refusal(.jobRefused, "attempt", "is 0") { _ in },
        Refusal(.jobRefused, "reason", "is missing") { $0.number(3, 1) },
        Refusal(.commit, "attempt", "is 0") { _ in },
        Refusal(.commit, "start", "is beyond Int32") { payload in
            payload.number(3, 1)
            payload.number(4, beyondInt32)
        },
        Refusal(.commit, "margins", "are fewer than the tokens") { payload in
            payload.number(3, 1)
            payload.numbers(5, [1])
        },
        Refusal(.commit, "margins", "are NaN") { payload in
            payload.number(3, 1)
            payload.numbers(5, [1])
            payload.float(9, .nan)
        },
        Refusal(.commit, "margins", "are negative") { payload in
            payload.number(3, 1)
            payload.numbers(5, [1])
            payload.float(9, -1)
        },
        Refusal(.commit, "tokens", "lie beyond the last position") { payload in
            payload.number(3, 1)
            payload.number(4, beyondInt32 - 1)
            payload.numbers(5, [1])
            payload.float(9, 1)
        },
        Refusal(.jobEnded, "attempt", "is 0") { _ in },
        Refusal(.jobEnded, "length", "is beyond Int32") { payload in
            payload.number(3, 1)
            payload.number(4, beyondInt32)
        },
        Refusal(.jobEnded, "reason", "is unknown") { payload in
            payload.number(3, 1)
            payload.number(5, 7)
        },
        Refusal(.jobEnded, "answers", "have no tokens") { payload in
            payload.ended { _ in }
            payload.part(30) { $0.number(4, 1) }
        },
        Refusal(.jobEnded, "answers", "are likelier than sure") { payload in
            payload.ended { _ in }
            payload.part(30) { answer in
                answer.numbers(1, [1])
                answer.double(2, 0.5)
                answer.number(4, 1)
            }
        },
        Refusal(.jobEnded, "answers", "are too many") { payload in
            payload.ended { _ in }
            for _ in 0...BeamSettings.answersMax { payload.part(30) { _ in } }
        },
        Refusal(.jobEnded, "detail", "is not UTF-8") { payload in
            payload.number(3, 1)
            payload.number(5, 1)
            payload.data(6, [0xED, 0xA0, 0x80])
        },
        Refusal(.jobEnded, "statistics", "are missing") { payload in
            payload.number(3, 1)
            payload.number(5, 1)
        },
        Refusal(.jobEnded, "statistics.judgedAt", "is longer than what was accepted") { payload in
            payload.ended { $0.numbers(14, [1]) }
        },
        Refusal(.jobEnded, "statistics.judgedAt", "has too many depths") { payload in
            payload.ended { part in
                part.numbers(14, [UInt64](repeating: 1, count: JobStatistics.positionsMax + 1))
                part.numbers(15, [UInt64](repeating: 1, count: JobStatistics.positionsMax + 1))
            }
        },
        Refusal(.jobEnded, "statistics.logLikelihood", "is above 0") { payload in
            payload.ended { $0.double(21, 0.5) }
        },
        Refusal(.cancelJob, "attempt", "is 0") { _ in },
        Refusal(.hire, "attempt", "is 0") { _ in },
        Refusal(.jobRecording, "agreement", "means nothing") { $0.recording([3], [0], measures: 1) },
        Refusal(.jobRecording, "agreement", "has no time") { $0.recording([1], [], measures: 1) },
        Refusal(.jobRecording, "entropy", "is missing") { $0.recording([1], [0], measures: 0) },
        Refusal(.jobRecording, "entropy", "is more") { $0.recording([1], [0], measures: 2) },
        Refusal(.jobRecording, "agreement", "is of too many positions") { payload in
            let many = [UInt64](repeating: 0, count: JobRecording.positionsMax + 1)
            payload.recording(many, many, measures: 0)
        },
        Refusal(.jobRecording, "entropy", "comes with a probability above 1") { payload in
            payload.recording([1], [0], measures: 0)
            for field in 10...13 as ClosedRange<UInt64> { payload.floats(field, [1.5]) }
        },
        Refusal(.jobRecording, "nodes", "has no time") { payload in
            payload.recording([], [], measures: 0)
            payload.numbers(4, [1])
        },
        Refusal(.jobRecording, "nodes", "takes no time") { payload in
            payload.recording([], [], measures: 0)
            payload.numbers(4, [1])
            payload.floats(5, [0])
        },
        Refusal(.jobRecording, "draftMicroseconds", "is below 0") { payload in
            payload.recording([], [], measures: 0)
            payload.float(6, -1)
        },
        Refusal(.jobRecording, "attempt", "is 0") { _ in },
    ]
}

extension RawPayload {
    fileprivate mutating func recording(_ agreement: [UInt64], _ delays: [UInt64], measures: Int) {
        number(3, 1)
        numbers(8, agreement)
        numbers(9, delays)
        for field in 10...13 as ClosedRange<UInt64> { floats(field, Array(repeating: 0.5, count: measures)) }
    }

    fileprivate mutating func ended(statistics build: (inout RawPayload) -> Void) {
        number(3, 1)
        number(5, 1)
        part(7, build)
    }
}
