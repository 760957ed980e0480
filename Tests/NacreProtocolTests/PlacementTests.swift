import NacreCore
import NacreProtocol
import Testing

/// Which drafters and helpers a job gets.
@Suite struct PlacementTests {
    private typealias Rig = CoordinatorRig

    /// A job that wants `drafters`, on verifier 1, with drafters on `links` whose incarnations are their links.
    private static func rig(drafters: Int, links: ClosedRange<Int>) -> Rig {
        var rig = Rig()
        rig.join(1, .verifier)
        for link in links { rig.joinDrafter(link) }
        rig.submit(Speculation(.stream, drafters: drafters))
        return rig
    }

    @Test("a job gets as many different drafters as it wants, and keeps wishing for those that are lacking")
    func severalDrafters() {
        var rig = Self.rig(drafters: 3, links: 10...10)
        #expect(rig.placed?.assignment.offers.map(\.address) == ["a10"])
        rig.joinDrafter(11)
        #expect(rig.offers == ["a11"], "only the new one")
        rig.wait(100)
        #expect(rig.offers == [], "none twice")
        rig.joinDrafter(12)
        #expect(rig.offers == ["a12"])
        rig.joinDrafter(13)
        #expect(rig.offers == [], "it has all it wants")
    }

    @Test("of several drafters the one that is lost is replaced, and the others stay")
    func lostDrafter() {
        var rig = Self.rig(drafters: 2, links: 10...12)
        #expect(rig.placed?.assignment.offers.map(\.address) == ["a10", "a11"])
        #expect(rig.hire(lost: 10) == ["a12"])
        #expect(rig.hire(lost: 12) == ["a10"], "rather than the one just lost")
        rig.step(.closed(11))
        #expect(rig.offers == ["a12"], "a drafter that is gone is replaced at once")
        #expect(rig.hire(lost: 11) == ["a10", "a12"], "the verifier may have had no use for that offer then")
    }

    @Test("a drafter is offered to no more jobs than it has sequences, and is free again when a job is over")
    func sequences() {
        var rig = Self.rig(drafters: 2, links: 10...11)
        rig.join(2, .verifier)
        let second = JobID(high: 0, low: 2)
        rig.submit(Speculation(.stream, drafters: 2), job: second)
        #expect(rig.placed?.link == 2 && rig.placed?.assignment.offers == [])
        rig.end(1, 1, .length)
        #expect(rig.offers == ["a10", "a11"])
    }

    @Test("helpers are other verifiers of the same weights that can be reached, the least loaded first")
    func helpers() {
        var rig = Rig()
        rig.join(1, .verifier, sequences: 4)
        rig.join(2, .verifier, sequences: 4)
        rig.join(3, .verifier, sequences: 4)
        rig.join(4, .verifier, model: 6)
        rig.join(5, .verifier, address: "")
        rig.join(6, .verifier, engine: "another build")
        rig.join(7, .verifier, isExact: false)
        rig.joinDrafter(10)
        rig.submit(Speculation(.stream, helpers: 16), job: JobID(high: 0, low: 2))
        #expect(rig.placed?.link == 1)
        #expect(rig.placed?.assignment.helpers.map(\.address) == ["a2", "a3"])
        rig.submit(Speculation(.stream, helpers: 1), job: JobID(high: 0, low: 3))
        #expect(rig.placed?.link == 2)
        #expect(rig.placed?.assignment.helpers.map(\.address) == ["a3"], "verifier 1 has a job already")
        rig.submit(Speculation(.stream))
        #expect(rig.placed?.assignment.helpers == [], "none that it did not ask for")
    }

    @Test("a job that ran on a verifier with inexact rounding says so for ever, another one does not")
    func rounding() {
        var rig = Rig()
        rig.join(1, .verifier, isExact: false)
        rig.submit()
        #expect(rig.placed?.link == 1 && rig.record?.isExact == false)
        rig.join(2, .verifier)
        rig.step(.closed(1))
        #expect(rig.placed?.link == 2 && rig.record?.isExact == false)
        let other = JobID(high: 0, low: 2)
        rig.submit(job: other)
        #expect(rig.machine.jobs[other]?.isExact == true)
    }

    @Test("what was asked for reaches the verifier as it is")
    func speculation() throws {
        var rig = Rig()
        rig.join(1, .verifier)
        let asked = Speculation(
            .speculative, gamma: 3, rule: .rejection, shape: .fixed(try TreeShape([4, 2])), payload: .scalar,
            drafters: 1)
        rig.submit(asked)
        #expect(rig.placed?.assignment.speculation == asked)
    }

    @Test("a job whose verifier said goodbye waits and says why, until another one has it")
    func setback() {
        var rig = Rig()
        rig.join(1, .verifier)
        rig.submit()
        #expect(rig.record?.setback == nil)
        rig.step(.received(1, .goodbye(Goodbye(code: .shuttingDown, detail: "a host is lost"))))
        #expect(rig.record?.state == .queued && rig.record?.setback == "its verifier was lost (a host is lost)")
        rig.join(2, .verifier)
        #expect(rig.record?.state == .running(2, 2) && rig.record?.setback == nil)
    }

    @Test("a job without a drafter gets one as soon as there is one")
    func wishes() {
        var rig = Rig()
        rig.join(1, .verifier)
        rig.submit()
        #expect(rig.placed?.assignment.offers == [])
        rig.join(10, .drafter, reportsVocabulary: false)
        let offers = rig.effects.compactMap {
            if case .send(1, .offers(let offers)) = $0 { offers.offers } else { nil }
        }
        #expect(offers == [[Offer(address: "a10", incarnation: 1)]])
        // It is lost, and the verifier asks again: the wish is kept until the next drafter comes.
        rig.step(.closed(10))
        rig.step(.received(1, .hire(Hire(job: Rig.job, attempt: 1))))
        #expect(rig.effects.isEmpty)
        rig.join(11, .drafter, reportsVocabulary: false)
        #expect(rig.effects.contains { if case .send(1, .offers) = $0 { true } else { false } })
    }

    @Test("a job that lost its drafter is offered another one first, and the same one if there is no other")
    func anotherDrafter() {
        var rig = Rig()
        rig.join(10, .drafter, reportsVocabulary: false)
        rig.join(11, .drafter, reportsVocabulary: false)
        rig.join(1, .verifier)
        rig.submit()
        #expect(rig.placed?.assignment.offers.map(\.address) == ["a10"])
        #expect(rig.hire() == ["a11"])
        rig.step(.closed(10))
        #expect(rig.hire() == ["a11"])
    }

    @Test("two drafters that decline do not keep a job from a third that is busier")
    func unsuitedDrafters() {
        var rig = Rig()
        rig.join(1, .verifier)
        rig.join(12, .drafter, reportsVocabulary: false, sequences: 4, incarnation: 12)
        rig.submit(job: JobID(high: 0, low: 2))
        #expect(rig.placed?.assignment.offers.map(\.address) == ["a12"])
        rig.end(1, 1, .length)
        rig.join(2, .verifier)
        for link in [10, 11] { rig.joinDrafter(link) }
        rig.submit()
        #expect(rig.placed?.link == 2 && rig.placed?.assignment.offers.map(\.address) == ["a10"])
        func decline(_ lost: Incarnation) -> [String] {
            rig.step(.received(2, .hire(Hire(job: Rig.job, attempt: 1, lost: [lost]))))
            return rig.offers
        }
        #expect(decline(10) == ["a11"])
        #expect(decline(11) == ["a12"], "it serves another job, but has not declined")
        #expect(decline(12) == ["a10"], "the one that was lost the longest ago")
        #expect(decline(10) == ["a11"])
    }

    @Test("two drafters lost between two hires are both replaced, and come after the others from then on")
    func twoLost() {
        var rig = Rig()
        rig.join(1, .verifier)
        for link in [10, 11, 12, 13] { rig.joinDrafter(link) }
        rig.submit(Speculation(.stream, drafters: 2))
        #expect(rig.placed?.assignment.offers.map(\.address) == ["a10", "a11"])
        #expect(rig.hire(lost: 11, 10) == ["a12", "a13"])
        #expect(rig.hire(lost: 12, 13) == ["a11", "a10"], "the one that was lost the longest ago comes first")
    }

    @Test("a plain job is offered no drafter")
    func autoregressive() {
        var rig = Rig()
        rig.join(10, .drafter, reportsVocabulary: false)
        rig.join(1, .verifier)
        rig.submit(Speculation(.autoregressive, drafters: 2))
        #expect(rig.placed?.assignment.offers == [])
    }
}
