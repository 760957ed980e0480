import NacreProtocol

/// The coordinator's counters in the text format that Prometheus reads (exposition format 0.0.4). The stems of the
/// speculation counters are those that dashboards for other servers know.
struct Metrics {
    private var lines: [String] = []

    init(_ totals: [JobKind: JobTotals], nodes: [NodeRecord], openJobs: Int) {
        func each(_ name: String, _ help: String, _ value: (JobTotals) -> UInt64) {
            describe(name, help, "counter")
            for (kind, total) in totals.sorted(by: { $0.key < $1.key }) {
                add(name, kind.labels, "\(value(total))")
            }
        }
        func seconds(_ name: String, _ help: String, _ value: (JobTotals) -> UInt64) {
            describe(name, help, "counter")
            for (kind, total) in totals.sorted(by: { $0.key < $1.key }) {
                add(name, kind.labels, "\(Double(value(total)) / 1e6)")
            }
        }
        each("nacre_coordinator_jobs_total", "Jobs that are over.") { UInt64($0.jobs) }
        each("nacre_coordinator_jobs_failed_total", "Jobs that failed.") { UInt64($0.failed) }
        each("nacre_coordinator_prompt_tokens_total", "Prompt tokens.") { UInt64($0.promptTokens) }
        each("nacre_coordinator_output_tokens_total", "Output tokens.") { UInt64($0.outputTokens) }
        each("nacre_spec_decode_num_drafts_total", "Verify passes.") { $0.statistics.rounds }
        each("nacre_spec_decode_num_draft_tokens_total", "Draft tokens that reached a verifier.") {
            $0.statistics.drafted
        }
        each("nacre_spec_decode_num_accepted_tokens_total", "Draft tokens equal to the target's own.") {
            $0.statistics.accepted
        }
        each("nacre_spec_decode_num_verified_tokens_total", "Draft tokens that had a place in a pass.") {
            $0.statistics.verified
        }
        each("nacre_spec_decode_num_stale_tokens_total", "Draft tokens that came for nothing.") { $0.statistics.stale }
        each("nacre_spec_decode_num_outcomes_total", "Verdicts while a drafter was ready.") { $0.statistics.outcomes }
        each("nacre_spec_decode_num_outcomes_predicted_total", "Those whose outcome was among the drafts.") {
            $0.statistics.outcomesPrepared
        }
        each("nacre_spec_decode_num_shard_tokens_total", "Draft tokens scored by other verifiers.") {
            $0.statistics.shardsSent
        }
        each("nacre_spec_decode_num_shard_tokens_used_total", "Those whose scores came in time.") {
            $0.statistics.shardsUsed
        }
        seconds("nacre_verifier_pass_seconds_total", "Time inside passes.") { $0.statistics.passMicroseconds }
        seconds("nacre_verifier_decode_seconds_total", "Time from the first decoding pass of a job to its end.") {
            $0.statistics.elapsedMicroseconds
        }
        seconds("nacre_verifier_queue_seconds_total", "Time that jobs waited for a pass of others.") {
            $0.statistics.queueMicroseconds
        }
        seconds("nacre_drafter_pass_seconds_total", "Time that drafters computed.") { $0.statistics.draftMicroseconds }
        seconds("nacre_wire_seconds_total", "Time from verdicts to drafts on them, less what drafters computed.") {
            $0.statistics.wireMicroseconds
        }
        addPositions(totals)
        addGauges(nodes, openJobs)
    }

    /// The whole page.
    var text: String { lines.joined(separator: "\n") + "\n" }

    private mutating func addPositions(_ totals: [JobKind: JobTotals]) {
        let name = "nacre_spec_decode_num_accepted_tokens_per_pos_total"
        describe(name, "Accepted draft tokens by their place behind the last verdict's end.", "counter")
        for (kind, total) in totals.sorted(by: { $0.key < $1.key }) {
            for (position, count) in total.statistics.acceptedAt.enumerated() {
                add(name, kind.labels + [("position", "\(position)")], "\(count)")
            }
        }
    }

    private mutating func addGauges(_ nodes: [NodeRecord], _ openJobs: Int) {
        describe("nacre_coordinator_jobs_open", "Jobs that are not over.", "gauge")
        add("nacre_coordinator_jobs_open", [], "\(openJobs)")
        describe("nacre_node_busy_ratio", "Share of the last heartbeat's time that the node computed.", "gauge")
        for node in nodes.sorted(by: { $0.hello.node < $1.hello.node }) {
            let labels = [("node", node.hello.node), ("role", node.isVerifier ? "verifier" : "drafter")]
            add("nacre_node_busy_ratio", labels, "\(node.load.busy)")
        }
    }

    private mutating func describe(_ name: String, _ help: String, _ type: String) {
        lines.append("# HELP \(name) \(help)")
        lines.append("# TYPE \(name) \(type)")
    }

    private mutating func add(_ name: String, _ labels: [(String, String)], _ value: String) {
        let list = labels.map { "\($0.0)=\"\(Metrics.escaped($0.1))\"" }.joined(separator: ",")
        lines.append(list.isEmpty ? "\(name) \(value)" : "\(name){\(list)} \(value)")
    }

    private static func escaped(_ text: String) -> String {
        text.reduce(into: "") { result, character in
            switch character {
            case "\\": result += "\\\\"
            case "\"": result += "\\\""
            case "\n": result += "\\n"
            default: result.append(character)
            }
        }
    }
}

extension JobKind {
    fileprivate var labels: [(String, String)] {
        [("target", target), ("draft", draft), ("method", method), ("rule", rule)]
    }
}
