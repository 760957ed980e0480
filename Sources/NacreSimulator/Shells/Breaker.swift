import NacreCore
import NacreProtocol

/// A drafter's link in the hands of someone who breaks the protocol now and then.
enum Breaker {
    /// - Parameter before: the draft that the stream sent last.
    static func send(
        _ message: Message, after before: Draft?, on id: ConnectionID, from host: HostID, in world: World
    ) {
        guard world.chance.happens(0.15) else {
            world.send(message, on: id, from: host)
            return
        }
        world.count(.lie)
        guard case .draft(var draft) = message else {
            let noise = (0..<world.chance.int(1...40)).map { _ in UInt8(world.chance.int(0...255)) }
            if let side = world.side(of: host, on: id) { world.write(noise, on: id, from: side) }
            return
        }
        switch world.chance.int(0...12) {
        case 0: draft.epoch = draft.epoch.next
        case 1: draft.epoch = Epoch(rawValue: draft.epoch.rawValue &- 1)
        case 2: draft.root = draft.root.next
        case 3: draft.firstNode += 1
        case 4: draft.firstNode = max(0, draft.firstNode - 1)
        case 5: draft.tokens = [TokenID(rawValue: UInt32(Language.size))]
        case 6: draft.tokens += Array(repeating: 1, count: 200)
        case 7: draft.end = .contextFull
        case 8: draft.end = .endOfGeneration
        case 9: world.send(.draft(draft), on: id, from: host)  // twice
        case 10:
            let load = Load(jobs: 0, busy: 0, stepMicroseconds: 0)
            world.send(.heartbeat(Heartbeat(number: 1, load: load)), on: id, from: host)
        case 11:
            // Goes on where it was, and says that there is nothing more.
            guard let before else { return }
            let end = before.firstNode + before.tokens.count
            (draft.epoch, draft.root, draft.firstNode) = (before.epoch, before.root, end)
            (draft.tokens, draft.parents, draft.probabilities, draft.proposals) = ([], [], [], [])
            (draft.measures, draft.references, draft.layers, draft.end) = ([], [], [], .windowFull)
        default: return  // never sent
        }
        world.send(.draft(draft), on: id, from: host)
    }
}
