import ArgumentParser
import NacreAPI
import NacreClient
import NacreNode

struct TopCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "top", abstract: "Watch jobs, nodes and drafts while they run.",
        discussion: """
            Pairs: what is done about drafts and why, drafts verified per pass (now, and over the last samples), how
            many of them were accepted by their place in the round, and the share of the verifier's passes during
            which the drafter computed. Nodes: the share of time that an engine computed, and of a verifier's time
            with jobs the share in which it did nothing (bubble). "overlap not engaged" is said of a pair of stream or
            pearl whose drafter never computes during a pass, with the reason. q or Ctrl-C ends.

            In a pipe: lines of tab-separated values that begin with pair, node, job or warning; with --json one
            document per sample.

            Examples:
              nacre top
              nacre top --once --json
              nacre top --interval 5 > log.tsv
            """)

    @Flag(help: "Show one sample, taken over one interval, and end.")
    var once = false

    @Option(help: ArgumentHelp("Seconds from one sample to the next, 0.2 to 3600.", valueName: "seconds"))
    var interval = 1.0

    @OptionGroup var connection: ConnectionOptions

    func validate() throws {
        guard (0.2...3_600).contains(interval) else {
            throw ValidationError("--interval \(interval) is not between 0.2 and 3600 seconds")
        }
    }

    func run() async throws {
        let (terminal, json, once, interval) = (Terminal.standard(), connection.json, once, interval)
        try await connection.withCoordinator { coordinator in
            let isLive = terminal.isInteractive && !json && !once
            let keyboard = isLive ? Keyboard() : nil
            var history = ClusterHistory()
            history.add(try await coordinator.sample())
            if isLive { try terminal.clear() }
            while true {
                guard try await Self.pause(.seconds(interval), keyboard) else { return }
                history.add(try await coordinator.sample())
                guard let top = history.document else { continue }
                if json {
                    try terminal.write(json: top)
                } else if terminal.isInteractive {
                    let lines = TopText.lines(
                        top, of: "\(coordinator.address)", width: terminal.width,
                        height: once ? .max : terminal.height)
                    try terminal.redraw(lines, fromTop: isLive)
                } else {
                    for row in TopText.rows(top) {
                        try terminal.line(row.map(Table.escaped).joined(separator: "\t"))
                    }
                }
                if once { return }
            }
        }
    }

    /// Waits; returns false as soon as q is pressed.
    private static func pause(_ duration: Duration, _ keyboard: Keyboard?) async throws -> Bool {
        let end = ContinuousClock.now + duration
        while ContinuousClock.now < end {
            if keyboard?.key() == "q" { return false }
            try await Task.sleep(for: min(.milliseconds(100), end - .now))
        }
        return true
    }
}
