import NacreCore

/// Many seeds, one after the other, up to the first that breaks a law.
package struct Campaign: Sendable {
    package private(set) var tally = Tally()
    package private(set) var violation: Violation?
    /// Folds the digests of all runs: equal campaigns have equal ones.
    package private(set) var digest: UInt64 = 0

    package init() {}

    /// - Returns: whether the seed kept all laws.
    package mutating func run(seed: UInt64) -> Bool {
        let run = Simulation.run(seed: seed)
        tally.add(run.tally)
        digest = (digest &* 31) ^ run.digest
        violation = run.violation
        return run.violation == nil
    }

    /// The tally in lines for people.
    package var summary: String {
        let outcomes = tally.outcomes.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
        let faults = FaultKind.allCases.map { "\(tally.faults[$0, default: 0]) \($0.rawValue)" }
        return """
            seeds    \(tally.seeds)
            jobs     \(tally.jobs) (\(outcomes.joined(separator: ", ")))
            tokens   \(tally.tokens) committed, \(tally.drafted) drafted in \(tally.epochs) further epochs
            passes   \(tally.passes), of several of them \(tally.coalesced) verdicts
            trees    \(tally.branched) passes with side branches, \(tally.adopted) of which won; \(tally.forked) forks
            lookups  \(tally.lookedUp) drafts of drafters without a model
            bridges  \(tally.bridged) drafts of drafters of another vocabulary
            unions   \(tally.united) of several drafters; \(tally.sharedPrefixes) prefixes shared by jobs
            rows     \(tally.drawn) proposals drawn, \(tally.redrawn) with repeats; \(tally.rowsFetched) rows fetched
            lossy    \(tally.jointBlocks) blocks of drafts taken by joint likelihood
            beams    \(tally.beamJobs) jobs with beams
            ends     \(tally.beyondEnds) tokens behind ends that jobs ignore
            merges   \(tally.merging) streams whose hypotheses may meet again
            shards   \(tally.shards) drafts scored by other verifiers, \(tally.shardsUsed) used
            outcomes \(tally.prepared) prepared
            turns    \(tally.alternations) taken by drafters on a verifier's cores; \(tally.inTurns) drafts verified so
                     \(tally.inTurnsOfShards) of them by verifiers with several shards
            messages \(tally.messages), of these stale and dropped \(tally.staleMessages)
            events   \(tally.events)
            faults   \(faults.joined(separator: ", "))
            digest   \(digest.hexadecimal)
            """
    }

    /// The tally as one JSON object.
    package var json: String {
        func object(_ pairs: [(String, Int)]) -> String {
            "{" + pairs.map { "\"\($0.0)\": \($0.1)" }.joined(separator: ", ") + "}"
        }
        let outcomes = object(tally.outcomes.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
        let faults = object(FaultKind.allCases.map { ($0.rawValue, tally.faults[$0, default: 0]) })
        let counts: [(String, Int)] = [
            ("seeds", tally.seeds), ("jobs", tally.jobs), ("tokens", tally.tokens), ("drafted", tally.drafted),
            ("epochs", tally.epochs), ("coalesced", tally.coalesced), ("passes", tally.passes),
            ("branched", tally.branched), ("adopted", tally.adopted), ("forked", tally.forked),
            ("united", tally.united), ("sharedPrefixes", tally.sharedPrefixes), ("drawn", tally.drawn),
            ("rowsFetched", tally.rowsFetched), ("redrawn", tally.redrawn), ("merging", tally.merging),
            ("shards", tally.shards), ("shardsUsed", tally.shardsUsed), ("prepared", tally.prepared),
            ("sideBySide", tally.sideBySide), ("jointBlocks", tally.jointBlocks), ("beamJobs", tally.beamJobs),
            ("beyondEnds", tally.beyondEnds),
            ("alternations", tally.alternations),
            ("inTurns", tally.inTurns), ("inTurnsOfShards", tally.inTurnsOfShards), ("lookedUp", tally.lookedUp),
            ("bridged", tally.bridged), ("messages", tally.messages),
            ("stale", tally.staleMessages), ("events", tally.events),
        ]
        let numbers = counts.map { "\"\($0.0)\": \($0.1)" }.joined(separator: ", ")
        let failed = violation.map { ", \"failedSeed\": \($0.seed), \"law\": \"\($0.law.rawValue)\"" } ?? ""
        return "{\(numbers), \"outcomes\": \(outcomes), \"faults\": \(faults), "
            + "\"digest\": \"\(digest.hexadecimal)\"\(failed)}"
    }
}
