/// What went wrong, in one line for the person at the command line, and what to do next.
///
/// ```swift
/// throw NacreError(.unreachable, "no coordinator at 127.0.0.1:7401", remedy: "start one with `nacre up`")
/// ```
package struct NacreError: Error, Sendable, CustomStringConvertible {
    /// The kind of failure, which is also the exit status of the process it ends.
    package struct Code: Sendable, Hashable {
        package let exitStatus: Int32

        private init(_ exitStatus: Int32) { self.exitStatus = exitStatus }

        /// The work was tried and did not succeed.
        package static let failed = Code(1)
        /// What was asked for makes no sense: a wrong flag, setting or file.
        package static let badUsage = Code(2)
        /// No coordinator answers.
        package static let unreachable = Code(3)
        /// The person stopped it.
        package static let interrupted = Code(130)
    }

    package let code: Code
    package let message: String
    /// The next thing to try; empty when there is none.
    package let remedy: String
    package let cause: (any Error)?

    package init(_ code: Code, _ message: String, remedy: String = "", cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.remedy = remedy
        self.cause = cause
    }

    /// "message; remedy", on as many lines as `message` has.
    package var description: String { remedy.isEmpty ? message : "\(message); \(remedy)" }
}
