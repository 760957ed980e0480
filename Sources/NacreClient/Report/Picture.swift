/// A picture in SVG, mark by mark, without a script: what is not drawn is said in a mark's title, which browsers show.
///
/// Coordinates are pixels at the picture's own width; colours come from the page's style by class.
struct Picture {
    enum Anchor: String { case start, middle, end }

    let width: Double
    let height: Double
    private var marks: [String] = []

    init(width: Double, height: Double) {
        self.width = width
        self.height = height
    }

    /// - Parameter tip: shown where the pointer rests.
    mutating func rectangle(
        _ x: Double, _ y: Double, width: Double, height: Double, style: String, radius: Double = 0, tip: String? = nil
    ) {
        let corner = radius > 0 ? #" rx="\#(Self.number(radius))""# : ""
        let place = Self.attributes(("x", x), ("y", y), ("width", max(0, width)), ("height", max(0, height)))
        close("<rect class=\"\(style)\"\(place)\(corner)", tip)
    }

    mutating func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, style: String) {
        close("<line class=\"\(style)\"\(Self.attributes(("x1", x1), ("y1", y1), ("x2", x2), ("y2", y2)))", nil)
    }

    mutating func dot(_ x: Double, _ y: Double, radius: Double, style: String, tip: String? = nil) {
        close("<circle class=\"\(style)\"\(Self.attributes(("cx", x), ("cy", y), ("r", radius)))", tip)
    }

    /// A line through points.
    mutating func path(_ points: [(x: Double, y: Double)], style: String, dashes: String? = nil) {
        let places = points.map { "\(Self.number($0.x)),\(Self.number($0.y))" }.joined(separator: " ")
        let dashes = dashes.map { " stroke-dasharray=\"\($0)\"" } ?? ""
        close("<polyline class=\"\(style)\" points=\"\(places)\"\(dashes)", nil)
    }

    mutating func text(
        _ text: String, _ x: Double, _ y: Double, style: String = "t", anchor: Anchor = .start, tip: String? = nil
    ) {
        let place = Self.attributes(("x", x), ("y", y))
        let title = tip.map { "<title>\(Markup.escaped($0))</title>" } ?? ""
        marks.append(
            "<text class=\"\(style)\"\(place) text-anchor=\"\(anchor.rawValue)\">\(title)\(Markup.escaped(text))</text>"
        )
    }

    /// - Parameter label: what it shows, for those who do not see it.
    func svg(label: String) -> String {
        let size = "\(Self.number(width)) \(Self.number(height))"
        return """
            <div class="picture"><svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(size)" role="img" \
            aria-label="\(Markup.escaped(label))">
            \(marks.joined(separator: "\n"))
            </svg></div>
            """
    }

    private mutating func close(_ open: String, _ tip: String?) {
        let name = open.dropFirst().prefix { $0 != " " }
        marks.append(tip.map { "\(open)><title>\(Markup.escaped($0))</title></\(name)>" } ?? "\(open)/>")
    }

    private static func attributes(_ pairs: (String, Double)...) -> String {
        pairs.map { " \($0)=\"\(number($1))\"" }.joined()
    }

    private static func number(_ value: Double) -> String {
        let text = Figures.decimal(value, digits: 1)
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }
}

/// Text in markup.
enum Markup {
    /// Without what markup would take for its own, and without characters that XML knows not.
    static func escaped(_ text: String) -> String {
        Terminal.harmless(text).replacing("&", with: "&amp;").replacing("<", with: "&lt;")
            .replacing(">", with: "&gt;").replacing("\"", with: "&quot;")
    }
}

/// Round numbers along an axis that begins at 0.
struct Axis {
    /// From 0 on.
    let ticks: [Double]
    /// Where it ends: at `ticks.last` or a little later.
    let end: Double

    /// - Parameter most: the largest value to be shown.
    init(upTo most: Double, ticks count: Int = 6) {
        let most = most > 0 && most.isFinite ? most : 1
        let raw = most / Double(count)
        var power = 1.0
        while power > raw { power /= 10 }
        while power * 10 <= raw { power *= 10 }
        let step = [1, 2, 2.5, 5, 10].first { $0 * power >= raw }.map { $0 * power } ?? 10 * power
        end = most
        ticks = (0...max(1, Int(most / step + 1e-9))).map { Double($0) * step }
    }

    /// `value` as the ticks are written.
    func text(_ value: Double) -> String {
        let step = ticks.count > 1 ? ticks[1] : 1
        let digits = step >= 1 && step == step.rounded() ? 0 : step * 10 == (step * 10).rounded() ? 1 : 2
        return Figures.decimal(value, digits: digits)
    }
}
