extension JobRequest {
    /// Methods with several texts, of which the best is the answer, known at the end alone.
    package static let beamMethods = ["beam", "dsbd"]

    /// Whether it asks for one of them.
    package var usesBeams: Bool { method.map { Self.beamMethods.contains($0) } ?? false }
}
