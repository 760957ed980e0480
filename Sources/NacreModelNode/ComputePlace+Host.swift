import Foundation
import NacreLlama
package import NacreNode
package import NacreProtocol

extension ComputePlace {
    /// Where a process of this machine computes.
    ///
    /// - Parameter cpus: the cores that its threads are pinned to, one each in this order; `nil` leaves them to the
    ///   system.
    package static func here(threads: Int, cpus: CPUList?) -> ComputePlace {
        guard let host, let allowed = try? cpus ?? CPUList.available() else { return .unknown }
        let cores = cpus == nil ? allowed.cores : Array(allowed.cores.prefix(threads))
        guard cores.count <= Limits.coresMax else { return .unknown }
        return ComputePlace(host: host, cores: cores, threads: threads)
    }

    /// A digest of what the kernel draws anew at each boot: containers of one machine share it, as they share cores.
    private static let host: UInt64? = {
        guard let boot = FileManager.default.contents(atPath: "/proc/sys/kernel/random/boot_id"), !boot.isEmpty else {
            return nil
        }
        var digest = Digest()
        Array("nacre host".utf8).withUnsafeBytes { digest.absorb($0) }
        boot.withUnsafeBytes { digest.absorb($0) }
        return digest.value
    }()
}
