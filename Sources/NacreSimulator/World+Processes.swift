import NacreCore
import NacreProtocol

// Processes that start, stop and break.
extension World {
    func boot(_ host: HostID) {
        hosts[host.index].life += 1
        let verifier = host.index - 1
        let drafter = verifier - scenario.verifiers.count
        let shell: any Shell =
            if host.index == 0 { CoordinatorShell(self, host) } else if drafter < 0 {
                VerifierShell(self, host, scenario.verifiers[verifier])
            } else { DrafterShell(self, host, scenario.drafters[drafter]) }
        hosts[host.index].shell = shell
        journal.note(.booted(host), at: now)
        shell.start()
        schedule(.tick(host, life: hosts[host.index].life), in: chance.int(1...World.tick))
    }

    /// Where a verifier computes, and the drafters on its cores.
    static func place(ofVerifier index: Int) -> ComputePlace {
        ComputePlace(host: UInt64(index + 1), cores: [0], threads: 1)
    }

    /// No pass is in flight while a drafter on the same cores computes, of those that the verifier has not given up.
    /// Liars are out of it: they say that nothing more will come, and go on.
    func judgeAlternation() {
        for (index, drafter) in scenario.drafters.enumerated() {
            guard let shared = drafter.sharesCoresOf, drafter.character != .breaker, drafter.character != .mute,
                let verifier = hosts[1 + shared].shell as? VerifierShell,
                let shell = hosts[1 + scenario.verifiers.count + index].shell as? DrafterShell
            else { continue }
            let mine = shell.machine.computing.filter { verifier.waits(for: $0.stream, on: ConnectionID($0.link)) }
            guard !mine.isEmpty else { continue }
            tally.alternations += 1
            if verifier.machine.indices.contains(where: { verifier.machine[$0].isComputing }) {
                report(.alternation, "verifier\(shared) computes while drafter\(index) drafts stream \(mine[0].stream)")
            }
        }
    }

    /// A number that no other start of any process has.
    func incarnation(of host: HostID) -> Incarnation {
        Incarnation(rawValue: UInt64(host.index) << 32 | UInt64(hosts[host.index].life))
    }

    /// Crashes and stops processes at random. The coordinator is stopped at most: its jobs live in its memory.
    func mischief() {
        guard areFaultsOn else { return }
        for index in hosts.indices where hosts[index].shell != nil && hosts[index].frozenUntil <= now {
            let host = HostID(index: index)
            if index > 0, chance.happens(scenario.faults.crash) {
                count(.crash)
                crash(host)
            } else if chance.happens(scenario.faults.freeze) {
                count(.freeze)
                let longest = index == 0 ? 600_000 : 4_000_000
                hosts[index].frozenUntil = min(now + chance.int(100_000...longest), scenario.healed + World.tick)
                journal.note(.frozen(host, until: hosts[index].frozenUntil), at: now)
            }
        }
        schedule(.mischief, in: World.tick)
    }

    private func crash(_ host: HostID) {
        severAll(of: host, silently: chance.happens(0.3))
        hosts[host.index].shell = nil
        hosts[host.index].frozenUntil = 0
        journal.note(.crashed(host), at: now)
        let back = min(now + chance.int(50_000...2_000_000), max(scenario.healed, now + 50_000))
        queue.schedule(.boot(host), at: back)
    }

    /// After the last job nothing may be left of any.
    func checkTidiness() {
        if let machine = coordinator?.machine, !machine.isIdle { report(.leak, "the coordinator still holds a job") }
        for index in hosts.indices {
            switch hosts[index].shell {
            case let verifier as VerifierShell:
                let machine = verifier.machine
                let free = machine.indices.reduce(0) { $0 + machine[$1].freeSequenceCount }
                if machine.jobCount > 0 || free != verifier.plan.sequences {
                    report(
                        .leak,
                        "\(hosts[index].name) holds \(machine.jobCount) jobs, \(free) of "
                            + "\(verifier.plan.sequences) sequences free")
                }
            case let drafter as DrafterShell:
                let machine = drafter.machine
                if machine.streamCount > 0
                    || machine.freeSequenceCount != drafter.plan.node.sequences + drafter.plan.node.branches
                {
                    report(
                        .leak,
                        "\(hosts[index].name) holds \(machine.streamCount) streams, \(machine.freeSequenceCount) of "
                            + "\(drafter.plan.node.sequences + drafter.plan.node.branches) sequences free")
                }
            default: break
            }
        }
    }
}
