internal import CNacreProto
import NacreCore
import NacreProtocol

// Draft-length policies travel as the text that people write.

extension FieldWriter {
    /// Nothing for the default: absent says so in fewer bytes.
    func policy(_ policy: PolicySpecification) -> UnsafeMutablePointer<CChar> {
        name(policy == .goodput ? "" : policy.description)
    }
}

extension FieldReader {
    func policy(_ text: UnsafeMutablePointer<CChar>?, _ field: StaticString) throws(WireError) -> PolicySpecification {
        let text = try name(text, field, mayBeEmpty: true)
        guard !text.isEmpty else { return .goodput }
        do throws(PolicyFault) {
            return try PolicySpecification(parsing: text)
        } catch {
            throw invalid(field, "is none: \(error.description)")
        }
    }
}

extension StreamPolicy {
    func pack(_ writer: borrowing FieldWriter) -> UnsafeMutableRawPointer {
        let wire = writer.make(nacre__stream_policy__init)
        wire.pointee.stream = stream.rawValue
        wire.pointee.policy = writer.policy(policy)
        return UnsafeMutableRawPointer(wire)
    }

    init(_ wire: Nacre__StreamPolicy, _ fields: FieldReader) throws(WireError) {
        self.init(stream: StreamID(rawValue: wire.stream), policy: try fields.policy(wire.policy, "policy"))
    }
}

extension JobPolicy {
    func pack(_ writer: borrowing FieldWriter) -> UnsafeMutableRawPointer {
        let wire = writer.make(nacre__job_policy__init)
        wire.pointee.job_hi = job.high
        wire.pointee.job_lo = job.low
        wire.pointee.attempt = attempt.rawValue
        wire.pointee.policy = writer.policy(policy)
        return UnsafeMutableRawPointer(wire)
    }

    init(_ wire: Nacre__JobPolicy, _ fields: FieldReader) throws(WireError) {
        self.init(
            job: JobID(high: wire.job_hi, low: wire.job_lo), attempt: try fields.attempt(wire.attempt),
            policy: try fields.policy(wire.policy, "policy"))
    }
}
