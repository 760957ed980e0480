package import NacreNode

/// Rows for people as aligned columns, for programs as tab-separated lines.
package struct Table: Sendable {
    package let columns: [String]
    package private(set) var rows: [[String]] = []

    package init(_ columns: String...) { self.columns = columns }

    /// Adds a row with one cell per column.
    package mutating func add(_ cells: String...) {
        precondition(cells.count == columns.count, "\(cells.count) cells for \(columns.count) columns")
        rows.append(cells)
    }

    package func write(to terminal: Terminal) throws(NacreError) {
        if terminal.isInteractive {
            for (index, line) in aligned.enumerated() {
                try terminal.line(line, isBold: index == 0)
            }
        } else {
            for row in rows { try terminal.line(row.map(Self.escaped).joined(separator: "\t")) }
        }
    }

    /// Header and rows, padded; the last column is not.
    package var aligned: [String] { aligned(columns: columns.count) }

    /// The first `shown` columns of them.
    package func aligned(columns shown: Int) -> [String] {
        let all = ([columns.map { $0.uppercased() }] + rows.map { $0.map(Self.escaped) }).map { $0.prefix(shown) }
        let widths = columns.indices.prefix(shown).map { column in all.map { $0[column].count }.max() ?? 0 }
        return all.map { row in
            let cells = row.enumerated().map { column, cell in
                column == row.count - 1 ? cell : cell + String(repeating: " ", count: widths[column] - cell.count)
            }
            return cells.joined(separator: "  ")
        }
    }

    /// A cell on one line: backslash, tab and line breaks are written `\\`, `\t`, `\n` and `\r`.
    package static func escaped(_ cell: String) -> String {
        cell.replacing("\\", with: "\\\\").replacing("\t", with: "\\t")
            .replacing("\r\n", with: "\\r\\n").replacing("\n", with: "\\n").replacing("\r", with: "\\r")
    }
}
