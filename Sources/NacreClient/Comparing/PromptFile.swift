import Foundation
package import NacreNode

/// A text to be continued.
package struct Prompt: Sendable, Equatable {
    package let text: String
    /// The kind of text, where a file tells kinds apart.
    package let category: String?

    package init(text: String, category: String? = nil) {
        self.text = text
        self.category = category
    }
}

/// Prompts for `nacre check` and for benchmarks; Models/prompts/README.md describes the files.
package enum PromptFile {
    /// Reads a file of prompts, see `parse`.
    ///
    /// - Throws: `.badUsage` if it cannot be read or holds none.
    package static func read(_ path: String) throws(NacreError) -> [String] { try readAll(path).map(\.text) }

    /// Reads a file of prompts with their categories, see `prompts`.
    ///
    /// - Throws: `.badUsage` if it cannot be read or holds none.
    package static func readAll(_ path: String) throws(NacreError) -> [Prompt] {
        guard let data = FileManager.default.contents(atPath: path), let text = String(bytes: data, encoding: .utf8)
        else {
            throw NacreError(.badUsage, "cannot read the prompts in \(path)", remedy: "check --prompts")
        }
        let prompts = prompts(in: text)
        guard !prompts.isEmpty else { throw NacreError(.badUsage, "there are no prompts in \(path)") }
        return prompts
    }

    /// The texts of `prompts`.
    package static func parse(_ text: String) -> [String] { prompts(in: text).map(\.text) }

    /// One prompt per line; or, if there are separating lines, one between each two of them. A separating line is
    /// `---`, or `--- name` with the category of the prompt below it: small letters, digits and hyphens. Empty prompts
    /// are left out.
    package static func prompts(in text: String) -> [Prompt] {
        let lines = text.replacing("\r\n", with: "\n").split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.contains(where: isSeparator) else {
            return lines.filter { !$0.isEmpty }.map { Prompt(text: String($0)) }
        }
        var prompts: [Prompt] = []
        var category: String?
        var body: [Substring] = []
        func close() {
            let text = body.joined(separator: "\n")
            if text.contains(where: { !$0.isWhitespace }) { prompts.append(Prompt(text: text, category: category)) }
        }
        for line in lines {
            guard isSeparator(line) else {
                body.append(line)
                continue
            }
            close()
            body = []
            category = line == "---" ? nil : String(line.dropFirst(4))
        }
        close()
        return prompts
    }

    private static func isSeparator(_ line: Substring) -> Bool {
        if line == "---" { return true }
        return line.hasPrefix("--- ") && line.count > 4
            && line.dropFirst(4).allSatisfy { $0 == "-" || $0.isASCII && ($0.isLowercase || $0.isNumber) }
    }

    /// A half of the prompts that Nacre comes with (Models/prompts/README.md), one of each category, then the next of
    /// each; the built-in ones where that file is not installed.
    ///
    /// - Parameter turns: how many of each category.
    package static func shipped(
        _ half: String, of installation: Installation, turns: Int = .max
    ) throws(NacreError) -> [Prompt] {
        guard let path = try? installation.model("prompts/\(half).txt") else { return builtIn.map { Prompt(text: $0) } }
        return inTurns(try readAll(path), turns: turns)
    }

    /// One prompt of each category, then the next of each.
    ///
    /// - Parameter turns: how many of each category.
    package static func inTurns(_ prompts: [Prompt], turns: Int = .max) -> [Prompt] {
        var seen: [String?: Int] = [:]
        let numbered = prompts.map { prompt in
            seen[prompt.category, default: 0] += 1
            return (turn: seen[prompt.category, default: 0], prompt: prompt)
        }
        return (1...max(1, numbered.map(\.turn).max() ?? 1)).prefix(turns).flatMap { turn in
            numbered.filter { $0.turn == turn }.map(\.prompt)
        }
    }

    /// Texts to see on how often a drafter agrees with a target: kinds of text in turns, since a slow target has time
    /// for a few of them only.
    ///
    /// - Parameter path: a file of prompts; `nil` takes two of each kind of those that settings are chosen on.
    package static func forAgreement(_ path: String?, of installation: Installation) throws(NacreError) -> [String] {
        guard let path else { return try shipped("tuning", of: installation, turns: 2).map(\.text) }
        return inTurns(try readAll(path)).map(\.text)
    }

    /// Beginnings of Python, the language of the default models.
    package static let builtIn = [
        "def fibonacci(n):\n    \"\"\"Return the n-th Fibonacci number.\"\"\"\n",
        "import os\nimport sys\n\ndef main():\n",
        "class Stack:\n    def __init__(self):\n        self.items = []\n\n    def push(self, item):\n",
        "def read_lines(path):\n    with open(path) as f:\n",
        "for i in range(10):\n    if i % 2 == 0:\n",
        "def quicksort(values):\n    if len(values) <= 1:\n        return values\n",
        "import unittest\n\nclass TestParser(unittest.TestCase):\n    def test_empty(self):\n",
        "def is_prime(n):\n    for d in range(2, int(n ** 0.5) + 1):\n",
        "try:\n    import json\nexcept ImportError:\n",
        "from collections import defaultdict\n\ndef count_words(text):\n    counts = defaultdict(int)\n",
    ]
}
