import NacreCore

/// Bars of the speed against plain decoding, with the spread and every sample; one picture for each number of jobs.
enum SpeedChart {
    private static let (width, names, values) = (880.0, 250.0, 150.0)
    private static let (row, top, foot) = (30.0, 8.0, 46.0)
    private static let nameMax = 36
    private static let dotsMax = 80

    /// - Parameters:
    ///   - cells: of one number of jobs, without plain decoding.
    ///   - scale: of all pictures of the page, so that they can be compared.
    static func picture(_ cells: [BenchmarkCell], scale: Axis) -> String {
        var picture = Picture(width: width, height: top + row * Double(cells.count) + foot)
        let bottom = top + row * Double(cells.count)
        let room = width - names - values
        func x(_ ratio: Double) -> Double { names + room * min(1, ratio / scale.end) }
        for tick in scale.ticks where tick <= scale.end {
            picture.line(x(tick), top, x(tick), bottom, style: "grid")
            picture.text(scale.text(tick), x(tick), bottom + 16, style: "t small", anchor: .middle)
        }
        for (number, cell) in cells.enumerated() {
            guard let ratio = cell.ratio else { continue }
            let middle = top + row * (Double(number) + 0.5)
            let tip =
                "\(cell.name): median \(figure(ratio.median)), quartiles \(figure(ratio.low)) to "
                + "\(figure(ratio.high)), \(ratio.count) samples"
            picture.text(shortened(cell.name), names - 10, middle + 4, anchor: .end, tip: cell.name)
            picture.rectangle(
                names, middle - 8, width: x(ratio.median) - names, height: 16, style: "f \(cell.method)", radius: 2,
                tip: tip)
            for sample in cell.ratios.suffix(dotsMax) {
                picture.dot(x(sample), middle, radius: 2.2, style: "sample", tip: figure(sample))
            }
            if ratio.count > 1 {
                picture.line(x(ratio.low), middle, x(ratio.high), middle, style: "whisker")
                for end in [ratio.low, ratio.high] {
                    picture.line(x(end), middle - 5, x(end), middle + 5, style: "whisker")
                }
            }
            picture.text(figure(ratio.median), names + room + 12, middle + 4, style: "t strong")
            picture.text(
                Figures.range(ratio, digits: 2), names + room + 66, middle + 4, style: "t small", tip: "quartiles")
        }
        picture.line(x(1), top - 4, x(1), bottom + 4, style: "one")
        picture.text(
            "tokens per second over plain decoding's; the line at 1 is plain decoding", names + room / 2, bottom + 36,
            style: "t small", anchor: .middle)
        return picture.svg(label: "Speed against plain decoding")
    }

    /// An axis for all of them.
    static func scale(_ cells: [BenchmarkCell]) -> Axis {
        let largest = cells.flatMap { [$0.ratio?.high ?? 0] + $0.ratios }.max() ?? 1
        let highest = cells.compactMap { $0.ratio?.high }.max() ?? 1
        return Axis(upTo: max(1.2, min(largest, 1.5 * highest) * 1.04))
    }

    private static func figure(_ ratio: Double) -> String { Figures.decimal(ratio, digits: 2) + "×" }

    private static func shortened(_ name: String) -> String {
        name.count > nameMax ? name.prefix(nameMax - 1) + "…" : name
    }
}
