import Foundation
import NacreClient
import NacreNode
import Testing

@Suite struct ClusterPlanTests {
    private func assignment(_ cores: Int, _ verifiers: Int, _ drafters: Int, max: Int? = nil) throws -> CoreAssignment {
        let available = try #require(CPUList(cores: 0..<cores))
        return CoreAssignment(available: available, verifiers: verifiers, drafters: drafters, coresMax: max)
    }

    @Test("where nothing could be measured a drafter takes no core from the verifier")
    func unmeasured() throws {
        func placement(_ cores: Int, max: Int? = nil) throws -> ClusterPlacement {
            CoreAssignment.unmeasured(available: try #require(CPUList(cores: 0..<cores)), coresMax: max)
        }
        #expect(try placement(2) == .together && placement(8) == .together && placement(1) == .apart)
        // The verifier has no use for the ninth.
        #expect(try placement(9) == .apart && placement(3, max: 2) == .apart && placement(16, max: 16) == .together)
    }

    @Test("drafters get one core each and verifiers divide the rest evenly")
    func enoughCores() throws {
        let two = try assignment(2, 1, 1)
        #expect(two.verifiers.map(\.cores.description) == ["0"] && two.drafters.map(\.cores.description) == ["1"])
        let eight = try assignment(8, 2, 1)
        #expect(eight.verifiers.map(\.cores.description) == ["0-3", "4-6"])
        #expect(eight.verifiers.map(\.threads) == [4, 3])
        #expect(eight.drafters.map(\.cores.description) == ["7"])
        #expect(eight.description == "verifier 1 on cores 0-3, verifier 2 on cores 4-6, drafter on core 7")
        #expect(try assignment(4, 1, 0).verifiers.map(\.cores.description) == ["0-3"])
    }

    @Test("a verifier gets at most eight cores, or as many as are asked for")
    func coresMax() throws {
        #expect(try assignment(64, 1, 1).verifiers[0].threads == 8)
        #expect(try assignment(64, 1, 1, max: 32).verifiers[0].threads == 32)
        #expect(try assignment(4, 1, 1, max: 2).verifiers[0].cores.description == "0-1")
    }

    @Test("no core is given twice as long as there are enough", arguments: 1...12)
    func neverTwice(cores: Int) throws {
        for verifiers in 1...4 {
            for drafters in 0...4 {
                let assignment = try assignment(cores, verifiers, drafters)
                #expect(assignment.verifiers.count == verifiers && assignment.drafters.count == drafters)
                let given = (assignment.verifiers + assignment.drafters).flatMap(\.cores.cores)
                #expect(assignment.isShared == (cores < verifiers + drafters))
                if !assignment.isShared { #expect(Set(given).count == given.count) }
                #expect(given.allSatisfy { (0..<cores).contains($0) })
            }
        }
    }

    @Test("with too few cores, processes go round and use one thread each")
    func tooFewCores() throws {
        let shared = try assignment(2, 2, 1)
        #expect((shared.verifiers + shared.drafters).map(\.cores.description) == ["0", "1", "0"])
        #expect((shared.verifiers + shared.drafters).allSatisfy { $0.threads == 1 })
        #expect(shared.description.contains("fewer cores than processes"))
    }

    @Test("a ready line gives role and addresses, any other line nothing")
    func readyLines() throws {
        let line = try #require(ReadyLine("ready coordinator control=127.0.0.1:1 http=[::1]:2"))
        #expect(line.role == "coordinator")
        #expect(line.addresses == ["control": try HostPort("127.0.0.1:1"), "http": try HostPort("[::1]:2")])
        #expect(ReadyLine("ready verifier")?.addresses.isEmpty == true)
        for other in ["", "ready", "ready x control", "ready x control=here", "not ready x"] {
            #expect(ReadyLine(other) == nil)
        }
    }

    @Test("a model file that is missing, a folder or no GGUF is refused by name")
    func models() throws {
        for path in ["/nonexistent.gguf", "/tmp", "/proc/self/status", "/dev/null"] {
            let error = #expect(throws: NacreError.self) { try Installation.checkModel(path, flag: "draft") }
            #expect(error?.code == .badUsage)
            #expect(error?.description.contains(path) == true && error?.description.contains("--draft") == true)
        }
        try Installation.checkModel(Installation.current().model(Installation.defaultTarget), flag: "target")
    }
}
