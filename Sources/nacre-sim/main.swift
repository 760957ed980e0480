import ArgumentParser
import NacreSimulator

struct NacreSim: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nacre-sim",
        abstract: "Runs whole clusters of state machines in made-up worlds and checks that every law holds.",
        discussion: """
            nacre-sim --seeds 2000                     the first 2,000 worlds
            nacre-sim --first 17 --seeds 1 --verbose   one world, every event
            nacre-sim --until-failure                  until something breaks
            """)

    @Option(help: "How many seeds to run.") var seeds: UInt64 = 2_000
    @Option(help: "The first seed.") var first: UInt64 = 0
    @Flag(help: "Go on until a law is broken.") var untilFailure = false
    @Flag(help: "Print every event of each run.") var verbose = false
    @Flag(help: "Print the summary as JSON.") var json = false

    func run() throws {
        var campaign = Campaign()
        var seed = first
        while untilFailure || seed - first < seeds {
            if verbose { for event in Simulation.run(seed: seed, isVerbose: true).events { print(event) } }
            guard campaign.run(seed: seed) else { break }
            seed += 1
        }
        print(json ? campaign.json : campaign.summary)
        guard let violation = campaign.violation else { return }
        if !json { print(violation) }
        throw ExitCode(1)
    }
}

NacreSim.main()
