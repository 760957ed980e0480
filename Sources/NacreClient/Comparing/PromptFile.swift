import Foundation
package import NacreNode

/// Prompts for `nacre check`.
package enum PromptFile {
    /// Reads a file of prompts, see `parse`.
    ///
    /// - Throws: `.badUsage` if it cannot be read or holds none.
    package static func read(_ path: String) throws(NacreError) -> [String] {
        guard let data = FileManager.default.contents(atPath: path), let text = String(bytes: data, encoding: .utf8)
        else {
            throw NacreError(.badUsage, "cannot read the prompts in \(path)", remedy: "check --prompts")
        }
        let prompts = parse(text)
        guard !prompts.isEmpty else { throw NacreError(.badUsage, "there are no prompts in \(path)") }
        return prompts
    }

    /// One prompt per line; or, if any line is `---`, one between each two such lines. Empty prompts are left out.
    package static func parse(_ text: String) -> [String] {
        let lines = text.replacing("\r\n", with: "\n").split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.contains("---") else { return lines.filter { !$0.isEmpty }.map(String.init) }
        return lines.split(separator: "---", omittingEmptySubsequences: true)
            .map { $0.joined(separator: "\n") }
            .filter { $0.contains { !$0.isWhitespace } }
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
