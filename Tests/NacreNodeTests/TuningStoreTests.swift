import Foundation
import NacreCoordinator
import NacreCore
import NacreProtocol
import Testing

/// What `auto` found is there at the next start.
@Suite struct TuningStoreTests {
    private static func tuning(_ draft: String, _ policy: PolicySpecification.Name = .ema) -> KeptTuning {
        let key = KeptTuning.Key(target: "t.gguf (8M)", draft: draft, method: "stream", places: ["e on 0", "e on 1"])
        var arms: [PolicySpecification: OnlineTuner.Arm] = [:]
        arms[PolicySpecification(.svip)] = OnlineTuner.Arm(weight: 2.5, sum: -0.5, squares: 0.25, pause: 192)
        return KeptTuning(key: key, incumbent: PolicySpecification(policy), arms: arms)
    }

    private func with(_ body: (TuningStore) throws -> Void) throws { try warned { store, _ in try body(store) } }

    private func warned(_ body: (TuningStore, Warnings) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "nacre-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let warnings = Warnings()
        try body(TuningStore(path: folder.appending(path: "policies.json").path, warn: warnings.add), warnings)
    }

    @Test("what was written is read, beside what others wrote, and the latest counts")
    func roundTrip() throws {
        try with { store in
            #expect(store.read().isEmpty)
            try store.write([Self.tuning("a"), Self.tuning("b")])
            try store.write([Self.tuning("b", .svip)])
            let all = [Self.tuning("a"), Self.tuning("b", .svip)]
            #expect(store.read() == Dictionary(uniqueKeysWithValues: all.map { ($0.key, $0) }))
            #expect(store.read().values.allSatisfy { $0.arms.count == 1 })
        }
    }

    @Test("the latest of many pairs are kept")
    func bounded() throws {
        try with { store in
            try store.write((0..<300).map { Self.tuning("d\($0)") })
            let kept = store.read().keys.map(\.draft)
            #expect(kept.count == 256 && kept.contains("d299") && !kept.contains("d43"))
        }
        // One that is kept again and again takes one place.
        try with { store in
            try store.write([Self.tuning("a")])
            for _ in 0..<256 { try store.write([Self.tuning("b")]) }
            #expect(store.read().count == 2)
        }
    }

    @Test("what is damaged counts as never found and is replaced")
    func damaged() throws {
        try warned { store, warnings in
            try store.write([Self.tuning("a")])
            let text = try String(contentsOfFile: store.path, encoding: .utf8)
            for damage in [
                "", String(text.prefix(text.count / 2)), text.replacing("\"version\" : 1", with: "\"version\" : 2"),
                text.replacing("\"ema\"", with: "\"fastest\""),
            ] {
                #expect(damage != text, "the damage is none")
                try Data(damage.utf8).write(to: URL(filePath: store.path))
                #expect(store.read().isEmpty, "\(damage)")
            }
            #expect(warnings.all.count == 3, "a policy that is tried no more is no damage")
            try Data(text.replacing("192", with: "-1").utf8).write(to: URL(filePath: store.path))
            #expect(store.read().values.first?.arms.isEmpty == true, "trials that cannot be")
            try store.write([Self.tuning("b")])
            #expect(store.read().count == 2)
        }
    }

    @Test("a folder that cannot be written is an error, not a crash")
    func unwritable() throws {
        try with { store in
            let folder = URL(filePath: store.path).deletingLastPathComponent()
            try Data("a file".utf8).write(to: folder)
            #expect(throws: (any Error).self) { try store.write([Self.tuning("a")]) }
        }
    }
}
