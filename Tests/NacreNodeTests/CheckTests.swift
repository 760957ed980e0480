import NacreClient
import NacreNode
import Testing

/// What `nacre check` compares, and how it judges.
@Suite struct CheckTests {
    @Test("a check passes with ties that rounding tipped, and fails on any other difference")
    func judgement() throws {
        var noise = Noise()
        noise.compare([1], [3], [1], [3.125])
        let tie = Divergence(prompt: 0, position: 2, plainToken: 3, token: 9, margin: 0.0625)
        let defect = Divergence(prompt: 1, position: 4, plainToken: 3, token: 9, margin: 2)
        var cell = CheckCell(method: "stream", temperature: 0.8)
        func settle() -> Comparison.Result {
            cell.settle(noise)
            return Comparison.Result(cells: [cell], noises: [0.8: noise])
        }
        #expect(settle().failure == nil && cell.sentence(noise) == nil)
        cell.add(tie)
        #expect(settle().failure == nil && settle().divergences == 1 && cell.unexplained == 0)
        #expect(cell.sentence(noise)?.hasSuffix("0.062500 nats: within the noise of 0.125000 nats") == true)
        cell.add(defect)
        cell.add(tie)
        let failure = try #require(settle().failure)
        #expect(failure.code == .failed && failure.message.contains("1 outputs differ"))
        #expect(settle().divergences == 3 && settle().unexplained == 1 && !cell.passes)
        #expect(cell.sentence(noise)?.contains("prompt 2") == true, "the worst is shown")
        // Noise at one temperature excuses nothing at another.
        cell.settle(Noise())
        #expect(cell.unexplained == 3)
    }

    @Test("a job that fails fails the check, and so does a value that no combination could use")
    func failures() throws {
        var (chain, tree) = (CheckCell(method: "pearl"), CheckCell(method: "pearl", tree: "best"))
        func failure(_ cells: CheckCell...) -> NacreError? { Comparison.Result(cells: cells, noises: [:]).failure }
        tree.refusal = "use stream"
        #expect(failure(chain, tree)?.code == .badUsage, "best was not checked at all")
        #expect(failure(chain, tree)?.message.contains("use stream") == true)
        #expect(failure(chain, tree, CheckCell(method: "stream", tree: "best")) == nil)
        chain.failure = "the engine failed"
        #expect(failure(chain)?.code == .failed)
        #expect(failure(chain)?.message.contains("pearl, coupled, chain, 1 job, 1 verifier, 1 drafter") == true)
    }

    @Test("the matrix is every combination once, and only the coupled rule at a temperature")
    func matrix() {
        let grid = CheckGrid.matrix
        #expect(grid.clusters.count == 4)
        let cells = grid.clusters.flatMap { grid.cells(on: $0) }
        #expect(cells.count == 4 * (3 * 4 * 2 + 4 * 2))
        #expect(Set(cells.map(\.name)).count == cells.count)
        #expect(cells.filter { $0.temperature > 0 }.allSatisfy { $0.rule == "coupled" && $0.temperature == 0.8 })
        #expect(cells.contains { $0.tree == "4,2,2,1" && $0.jobs == 4 && $0.verifiers == 2 && $0.drafters == 2 })
        #expect(cells.contains { $0.rule == "block" && $0.branches > 0 && $0.tree == "chain" })
        #expect(cells.filter { $0.branches > 0 }.allSatisfy { $0.tree == "chain" })
    }

    @Test("a rule that draws another text cannot be compared above temperature 0")
    func incomparable() {
        var grid = CheckGrid()
        grid.rules = ["coupled", "block"]
        #expect(grid.incomparableRule == nil)
        grid.temperatures = [0.8]
        #expect(grid.incomparableRule == "block")
        #expect(grid.cells(on: grid.clusters[0]).map(\.rule) == ["coupled", "coupled", "coupled"])
    }
}
