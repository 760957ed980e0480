extension Governor {
    /// Where a governor stands (the table at `Governor`).
    enum State: Sendable, Hashable {
        case full, shortened, resting
        /// Drafting for so many more rounds while resting.
        case probing(left: Int, extensions: Int)
        /// Plain for so many more rounds while drafting.
        case checking(left: Int, isFull: Bool)

        /// Drafts are as long as the policy wants them, or would be.
        var isFull: Bool {
            switch self {
            case .full, .checking(_, isFull: true): true
            case .shortened, .resting, .probing, .checking: false
            }
        }

        var order: Order {
            switch self {
            case .full: Order(mayDraft: true, isShortened: false)
            case .shortened, .probing: Order(mayDraft: true, isShortened: true)
            case .resting, .checking: Order(mayDraft: false, isShortened: false)
            }
        }

        func phase(of lengths: Lengths) -> Phase {
            switch self {
            case .full: .drafting
            case .shortened: lengths == .best ? .drafting : .shortened
            case .resting: .resting
            case .probing: .probing
            case .checking: .checking
            }
        }
    }
}
