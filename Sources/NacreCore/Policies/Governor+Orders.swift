extension Governor {
    /// What the lengths that the policy asks for are to the governor.
    package enum Lengths: Sendable, Hashable {
        /// The cost model's own: nothing is longer than it finds best, so nothing is shortened.
        case best
        /// They follow what becomes of drafts, or how sure the drafter is, and know little of what drafts cost, so that
        /// the governor sees to that: kept as long as shorter ones are not faster.
        case adapted
        /// Kept as long as plain decoding is not faster: somebody asked for them.
        case asked
    }

    /// What the cost model expects of the next round, in tokens per microsecond of all jobs that share the pass.
    package struct Forecast: Sendable, Hashable {
        package var plain: Double
        /// With as many drafts as the policy wants.
        package var speculative: Double
        /// With at most the cost model's best length.
        package var shortened: Double
        /// The drafter ends rounds by itself: how long they are is not known, and the cost model's best length is
        /// taken for it.
        package var endsByItself = false

        package init(plain: Double, speculative: Double, shortened: Double? = nil) {
            self.plain = plain
            self.speculative = speculative
            self.shortened = shortened ?? speculative
        }

        /// That of rounds of `drafts`, or at most so many if the drafter ends them by itself.
        package init(_ conditions: RoundConditions, drafts: Int, endsByItself: Bool = false) {
            self.endsByItself = endsByItself
            let drafts = endsByItself ? min(drafts, conditions.best.drafts) : drafts
            plain = conditions.tokensPerMicrosecond(drafts: 0)
            let least = conditions.pacing.draftsMin
            speculative = conditions.tokensPerMicrosecond(drafts: max(least, drafts))
            shortened = conditions.tokensPerMicrosecond(drafts: max(least, min(drafts, conditions.best.drafts)))
        }

        var isUsable: Bool { [plain, speculative, shortened].allSatisfy { $0 > 0 && $0.isFinite } }
    }

    /// What a round may do.
    package struct Order: Sendable, Hashable {
        package var mayDraft: Bool
        /// At most the cost model's best length (`RoundConditions.best`), and at least one draft.
        package var isShortened: Bool

        package init(mayDraft: Bool, isShortened: Bool) {
            self.mayDraft = mayDraft
            self.isShortened = isShortened
        }

        /// The drafts of a round whose policy wants `drafts`.
        package func drafts(wanted drafts: Int, _ conditions: RoundConditions) -> Int {
            guard mayDraft else { return 0 }
            let least = conditions.pacing.draftsMin
            return isShortened ? min(max(least, drafts), max(least, conditions.best.drafts)) : drafts
        }
    }
}
