import NacreCore

/// `BridgeKind` by its numbers on the wire.
enum BridgeCode: UInt32, CaseIterable {
    case none = 0
    case tli = 1
    case slem = 2
    case slrs = 3
    case mixed = 4

    init(_ kind: BridgeKind) {
        switch kind {
        case .none: self = .none
        case .tli: self = .tli
        case .slem: self = .slem
        case .slrs: self = .slrs
        case .mixed: self = .mixed
        }
    }

    var kind: BridgeKind {
        switch self {
        case .none: .none
        case .tli: .tli
        case .slem: .slem
        case .slrs: .slrs
        case .mixed: .mixed
        }
    }
}
