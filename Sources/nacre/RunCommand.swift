import ArgumentParser
import NacreAPI
import NacreClient
import NacreNode

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run a job and stream its text as it is accepted.",
        discussion: """
            Only the text goes to stdout; Ctrl-C cancels the job. Of methods beam and dsbd the text comes at the end,
            with --n-best the further ones behind a line that says how likely each is.

            Examples:
              nacre run "def fibonacci(n):"
              nacre run --file prompt.txt --max-tokens 256 --stop '\\n\\n'
              echo -n "class Stack:" | nacre run - --temperature 0.8 --top-p 0.95 --seed 7
              nacre run "import os" --method pearl --gamma 6 --json
              nacre run "class Stack:" --tree 4,2,2,1
              nacre run "class Stack:" --tree best:16 --branches 8 --drafters 2 --helpers 1
              nacre run "class Stack:" --rule rejection --payload scalar --temperature 0.8
              nacre run "class Stack:" --method mtad --tau 0.3 --temperature 1    # lossy by design
              nacre run "class Stack:" --method beam --beams 4 --n-best 3 --temperature 1
              nacre run "class Stack:" --method dsbd --beams 4 --draft-beams 4 --gamma 3 --temperature 1
              nacre run "class Stack:" --record job.trace && nacre replay job.trace
            """)

    @OptionGroup var job: JobOptions
    @Flag(help: "Write the prompt before the answer.") var echo = false
    @Option(
        help: ArgumentHelp(
            "Record how drafts do, position by position, into this file, for `nacre replay` and `nacre simulate`.",
            valueName: "file"))
    var record: String?
    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        var request = try job.request()
        let record = try record.map { path in try OutputFile(path) }
        if record != nil { request.record = true }
        let (terminal, submitted) = (Terminal.standard(), request)
        let (echo, json) = (echo && !connection.json, connection.json)
        try await connection.withCoordinator { coordinator in
            if echo { try terminal.write(submitted.prompt) }
            var endsLine = false
            let finished = try await coordinator.run(submitted) { text in
                guard !json else { return }
                try terminal.write(text)
                endsLine = text.hasSuffix("\n")
            }
            if json {
                try terminal.write(json: finished.document)
            } else {
                try JobText.writeOtherAnswers(of: finished.document, to: terminal, &endsLine)
                if terminal.isInteractive && !endsLine { try terminal.write("\n") }
                if terminal.showsProgress { terminal.note(JobText.summary(of: finished.document)) }
            }
            // Behind the result, which is there whether or not this succeeds.
            if let record {
                try record.write(try await coordinator.recording(finished.document.id))
                if finished.document.statistics.judged == 0 {
                    terminal.note(
                        "no draft was compared, so that \(record.path) holds nothing to replay: record a method "
                            + "that drafts, with a drafter there (`nacre nodes`) and, where drafts rest, --gamma 4")
                }
            }
            if !json, finished.document.state == "cancelled" { throw NacreError(.failed, "the job was cancelled") }
        }
    }
}

struct SubmitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "submit", abstract: "Submit a job and print its id; it runs on without this command.",
        discussion: """
            Examples:
              nacre submit "def main():" --max-tokens 512
              nacre submit "def main():" --tree best
              id=$(nacre submit --file prompt.txt) && nacre wait $id
            """)

    @OptionGroup var job: JobOptions
    @Flag(help: "Record how drafts do; `nacre trace ID --decisions` writes it.") var record = false
    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        var request = try job.request()
        if record { request.record = true }
        let submitted = request
        let (terminal, json) = (Terminal.standard(), connection.json)
        try await connection.withCoordinator { coordinator in
            let document = try await coordinator.submit(submitted)
            if json { try terminal.write(json: document) } else { try terminal.line(document.id) }
        }
    }
}
