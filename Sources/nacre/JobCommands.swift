import ArgumentParser
import NacreAPI
import NacreClient
import NacreNode

struct JobsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "jobs", abstract: "List the jobs.",
        discussion: """
            In a pipe: id, state, method, prompt tokens and output tokens, separated by tabs.

            Examples:
              nacre jobs
              nacre jobs | cut -f1,2
              nacre jobs --json
            """)

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        let (terminal, json) = (Terminal.standard(), connection.json)
        try await connection.withCoordinator { coordinator in
            let jobs = try await coordinator.jobs()
            if json { return try terminal.write(json: JobListDocument(jobs: jobs)) }
            var table = Table("id", "state", "method", "prompt", "output")
            for job in jobs {
                let id = terminal.isInteractive ? String(job.id.prefix(12)) : job.id
                table.add(id, job.state, job.method, "\(job.promptTokens)", "\(job.outputTokens)")
            }
            try table.write(to: terminal)
        }
    }
}

/// The job that a command is about.
struct JobName: ParsableArguments {
    @Argument(help: "The job's id, or as much of its beginning as tells it from the others.")
    var id: String
}

struct JobCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "job", abstract: "Show one job: its state, figures and text.",
        discussion: """
            Examples:
              nacre job 3fa2
              nacre job 3fa2 --json
            """)

    @OptionGroup var job: JobName
    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        let (terminal, json, prefix) = (Terminal.standard(), connection.json, job.id)
        try await connection.withCoordinator { coordinator in
            let document = try await coordinator.job(try await coordinator.resolve(prefix))
            if json { try terminal.write(json: document) } else { try JobText.write(document, to: terminal) }
        }
    }
}

struct CancelCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel", abstract: "Cancel a job; what it has put out stays.",
        discussion: """
            Prints the state in which the job ended.

            Example:
              nacre cancel 3fa2
            """)

    @OptionGroup var job: JobName
    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        let (terminal, json, prefix) = (Terminal.standard(), connection.json, job.id)
        try await connection.withCoordinator { coordinator in
            let id = try await coordinator.resolve(prefix)
            _ = try await coordinator.cancel(id)
            // The verifier that runs it has to hear of it first.
            let document = try await coordinator.end(of: id, within: .seconds(10))
            if json { try terminal.write(json: document) } else { try terminal.line(document.state) }
        }
    }
}

struct WaitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wait", abstract: "Wait for a job's end and print its text.",
        discussion: """
            Exit status 0 if the job was decoded to its end, 1 if it failed, was cancelled or took too long.

            Examples:
              nacre wait 3fa2
              nacre wait 3fa2 --timeout 60 --json
            """)

    @OptionGroup var job: JobName
    @Option(help: ArgumentHelp("Give up after this long; the job goes on.", valueName: "seconds"))
    var timeout: Double?
    @OptionGroup var connection: ConnectionOptions

    func validate() throws {
        if let timeout, !(timeout > 0 && timeout <= 1e9) {
            throw ValidationError("--timeout must be a number of seconds above 0.")
        }
    }

    func run() async throws {
        let (terminal, json, prefix) = (Terminal.standard(), connection.json, job.id)
        let limit = timeout.map { Duration.seconds($0) }
        try await connection.withCoordinator { coordinator in
            let id = try await coordinator.resolve(prefix)
            let document = try await coordinator.end(of: id, within: limit)
            if json {
                try terminal.write(json: document)
            } else {
                try terminal.write(document.text)
                var endsLine = document.text.hasSuffix("\n")
                try JobText.writeOtherAnswers(of: document, to: terminal, &endsLine)
                if terminal.isInteractive && !endsLine { try terminal.write("\n") }
                if terminal.showsProgress { terminal.note(JobText.summary(of: document)) }
            }
            switch document.state {
            case "failed": throw NacreError(.failed, "the job failed: \(document.error ?? "no reason given")")
            case "cancelled": throw NacreError(.failed, "the job was cancelled")
            default: break
            }
        }
    }
}
