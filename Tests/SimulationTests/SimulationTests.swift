import NacreSimulator
import TestStatistics
import Testing

@Suite struct SimulationTests {
    @Test("all laws hold in 1,000 worlds, in 2,000 where tests are thorough")
    func laws() {
        let worlds: UInt64 = Thoroughness.isFull ? 2_000 : 1_000
        var campaign = Campaign()
        for seed in 0..<worlds {
            guard campaign.run(seed: seed) else { break }
        }
        if let violation = campaign.violation { Issue.record("\(violation)") }
        #expect(UInt64(campaign.tally.seeds) == worlds)
        // What never happens is not tested: every kind of fault and most jobs' ends must have been seen.
        for kind in FaultKind.allCases { #expect(campaign.tally.faults[kind, default: 0] > 0, "no \(kind.rawValue)") }
        let failed = campaign.tally.outcomes["failed", default: 0]
        #expect(failed < campaign.tally.jobs / 20, "\(failed) of \(campaign.tally.jobs) jobs failed")
        #expect(campaign.tally.sideBySide > 0, "no two shards computed at the same time")
        let tally = campaign.tally
        #expect(tally.inTurns > tally.inTurnsOfShards && tally.inTurnsOfShards > 0, "no drafts in turns")
        #expect(tally.branched > 0 && tally.adopted > 0, "no side branch was judged, or none won")
        #expect(tally.forked > tally.sharedPrefixes && tally.sharedPrefixes > 0, "no tree or no two jobs shared cells")
        #expect(tally.prepared > 0 && tally.united > 0, "no outcome was prepared, or no two drafters united")
        #expect(tally.lookedUp > 0, "no drafter without a model drafted")
        #expect(tally.bridged > 0, "no drafter of another vocabulary drafted")
        #expect(tally.drawn > 0 && tally.rowsFetched > 0, "no row of q was sent, or none fetched")
        #expect(tally.jointBlocks > 0, "no lossy job took drafts")
        #expect(tally.beyondEnds > 0, "no job went on behind an end")
        #expect(tally.redrawn > 0 && tally.merging > 0, "no draw repeated a token, or no hypotheses were merged")
        #expect(tally.shards > 0 && tally.shardsUsed > 0, "no other verifier scored, or nothing of it was used")
        #expect(campaign.tally.epochs > 0 && campaign.tally.staleMessages > 0 && campaign.tally.coalesced > 0)
    }

    /// 2,050: of two verdicts that a drafter takes at once, the second commits what the first one let grow and nobody
    /// has sent; the drafter took it for sent, and stopped.
    @Test("worlds that have found a defect hold all laws", arguments: [2_050] as [UInt64])
    func found(seed: UInt64) {
        let world = Simulation.run(seed: seed)
        #expect(world.violation == nil)
    }

    @Test("one seed is one history", arguments: [3, 17, 99, 1_234] as [UInt64])
    func determinism(seed: UInt64) {
        let first = Simulation.run(seed: seed)
        let second = Simulation.run(seed: seed)
        #expect(first.digest == second.digest)
        #expect(first.tally == second.tally)
        #expect(Simulation.run(seed: seed + 1).digest != first.digest)
    }

    @Test("watching a run does not change it")
    func verbose() {
        let watched = Simulation.run(seed: 5, isVerbose: true)
        #expect(watched.digest == Simulation.run(seed: 5).digest)
        #expect(watched.events.count > 40)
    }
}
