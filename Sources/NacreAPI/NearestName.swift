/// Finds the name that a misspelt one was probably meant to be.
package enum NearestName {
    /// The candidate with the smallest edit distance, if it is at most a third of the name's length (at least 2).
    package static func of(_ name: String, among candidates: [String]) -> String? {
        let ranked = candidates.map { (name: $0, distance: distance(name, $0)) }.min { $0.distance < $1.distance }
        guard let best = ranked, best.distance <= max(2, name.count / 3) else { return nil }
        return best.name
    }

    /// "unknown key 'top_kk': did you mean 'top_k'?"
    package static func complaint(about name: String, kind: String, among candidates: [String]) -> String {
        guard let nearest = of(name, among: candidates) else {
            return "unknown \(kind) '\(name)': known are \(candidates.sorted().joined(separator: ", "))"
        }
        return "unknown \(kind) '\(name)': did you mean '\(nearest)'?"
    }

    /// Levenshtein's edit distance.
    private static func distance(_ left: String, _ right: String) -> Int {
        let right = Array(right)
        var row = Array(0...right.count)
        for (i, character) in left.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, other) in right.enumerated() {
                let cost = min(row[j] + 1, row[j + 1] + 1, diagonal + (character == other ? 0 : 1))
                diagonal = row[j + 1]
                row[j + 1] = cost
            }
        }
        return row[right.count]
    }
}
