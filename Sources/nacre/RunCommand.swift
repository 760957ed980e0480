import ArgumentParser
import NacreAPI
import NacreClient
import NacreNode

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run a job and stream its text as it is accepted.",
        discussion: """
            Only the text goes to stdout; Ctrl-C cancels the job.

            Examples:
              nacre run "def fibonacci(n):"
              nacre run --file prompt.txt --max-tokens 256 --stop '\\n\\n'
              echo -n "class Stack:" | nacre run - --temperature 0.8 --top-p 0.95 --seed 7
              nacre run "import os" --method pearl --gamma 6 --json
              nacre run "class Stack:" --tree 4,2,2,1
              nacre run "class Stack:" --tree best:16 --branches 8 --drafters 2 --helpers 1
              nacre run "class Stack:" --rule rejection --payload scalar --temperature 0.8
            """)

    @OptionGroup var job: JobOptions
    @Flag(help: "Write the prompt before the answer.") var echo = false
    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        let request = try job.request()
        let terminal = Terminal.standard()
        let (echo, json) = (echo && !connection.json, connection.json)
        try await connection.withCoordinator { coordinator in
            if echo { try terminal.write(request.prompt) }
            var endsLine = false
            let finished = try await coordinator.run(request) { text in
                guard !json else { return }
                try terminal.write(text)
                endsLine = text.hasSuffix("\n")
            }
            if json { return try terminal.write(json: finished.document) }
            if terminal.isInteractive && !endsLine { try terminal.write("\n") }
            if terminal.showsProgress { terminal.note(JobText.summary(of: finished.document)) }
            if finished.document.state == "cancelled" { throw NacreError(.failed, "the job was cancelled") }
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
    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        let request = try job.request()
        let (terminal, json) = (Terminal.standard(), connection.json)
        try await connection.withCoordinator { coordinator in
            let document = try await coordinator.submit(request)
            if json { try terminal.write(json: document) } else { try terminal.line(document.id) }
        }
    }
}
