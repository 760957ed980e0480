/// The version that every Nacre executable and the coordinator's API report.
package enum NacreVersion {
    package static let current = "0.1.0"
}
