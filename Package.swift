// swift-tools-version: 6.2
import PackageDescription

// Nacre's targets in the order the data meets them; the allowed import arrows are checked by
// Tests/TidyTests and drawn in docs/architecture.md.

let house: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]

// For tests that wait more than they compute: what they test is optimised, they need not be, and are built sooner.
let unoptimised: [SwiftSetting] = house + [.unsafeFlags(["-Onone"], .when(configuration: .release))]

let nio: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let log: Target.Dependency = .product(name: "Logging", package: "swift-log")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let signals: Target.Dependency = .product(name: "UnixSignals", package: "swift-service-lifecycle")
let configuration: Target.Dependency = .product(name: "Configuration", package: "swift-configuration")
let collections: Target.Dependency = .product(name: "DequeModule", package: "swift-collections")
let real: Target.Dependency = .product(name: "RealModule", package: "swift-numerics")

let package = Package(
    name: "nacre",
    products: [
        .executable(name: "nacre", targets: ["nacre"]),
        .executable(name: "nacre-coordinator", targets: ["nacre-coordinator"]),
        .executable(name: "nacre-verifier", targets: ["nacre-verifier"]),
        .executable(name: "nacre-drafter", targets: ["nacre-drafter"]),
        .executable(name: "nacre-layers", targets: ["nacre-layers"]),
        .executable(name: "nacre-sim", targets: ["nacre-sim"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-numerics", from: "1.1.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: ["YAML"]),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
    ],
    targets: [
        // The mathematics.
        .target(name: "NacreCore", dependencies: [real], swiftSettings: house),
        // Files of the user's cache.
        .target(name: "NacreCache", swiftSettings: house),
        // Who says what to whom, and what they then do. Pure.
        .target(name: "NacreProtocol", dependencies: ["NacreCore", collections], swiftSettings: house),
        // Models.
        .target(name: "NacreEngine", dependencies: ["NacreCore", "NacreCache"], swiftSettings: house),
        .target(name: "NacreLlama", dependencies: ["NacreCore", "NacreEngine", "CLlama"], swiftSettings: house),
        .binaryTarget(name: "CLlama", path: ".engine/llama.artifactbundle"),
        // What a model file holds, and whether two fit.
        .target(name: "NacreModels", dependencies: ["NacreCore", "NacreEngine", "NacreLlama"], swiftSettings: house),
        // Sockets.
        .target(
            name: "NacreWire", dependencies: ["NacreCore", "NacreProtocol", "NacreEngine", "CNacreProto", nio],
            swiftSettings: house),
        .target(name: "CNacreProto", dependencies: ["CProtobufC"]),
        .systemLibrary(
            name: "CProtobufC", pkgConfig: "libprotobuf-c", providers: [.apt(["libprotobuf-c-dev"])]),
        // An engine in a process of its own.
        .target(
            name: "NacreEngineLink", dependencies: ["NacreCore", "NacreEngine", "NacreWire"], swiftSettings: house),
        .target(
            name: "NacreTransport", dependencies: ["NacreProtocol", "NacreWire", nio, nioPosix],
            swiftSettings: house),
        .target(name: "NacreHTTP", dependencies: ["CNghttp2", nio, nioPosix], swiftSettings: house),
        .systemLibrary(name: "CNghttp2", pkgConfig: "libnghttp2", providers: [.apt(["libnghttp2-dev"])]),
        // The HTTP API's documents, shared by the coordinator and its clients.
        .target(name: "NacreAPI", swiftSettings: house),
        // What every daemon shares.
        .target(
            name: "NacreNode", dependencies: ["NacreAPI", "Yams", configuration, log, lifecycle, signals, arguments],
            swiftSettings: house),
        // The roles.
        .target(
            name: "NacreRoles",
            dependencies: ["NacreCore", "NacreProtocol", "NacreEngine", "NacreTransport", log, nio],
            swiftSettings: house),
        // What a daemon with a model shares.
        .target(
            name: "NacreModelNode",
            dependencies: [
                "NacreCore", "NacreProtocol", "NacreEngine", "NacreEngineLink", "NacreLlama", "NacreNode",
                "NacreTransport", "NacreWire", arguments, log,
            ],
            swiftSettings: house),
        .target(
            name: "NacreCoordinator",
            dependencies: [
                "NacreCore", "NacreProtocol", "NacreCache", "NacreAPI", "NacreTransport", "NacreHTTP", log, nio,
                nioPosix,
            ],
            swiftSettings: house),
        .target(
            name: "NacreClient", dependencies: ["NacreCore", "NacreAPI", "NacreHTTP", "NacreNode"], swiftSettings: house
        ),
        .target(
            name: "NacreSimulator", dependencies: ["NacreCore", "NacreProtocol", "NacreEngine", "NacreWire"],
            swiftSettings: house),
        // Thin mains.
        .executableTarget(
            name: "nacre",
            dependencies: ["NacreAPI", "NacreClient", "NacreLlama", "NacreModels", "NacreNode", arguments],
            swiftSettings: house),
        .executableTarget(
            name: "nacre-coordinator",
            dependencies: [
                "NacreCoordinator", "NacreNode", "NacreTransport", "NacreHTTP", arguments, log, lifecycle,
                nioPosix,
            ],
            swiftSettings: house),
        .executableTarget(
            name: "nacre-verifier",
            dependencies: [
                "NacreRoles", "NacreModelNode", "NacreNode", "NacreLlama", "NacreTransport", "NacreProtocol",
                "NacreEngine", "NacreCore", arguments, log, lifecycle, nioPosix,
            ],
            swiftSettings: house),
        .executableTarget(
            name: "nacre-drafter",
            dependencies: [
                "NacreRoles", "NacreModelNode", "NacreNode", "NacreLlama", "NacreTransport", "NacreProtocol",
                "NacreEngine", "NacreCore", arguments, log, lifecycle, nioPosix,
            ],
            swiftSettings: house),
        .executableTarget(
            name: "nacre-layers", dependencies: ["NacreLlama", "NacreEngine", "NacreNode", arguments, log, lifecycle],
            swiftSettings: house),
        .executableTarget(
            name: "nacre-sim", dependencies: ["NacreSimulator", arguments], swiftSettings: house),
        // Tests.
        .target(
            name: "TestStatistics", dependencies: [real], path: "Tests/TestStatistics", swiftSettings: house),
        .testTarget(
            name: "NacreCoreTests", dependencies: ["NacreCore", "NacreEngine", "TestStatistics", real],
            swiftSettings: house),
        .testTarget(
            name: "NacreProtocolTests",
            dependencies: ["NacreCore", "NacreProtocol", "NacreEngine", "TestStatistics", real],
            swiftSettings: house),
        .testTarget(
            name: "NacreLlamaTests", dependencies: ["NacreCore", "NacreEngine", "NacreLlama", "NacreModels"],
            swiftSettings: house),
        .testTarget(
            name: "NacreWireTests",
            dependencies: [
                "NacreCore", "NacreProtocol", "NacreWire", "NacreTransport",
                .product(name: "NIOTestUtils", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"), nio, nioPosix,
            ], exclude: ["FailCases", "Golden"], swiftSettings: unoptimised),
        .testTarget(
            name: "NacreEngineLinkTests", dependencies: ["NacreCore", "NacreEngine", "NacreEngineLink", "NacreWire"],
            swiftSettings: unoptimised),
        .testTarget(
            name: "NacreHTTPTests", dependencies: ["NacreHTTP", nio, nioPosix], swiftSettings: unoptimised),
        .testTarget(
            name: "SimulationTests", dependencies: ["NacreCore", "NacreProtocol", "NacreSimulator", "TestStatistics"],
            swiftSettings: house),
        .testTarget(
            name: "NacreNodeTests",
            dependencies: [
                "NacreAPI", "NacreCache", "NacreNode", "NacreClient", "NacreCoordinator", "NacreCore", "NacreEngine",
                "NacreModelNode", "NacreProtocol", "NacreRoles", arguments, log, nio, nioPosix,
            ],
            swiftSettings: unoptimised),
        .testTarget(
            name: "EndToEndTests",
            dependencies: [
                "NacreAPI", "NacreClient", "NacreCore", "NacreEngine", "NacreLlama", "NacreNode", "TestStatistics",
            ], swiftSettings: unoptimised),
        .testTarget(name: "TidyTests", swiftSettings: unoptimised),
    ],
    swiftLanguageModes: [.v6]
)

// The fuzz target links libFuzzer, so that an ordinary build must not see it. It lies in this package and not in one
// of its own because it needs `package` access to the codec. See Scripts/fuzz.
if Context.environment["NACRE_FUZZ"] != nil {
    package.targets.append(
        .executableTarget(
            name: "nacre-fuzz-wire", dependencies: ["NacreProtocol", "NacreWire", nio], path: "Tests/Fuzz",
            swiftSettings: house))
}

// Measures what no user runs; in this package for its `package` access. See Scripts/bench-scores.
if Context.environment["NACRE_BENCH"] != nil {
    package.targets.append(
        .executableTarget(
            name: "nacre-bench-scores", dependencies: ["NacreCore", "NacreEngine", "NacreLlama"], path: "Tests/Bench",
            swiftSettings: house))
}
