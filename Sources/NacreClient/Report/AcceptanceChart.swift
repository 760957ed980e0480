/// Lines of the share of drafts that were accepted, by how far ahead they were.
enum AcceptanceChart {
    private static let (width, height) = (880.0, 300.0)
    private static let (left, right, top, foot) = (56.0, 270.0, 12.0, 48.0)
    private static let positionsMax = 16
    /// More lines than these are a tangle.
    static let linesMax = 8
    private static let dashes = [nil, "6 4", "2 3", "9 3 2 3"]

    /// `nil` if nothing was judged.
    static func picture(_ cells: [BenchmarkCell]) -> String? {
        let cells = cells.filter { !$0.acceptanceByPosition.isEmpty }.prefix(linesMax)
        guard let longest = cells.map(\.acceptanceByPosition.count).max() else { return nil }
        let positions = min(longest, positionsMax)
        var picture = Picture(width: width, height: height)
        let (end, bottom) = (width - right, height - foot)
        func x(_ position: Int) -> Double {
            positions == 1 ? (left + end) / 2 : left + 16 + (end - left - 32) * Double(position) / Double(positions - 1)
        }
        func y(_ share: Double) -> Double { bottom - (bottom - top) * share }
        for share in [0, 0.25, 0.5, 0.75, 1] {
            picture.line(left, y(share), end, y(share), style: "grid")
            picture.text("\(Int(100 * share)) %", left - 8, y(share) + 4, style: "t small", anchor: .end)
        }
        for position in 0..<positions {
            picture.text("\(position + 1)", x(position), bottom + 16, style: "t small", anchor: .middle)
        }
        picture.text(
            "position of the draft behind the last decided token", (left + end) / 2, bottom + 36, style: "t small",
            anchor: .middle)
        var seen: [String: Int] = [:]
        for (number, cell) in cells.enumerated() {
            let dash = dashes[seen[cell.method, default: 0] % dashes.count]
            seen[cell.method, default: 0] += 1
            let points = cell.acceptanceByPosition.prefix(positions).enumerated().map { (x: x($0), y: y($1)) }
            picture.path(points, style: "s \(cell.method)", dashes: dash)
            for (position, share) in cell.acceptanceByPosition.prefix(positions).enumerated() {
                picture.dot(
                    x(position), y(share), radius: 3, style: "f \(cell.method)",
                    tip: "\(cell.name), position \(position + 1): \(Figures.percent(share))")
            }
            let place = top + 8 + 22 * Double(number)
            picture.path(
                [(x: end + 20, y: place), (x: end + 46, y: place)], style: "s \(cell.method)", dashes: dash)
            picture.text(
                "\(cell.name.prefix(30)) (\(Figures.percent(cell.acceptanceRate)))", end + 54, place + 4,
                style: "t small", tip: cell.name)
        }
        return picture.svg(label: "Accepted drafts by position")
    }
}
