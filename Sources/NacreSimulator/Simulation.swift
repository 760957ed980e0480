/// One seed's run: all three machines and the real codec in a made-up world.
///
///     let run = Simulation.run(seed: 17)      // run.violation is nil, or says what went wrong and how to see it
package enum Simulation {
    package struct Run: Sendable {
        package let violation: Violation?
        package let tally: Tally
        /// Equal seeds give equal digests: of every event, its time and its content.
        package let digest: UInt64
        /// All events, one line each, if they were asked for.
        package let events: [String]
    }

    package static func run(seed: UInt64, isVerbose: Bool = false) -> Run {
        let world = World(Scenario(seed: seed), isVerbose: isVerbose)
        world.run()
        world.tally.seeds = 1
        return Run(
            violation: world.violation, tally: world.tally, digest: world.journal.digest,
            events: isVerbose ? world.journal.lines(world) : [])
    }
}
