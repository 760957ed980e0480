import Foundation
import NacreAPI
import NacreClient
import NacreNode
import Testing

/// What people get wrong: one line on stderr that says what to do, the right exit status, and nothing else dies.
@Suite(.serialized) struct BadInputTests {
    /// Checks that a command ended with `status` and one line that says all of `words`.
    private static func expect(
        _ status: Int32, _ words: [String], of result: CommandResult,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let isRight = result.status == status && result.complaints.count == 1 && result.output.isEmpty
        #expect(
            isRight && words.allSatisfy { result.errors.contains($0) },
            "status \(result.status), \(result.errors)", sourceLocation: sourceLocation)
    }

    @Test("a model that is missing, cut short or none ends a daemon with what is wrong with it")
    func models() async throws {
        try await PatchedModel.withFolder { folder in
            let text = "\(folder)/text.gguf"
            try Data("not a model\n".utf8).write(to: URL(filePath: text))
            let cases: [(model: String, words: [String])] = [
                ("\(folder)/none.gguf", ["no such file", "check the path"]),
                (folder, ["is a directory", "name the .gguf file"]),
                (text, ["is not a GGUF file", "looks like text"]),
                (try PatchedModel.truncated(to: 0, Jobs.draft, in: folder), ["is empty", "download it again"]),
                (try PatchedModel.truncated(to: 20, Jobs.draft, in: folder), ["cut short", "download it again"]),
                (try PatchedModel.truncated(to: 40_000, Jobs.draft, in: folder), ["cut short", "download it again"]),
                (try PatchedModel.truncated(to: 900_000, Jobs.draft, in: folder), ["has 900000 of", "bytes"]),
            ]
            for (model, words) in cases {
                for daemon in ["nacre-verifier", "nacre-drafter"] {
                    let result = try await Command.run(daemon, ["--model", model, "--coordinator", "127.0.0.1:9"])
                    Self.expect(1, ["\(daemon): ", model] + words, of: result)
                }
            }
            for (flag, model, words) in [
                ("--target", cases[0].model, ["there is no model file", "check --target"]),
                ("--draft", text, ["is not a GGUF file", "check --draft"]),
            ] {
                Self.expect(2, words, of: try await Self.up(folder, flag, model))
            }
            Self.expect(
                1, ["nacre: drafter-1: ", "900000 of"], of: try await Self.up(folder, "--draft", cases[6].model))
        }
    }

    @Test("a drafter of another vocabulary without a bridge is refused with the overlap, and hurts no job")
    func vocabularies() async throws {
        try await PatchedModel.withFolder { folder in
            let other = try PatchedModel.renaming("self", to: "selv", Jobs.draft, in: folder)
            let words = [
                "4095 of the target's 4096 tokens", "use a draft model with the target's tokenizer",
                "--target-vocabulary",
            ]
            try await TestCluster.with(drafters: 0) { cluster in
                let arguments = ["--model", other, "--coordinator", "\(cluster.control)"]
                let stranger = try await Command.run("nacre-drafter", arguments)
                #expect(stranger.status == 1 && words.allSatisfy { stranger.complaints.last?.contains($0) == true })
                let job = try await cluster.withClient { try await $0.run(Jobs.endless(40)).document }
                let plain = try await cluster.withClient { try await $0.run(Jobs.endless(40, method: Jobs.plain)) }
                #expect(job.tokens == plain.document.tokens && job.statistics.drafted == 0)
                #expect(cluster.casualties == [])
            }
        }
    }

    @Test("a prompt longer than the context fails with both numbers, and the next job works")
    func longPrompt() async throws {
        try await TestCluster.with(verifiers: 0, drafters: 0) { cluster in
            try cluster.startVerifier("verifier-1", arguments: ["--context", "64"])
            try await cluster.until("the verifier is there") { try await $0.status().ready }
            let prompt = String(repeating: "import os\n", count: 200)
            let result = try await cluster.nacre("run", "-", input: prompt)
            let words = [
                "the prompt has ", " tokens and the target's context holds 64: shorten it, or start verifiers",
            ]
            Self.expect(1, words, of: result)
            let jobs = try await cluster.withClient { try await $0.jobs() }
            #expect(jobs.map(\.state) == ["failed"])
            let empty = try await cluster.nacre("run", "-", "--max-tokens", "4", input: "")
            #expect(empty.status == 0 || empty.complaints.count == 1, "\(empty)")
            #expect(try await cluster.nacre("run", "import os", "--max-tokens", "4").status == 0)
        }
    }

    @Test("unknown flags, settings and commands are bad usage, and the nearest one is named")
    func unknownNames() async throws {
        try await PatchedModel.withFolder { folder in
            let settings = "\(folder)/nacre.yaml"
            try Data("log-level: notice\ntreads: 4\nhtp: 127.0.0.1:0\n".utf8).write(to: URL(filePath: settings))
            let flag = ["nacre-verifier", "nacre-drafter"].map { ($0, ["--modle", "x"], "Did you mean '--model'?") }
            let cases =
                flag + [
                    ("nacre-coordinator", ["--htpt", "127.0.0.1:0"], "Did you mean '--http'?"),
                    ("nacre", ["run", "x", "--max-token", "3"], "Did you mean '--max-tokens'?"),
                    ("nacre", ["up", "--drafter", "2"], "Did you mean '--drafters'?"),
                    ("nacre", ["rnu", "x"], "unknown command 'rnu': did you mean 'run'?"),
                    ("nacre", ["run"], "Give one prompt"),
                    ("nacre", ["run", "x", "--gamma", "many"], "--gamma"),
                    ("nacre", ["check", "--methods", "stream,perl"], "did you mean 'pearl'?"),
                    ("nacre", ["check", "--rules", "blok"], "did you mean 'block'?"),
                    ("nacre", ["check", "--jobs", "1,0"], "--jobs takes numbers from 1 to 64 separated by commas"),
                    ("nacre", ["check", "--rules", "block", "--temperature", "1"], "leave --temperature out"),
                    ("nacre-coordinator", ["--listen", "7400"], "is not an address"),
                    ("nacre-coordinator", ["--config", "\(folder)/none.yaml"], "check --config"),
                    ("nacre-verifier", ["--model", Jobs.draft, "--threads", "0"], "must lie between 1 and 512"),
                ]
            for (executable, arguments, words) in cases {
                Self.expect(2, ["\(executable): ", words], of: try await Command.run(executable, arguments))
            }
            // All mistakes are told at once, each on its line.
            let result = try await Command.run("nacre-coordinator", ["--config", settings])
            #expect(result.status == 2 && result.complaints.count == 2, "\(result)")
            #expect(result.complaints.first?.contains("line 2: unknown key 'treads'") == true, "\(result)")
            #expect(result.complaints.last?.contains("line 3: unknown key 'htp': did you mean 'http'?") == true)
        }
    }

    @Test("a port in use ends a daemon and names the flag; the one that has it goes on")
    func portInUse() async throws {
        try await TestCluster.with(verifiers: 0, drafters: 0) { cluster in
            let (taken, free) = ("\(cluster.control)", "127.0.0.1:0")
            let cases: [(executable: String, arguments: [String], flag: String)] = [
                ("nacre-coordinator", ["--listen", taken, "--http", free], "--listen"),
                ("nacre-coordinator", ["--listen", free, "--http", taken], "--http"),
                ("nacre-drafter", ["--model", Jobs.draft, "--listen", taken, "--coordinator", taken], "--listen"),
            ]
            for (executable, arguments, flag) in cases {
                let words = ["\(executable): port \(cluster.control.port) on 127.0.0.1 is in use", flag]
                Self.expect(1, words, of: try await Command.run(executable, arguments))
            }
            let busy = try await PatchedModel.withFolder { try await Self.up($0, "--listen", taken) }
            Self.expect(1, ["nacre: coordinator: port \(cluster.control.port)", "--listen"], of: busy)
            #expect(try await cluster.nacre("status").status == 0)
        }
    }

    @Test("without a coordinator commands end with 3 and say how to start one")
    func unreachable() async throws {
        // A port that was free a moment ago and that nobody else is given soon.
        let address = try await TestCluster.with(verifiers: 0, drafters: 0) { "\($0.http)" }
        for arguments in [
            ["run", "x"], ["submit", "x"], ["jobs"], ["job", "1"], ["cancel", "1"], ["nodes"], ["status"],
        ] {
            let result = try await Command.run("nacre", arguments + ["--coordinator", address])
            Self.expect(3, ["nacre: no coordinator answers at \(address); start one with `nacre up`"], of: result)
        }
    }

    @Test("a node that finds no coordinator, or something else in its place, says so and registers when it is there")
    func nodesWait() async throws {
        let address = try await TestCluster.with(verifiers: 0, drafters: 0) { "\($0.control)" }
        let node = try Command("nacre-drafter", ["--model", Jobs.draft, "--coordinator", address])
        try await Deadline.wait(for: "it complains", details: node.errors) {
            node.errors.contains("cannot register") && node.errors.contains("nothing listens there")
        }
        try await TestCluster.with(verifiers: 0, drafters: 0) { cluster in
            let mistaken = try Command("nacre-drafter", ["--model", Jobs.draft, "--coordinator", "\(cluster.http)"])
            try await Deadline.wait(for: "it complains", details: mistaken.errors) {
                mistaken.errors.contains("cannot register")
                    && mistaken.errors.contains("--listen, not that of its --http")
            }
            #expect(!mistaken.hasEnded && cluster.casualties == [])
        }
        let coordinator = try Command("nacre-coordinator", ["--listen", address, "--http", "127.0.0.1:0"])
        try await Deadline.wait(for: "it registers", details: node.errors + coordinator.errors) {
            node.errors.contains("registered with the coordinator")
        }
        #expect(!coordinator.hasEnded && !node.hasEnded)
    }

    /// `nacre up` with a record of its own, on free ports unless `arguments` say otherwise.
    private static func up(_ folder: String, _ arguments: String...) async throws -> CommandResult {
        let ports = ["--listen", "--http"].filter { !arguments.contains($0) }.flatMap { [$0, "127.0.0.1:0"] }
        return try await Command.run("nacre", ["up"] + ports + arguments, environment: ["XDG_RUNTIME_DIR": folder])
    }

    @Test("layer servers that are not there, are none or cannot be named end a verifier with one line")
    func layerServers() async throws {
        func verifier(_ rpc: String, model: String = Jobs.target) async throws -> CommandResult {
            try await Command.run("nacre-verifier", ["--model", model, "--coordinator", "127.0.0.1:9", "--rpc", rpc])
        }
        for (rpc, words) in [
            ("127.0.0.1", ["it needs a host and a port"]), ("127.0.0.1:0", ["a port above 0"]),
            ("127.0.0.1:7420,127.0.0.1:7420", ["is named twice"]), ("[::1]:7420", ["IPv4"]), ("", ["rpc"]),
        ] {
            Self.expect(2, ["nacre-verifier: "] + words, of: try await verifier(rpc))
        }
        Self.expect(
            1, ["no layer server answers at 127.0.0.1:1", "nacre-layers --listen 127.0.0.1:1"],
            of: try await verifier("127.0.0.1:1"))
        let none = try await verifier("127.0.0.1:1", model: "/nonexistent.gguf")
        Self.expect(1, ["/nonexistent.gguf", "no such file"], of: none)
        try await TestCluster.with(verifiers: 0, drafters: 0) { cluster in
            let strangers = try await verifier("\(cluster.http)")
            Self.expect(1, ["what listens at \(cluster.http)", "--rpc"], of: strangers)
        }
    }

    @Test("a layer server that cannot listen ends with one line")
    func layersListen() async throws {
        let host = try await LayerHost()
        let taken = try await Command.run("nacre-layers", ["--listen", "\(host.address)"])
        Self.expect(1, ["nacre-layers: cannot listen on \(host.address)", "choose another --listen"], of: taken)
        let name = try await Command.run("nacre-layers", ["--listen", "localhost:0"])
        Self.expect(1, ["IPv4 addresses in numbers"], of: name)
    }
}
