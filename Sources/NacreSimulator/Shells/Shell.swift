import NacreProtocol

/// A process around a machine: what the daemons' actors do, without their sockets and clocks.
protocol Shell: AnyObject {
    func start()
    func tick()
    /// A connection is there; `dial` names the try that it answers, `nil` if the peer dialled.
    func opened(_ id: ConnectionID, _ dial: DialID?)
    func dialFailed(_ dial: DialID)
    func received(_ message: Message, on id: ConnectionID)
    /// That was all that came together.
    func readComplete()
    func lost(_ id: ConnectionID)
    /// - Parameter shard: whose engine it was; a drafter has one.
    func passed(_ outcome: PassOutcome, shard: ShardIndex)
}

extension Shell {
    func readComplete() {}
}

/// Effects of one machine in the order it emitted them, also when performing one makes the machine step again.
struct EffectQueue<Effect> {
    private var effects: [Effect] = []
    private var isDraining = false

    mutating func append(_ new: [Effect]) { effects += new }

    /// Whether the caller is to drain; `false` while someone further up the stack does.
    mutating func beginDraining() -> Bool {
        defer { isDraining = true }
        return !isDraining
    }

    mutating func next() -> Effect? {
        guard !effects.isEmpty else {
            isDraining = false
            return nil
        }
        return effects.removeFirst()
    }
}
