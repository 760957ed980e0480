import Foundation
import Testing

/// What a reader should not have to check: import arrows, banned calls, lengths, docs.
@Suite struct TidyTests {
    static let sources = SourceTree.files(under: "Sources")

    /// Who may import whom inside the package; docs/architecture.md draws it. A new arrow is a design change.
    static let arrows: [String: Set<String>] = [
        "NacreCore": [],
        "NacreProtocol": ["NacreCore"],
        "NacreCache": [],
        "NacreEngine": ["NacreCore", "NacreCache"],
        "NacreLlama": ["NacreCore", "NacreEngine", "CLlama"],
        "NacreModels": ["NacreCore", "NacreEngine", "NacreLlama"],
        "NacreWire": ["NacreCore", "NacreProtocol", "NacreEngine", "CNacreProto"],
        "NacreEngineLink": ["NacreCore", "NacreEngine", "NacreWire"],
        "NacreTransport": ["NacreCore", "NacreProtocol", "NacreWire"],
        "NacreHTTP": ["CNghttp2"],
        "NacreAPI": [],
        "NacreNode": ["NacreAPI"],
        "NacreRoles": ["NacreCore", "NacreProtocol", "NacreEngine", "NacreTransport"],
        "NacreModelNode": [
            "NacreCore", "NacreEngine", "NacreEngineLink", "NacreLlama", "NacreNode", "NacreProtocol",
            "NacreTransport", "NacreWire",
        ],
        "NacreCoordinator": [
            "NacreCore", "NacreProtocol", "NacreCache", "NacreAPI", "NacreTransport", "NacreHTTP",
        ],
        "NacreClient": ["NacreCore", "NacreAPI", "NacreHTTP", "NacreNode"],
        "NacreSimulator": ["NacreCore", "NacreProtocol", "NacreEngine", "NacreWire"],
        "nacre": ["NacreAPI", "NacreClient", "NacreLlama", "NacreModels", "NacreNode"],
        "nacre-coordinator": ["NacreCoordinator", "NacreHTTP", "NacreNode", "NacreTransport"],
        "nacre-verifier": [
            "NacreCore", "NacreEngine", "NacreLlama", "NacreModelNode", "NacreNode", "NacreProtocol", "NacreRoles",
            "NacreTransport",
        ],
        "nacre-drafter": [
            "NacreCore", "NacreEngine", "NacreLlama", "NacreModelNode", "NacreNode", "NacreProtocol", "NacreRoles",
            "NacreTransport",
        ],
        "nacre-layers": ["NacreEngine", "NacreLlama", "NacreNode"],
        "nacre-sim": ["NacreSimulator"],
    ]

    /// What the pure targets may import from outside the package.
    static let pureImports: [String: Set<String>] = [
        "NacreCore": ["RealModule"],
        "NacreProtocol": ["DequeModule"],
    ]

    private static func imports(_ file: SourceTree.File) -> [String] {
        file.lines.compactMap { line in
            let words = line.split(separator: " ")
            guard let index = words.firstIndex(of: "import"), words.prefix(index).allSatisfy(isModifier),
                words.count > index + 1
            else { return nil }
            return words[(index + 1)...].last.map { String($0.split(separator: ".").first ?? $0) }
        }
    }

    private static func isModifier(_ word: Substring) -> Bool {
        ["package", "internal", "public", "private", "fileprivate"].contains(word) || word.hasPrefix("@")
    }

    @Test("imports follow the drawn arrows") func arrows() {
        let targets = Set(Self.arrows.keys).union(["CLlama", "CNacreProto", "CNghttp2", "CProtobufC"])
        for file in Self.sources {
            guard let allowed = Self.arrows[file.target] else {
                Issue.record("\(file.path): target \(file.target) has no entry in TidyTests.arrows")
                continue
            }
            for module in Self.imports(file) where targets.contains(module) && !allowed.contains(module) {
                Issue.record("\(file.path): \(file.target) may not import \(module)")
            }
        }
    }

    @Test("docs/architecture.md draws the arrows") func drawing() throws {
        let table = try SourceTree.lines("docs/architecture.md").map { line in
            line.split(separator: "|", omittingEmptySubsequences: false).map { $0.trimmingCharacters(in: .whitespaces) }
        }
        for (target, allowed) in Self.arrows {
            let rows = table.filter { $0.count == 5 && $0[1].contains("`\(target)`") }
            let words = rows.first?[3].split { ",; `".contains($0) }.map(String.init) ?? []
            let drawn = Set(words.flatMap { [$0, "Nacre\($0)"] })
            let known = Set(Self.arrows.keys).union(allowed)
            if rows.count != 1 || drawn.intersection(known) != allowed {
                Issue.record("\(target): its row draws \(words), TidyTests.arrows has \(allowed.sorted())")
            }
        }
    }

    @Test("the arrows have no cycle") func acyclic() {
        var remaining = Self.arrows
        while let leaf = remaining.first(where: { $0.value.allSatisfy { remaining[$0] == nil } })?.key {
            remaining[leaf] = nil
        }
        #expect(remaining.isEmpty, "a cycle among \(remaining.keys.sorted())")
    }

    @Test("the core and the machines are pure") func purity() {
        for file in Self.sources {
            guard let outside = Self.pureImports[file.target], let inside = Self.arrows[file.target] else { continue }
            for module in Self.imports(file) where !outside.contains(module) && !inside.contains(module) {
                Issue.record("\(file.path): imports \(module)")
            }
            for word in ["Date()", "ContinuousClock", "SystemRandomNumberGenerator", ".random(in", "Task {", "actor "] {
                for (number, line) in file.lines.enumerated() where Self.code(line).contains(word) {
                    Issue.record("\(file.path):\(number + 1): '\(word)' in pure code")
                }
            }
        }
    }

    @Test("nothing forbidden is called without a written reason") func bannedCalls() {
        for file in Self.sources {
            for (number, line) in file.lines.enumerated() {
                let code = Self.code(line)
                for word in ["try!", "as! ", "Thread.sleep", "usleep(", "fatalError("] where code.contains(word) {
                    Issue.record("\(file.path):\(number + 1): \(word)")
                }
                for word in ["@unchecked Sendable", "nonisolated(unsafe)"] where code.contains(word) {
                    let reason = file.lines[max(0, number - 6)..<number].contains { $0.contains("//") }
                    if !reason { Issue.record("\(file.path):\(number + 1): \(word) without a reason above it") }
                }
            }
        }
    }

    @Test("no file is longer than 300 lines, no line longer than 120 columns") func lengths() {
        for file in Self.sources {
            if file.lines.count > 301 { Issue.record("\(file.path): \(file.lines.count) lines") }
            for (number, line) in file.lines.enumerated() where line.count > 120 {
                Issue.record("\(file.path):\(number + 1): \(line.count) columns")
            }
        }
    }

    @Test("no note of unfinished work is left in the code") func notes() {
        let words = ["TO" + "DO", "FIX" + "ME"]
        for file in Self.sources + SourceTree.files(under: "Tests") {
            for (number, line) in file.lines.enumerated() {
                for word in words where line.contains(word) {
                    Issue.record("\(file.path):\(number + 1): \(word)")
                }
            }
        }
    }

    @Test("every type of the package's face has a doc comment") func docs() {
        let kinds = ["struct ", "enum ", "class ", "actor ", "protocol "]
        for file in Self.sources {
            for (number, line) in file.lines.enumerated() {
                guard line.hasPrefix("package "), !line.hasPrefix("package import"),
                    kinds.contains(where: { line.contains(" \($0)") })
                else { continue }
                var above = number - 1
                while above >= 0, file.lines[above].hasPrefix("@") { above -= 1 }
                if above < 0 || !file.lines[above].hasPrefix("///") {
                    Issue.record("\(file.path):\(number + 1): no doc comment")
                }
            }
        }
    }

    /// The line without its comment and without what stands in quotation marks.
    private static func code(_ line: String) -> String {
        var code = ""
        var isQuoted = false
        for part in line.split(separator: "\"", omittingEmptySubsequences: false) {
            if !isQuoted { code += part }
            isQuoted.toggle()
        }
        return code.range(of: "//").map { String(code[..<$0.lowerBound]) } ?? code
    }
}
