import NacreAPI
import NacreNode
import Testing

@Suite struct TextValueTests {
    @Test("a CPU list reads runs and single cores, sorts them and drops repetitions")
    func cpuLists() throws {
        #expect(try CPUList("0-3,6").cores == [0, 1, 2, 3, 6])
        #expect(try CPUList("7,0-2,1").cores == [0, 1, 2, 7])
        #expect(try CPUList("5").cores == [5])
        #expect(try CPUList("8191").cores == [8191])
    }

    @Test(
        "a CPU list prints as the shortest text that reads back the same", arguments: ["0-3,6", "0", "0-1", "1,3,5-7"])
    func cpuListText(text: String) throws {
        #expect(try CPUList(text).description == text)
    }

    @Test(
        "a text that is no CPU list is refused",
        arguments: ["", ",", "1,", "a", "3-1", "-1", "1-", "1-2-3", "8192", "1 2", "٣"])
    func badCPULists(text: String) {
        #expect(throws: NacreError.self) { try CPUList(text) }
    }

    @Test("the process may use at least one core, and no list is empty")
    func availableCores() throws {
        #expect(try !CPUList.available().cores.isEmpty)
        #expect(CPUList(cores: []) == nil)
    }

    @Test(
        "an address has a host and a port, with brackets around IPv6",
        arguments: [
            ("127.0.0.1:7400", "127.0.0.1", 7400), ("[::1]:7400", "::1", 7400), ("node.local:0", "node.local", 0),
            ("[fe80::1]:65535", "fe80::1", 65535),
        ])
    func addresses(text: String, host: String, port: Int) throws {
        let address = try HostPort(text)
        #expect(address == HostPort(host: host, port: port))
        #expect(address.description == text)
    }

    @Test(
        "a text that is no address is refused",
        arguments: [
            "", "7400", ":7400", "host:", "host:x", "host:65536", "host:-1", "::1:7400", "[]:1", "a b:1", "http://h:1",
        ])
    func badAddresses(text: String) {
        #expect(throws: NacreError.self) { try HostPort(text) }
    }

    @Test("the nearest name is found for a slip, and none for another word")
    func nearestNames() {
        let names = ["model", "coordinator", "threads", "log-level"]
        #expect(NearestName.of("thread", among: names) == "threads")
        #expect(NearestName.of("log_level", among: names) == "log-level")
        #expect(NearestName.of("cordinater", among: names) == "coordinator")
        #expect(NearestName.of("zebra", among: names) == nil)
        #expect(NearestName.of("x", among: []) == nil)
    }
}
