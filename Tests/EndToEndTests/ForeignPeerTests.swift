import Foundation
import NacreAPI
import NacreClient
import NacreNode
import Testing

/// Peers that speak another protocol, or none, on every port there is.
@Suite(.serialized) struct ForeignPeerTests {
    /// What foreign peers begin with.
    private static let greetings: [(name: String, bytes: [UInt8])] = [
        ("HTTP", Array("GET /v1/status HTTP/1.1\r\nHost: nacre\r\n\r\n".utf8)),
        ("HTTP/2", Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + [0, 0, 0, 4, 0, 0, 0, 0, 0]),
        ("a TLS hello", [0x16, 3, 1, 0, 0xa5, 1, 0, 0, 0xa1, 3, 3] + noise(160, seed: 1)),
        ("SSH", Array("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n".utf8)),
        ("zeros", [UInt8](repeating: 0, count: 4_096)),
        ("garbage", noise(65_536, seed: 2)),
        // Length 4 GiB - 1, type 1, version 1.
        ("a frame of 4 GiB", [0xff, 0xff, 0xff, 0xff, 0, 1, 1, 0, 0, 0, 0, 0]),
        // Ten bytes announced, of type 1, with a checksum that does not fit.
        ("a wrong checksum", [0, 0, 0, 10, 0, 1, 1, 0, 1, 2, 3, 4] + noise(10, seed: 3)),
    ]

    /// Reproducible bytes of no meaning.
    private static func noise(_ count: Int, seed: UInt32) -> [UInt8] {
        var state = seed
        return (0..<count).map { _ in
            state = state &* 1_664_525 &+ 1_013_904_223
            return UInt8(truncatingIfNeeded: state >> 24)
        }
    }

    @Test("whoever speaks another protocol is sent away; running jobs and later ones do not notice")
    func sentAway() async throws {
        try await TestCluster.with { cluster in
            let data = try #require(try await cluster.withClient { try await $0.nodes().compactMap(\.address).first })
            let ports = [cluster.control, try HostPort(data)]
            let whole = try await cluster.whole(Jobs.endless(400))
            let running = try await cluster.submit(Jobs.endless(400))
            for port in ports {
                for (name, bytes) in Self.greetings {
                    #expect(throws: Never.self, "\(name) to \(port)") { try RawPeer.send(bytes, to: port) }
                    // Half of it, and gone.
                    try RawPeer.sendAndLeave(Array(bytes.prefix(7)), to: port)
                }
            }
            for (name, bytes) in Self.greetings where name != "HTTP/2" {
                #expect(throws: Never.self, "\(name) to the API") { try RawPeer.send(bytes, to: cluster.http) }
            }
            let next = try await cluster.submit(Jobs.endless(400))
            for id in [running, next] {
                let job = try await cluster.end(of: id)
                #expect(job.tokens == whole.tokens && job.statistics.attempts == 1)
            }
            #expect(cluster.casualties == [])
            let status = try await cluster.withClient { try await $0.status() }
            #expect(status.verifiers == 1 && status.drafters == 1)
        }
    }

    @Test("nodes that dial a port of something else keep trying, and say nothing wrong; commands say what is there")
    func wrongPort() async throws {
        try await TestCluster.with(verifiers: 0, drafters: 0) { cluster in
            // The coordinator's two ports mixed up: the likeliest mistake.
            let status = try await Command.run("nacre", ["status", "--coordinator", "\(cluster.control)"])
            #expect(status.status == 3 && status.complaints.count == 1, "\(status)")
            #expect(status.errors.contains("\(cluster.control)"), "\(status)")
            #expect(cluster.casualties == [])
        }
    }
}
