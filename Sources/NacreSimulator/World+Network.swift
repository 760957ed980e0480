import NacreCore
import NacreProtocol
import NacreWire

// Connections and what goes wrong with them.
extension World {
    /// How long a connection to a peer that vanished without a word is held for alive: keep-alive, in microseconds.
    static let keepAlive = Instant.milliseconds(4_000)...Instant.milliseconds(9_000)

    func dial(_ address: String, from host: HostID) -> DialID {
        let dial = DialID(rawValue: nextDial)
        nextDial += 1
        let life = hosts[host.index].life
        let target = hosts.firstIndex { $0.address == address && $0.shell != nil }.map(HostID.init)
        if target == nil || areFaultsOn && chance.happens(scenario.faults.dialFails) {
            let pause = chance.pick([200, 5_000, 800_000])
            schedule(.dialFailed(host, life: life, dial), in: pause)
        } else if let target {
            schedule(.connect(dial, from: host, life: life, to: target), in: delay())
        }
        return dial
    }

    func connect(_ dial: DialID, from host: HostID, life: Int, to target: HostID) {
        guard isAlive(host, life: life) else { return }
        guard hosts[target.index].shell != nil else {
            schedule(.dialFailed(host, life: life, dial), in: 500)
            return
        }
        let id = ConnectionID(rawValue: nextConnection)
        nextConnection += 1
        let delay = delay()
        connections[id] = Connection(
            ends: [
                Connection.End(host: host, life: life),
                Connection.End(host: target, life: hosts[target.index].life),
            ], delay: delay)
        schedule(.opened(id, .acceptor, nil), in: 0)
        schedule(.opened(id, .dialer, dial), in: delay)
    }

    /// Writes a message, unless the process has let go of the connection.
    func send(_ message: Message, on id: ConnectionID, from host: HostID) {
        guard let side = side(of: host, on: id) else { return }
        journal.note(.sent(host, id, message), at: now)
        tally.messages += 1
        do throws(WireError) {
            write(try MessageCodec.encode(message), on: id, from: side)
        } catch {
            report(.codec, "\(name(host)) could not encode \(line(message)): \(error.message)")
        }
    }

    /// Writes bytes as they are.
    func write(_ bytes: [UInt8], on id: ConnectionID, from side: Side) {
        guard var connection = connections[id], connection.ends[side.rawValue].isOpen, !connection.isBroken else {
            return
        }
        let receiver = side.other.rawValue
        guard !connection.lanes[receiver].isSilent else { return }
        let faults = scenario.faults
        var written = bytes
        let isReset = areFaultsOn && chance.happens(faults.reset)
        if isReset { written.removeLast(chance.int(0...bytes.count)) }
        let jitter = areFaultsOn && faults.jitter > 0 ? chance.int(0...faults.jitter) : 0
        let stall = areFaultsOn && chance.happens(faults.stall) ? chance.int(50_000...2_000_000) : 0
        if stall > 0 { count(.stall) }
        let arrival = max(connection.lanes[receiver].lastArrival, now + (connection.delay + jitter + stall))
        connection.lanes[receiver].lastArrival = arrival
        connection.lanes[receiver].bytes += written
        let end = connection.lanes[receiver].delivered + connection.lanes[receiver].bytes.count
        connections[id] = connection
        queue.schedule(.flush(id, side.other, end: end), at: arrival)
        if isReset {
            count(.reset)
            breakDown(id, deliversRest: true)
        } else if areFaultsOn, chance.happens(faults.halfOpen) {
            count(.halfOpen)
            fallSilent(id)
        }
    }

    /// Bytes up to `end` have arrived: some or all of them are read.
    func flush(_ id: ConnectionID, _ side: Side, end: Int) {
        guard var connection = connections[id], connection.ends[side.rawValue].isOpen else { return }
        var lane = connection.lanes[side.rawValue]
        guard !lane.isSilent, end > lane.delivered else { return }
        var taken = end - lane.delivered
        if chance.happens(0.25) {
            taken = chance.int(0...taken)
            schedule(.flush(id, side, end: end), in: chance.int(0...1_000))
        }
        let bytes = lane.bytes.prefix(taken)
        lane.bytes.removeFirst(taken)
        lane.delivered += taken
        connection.ends[side.rawValue].parser.append(bytes)
        connection.lanes[side.rawValue] = lane
        connections[id] = connection
        deliver(id, side)
    }

    /// Hands on every whole message; the process may let go of the connection meanwhile.
    private func deliver(_ id: ConnectionID, _ side: Side) {
        defer {
            if let end = connections[id]?.ends[side.rawValue] { hosts[end.host.index].shell?.readComplete() }
        }
        while let end = connections[id]?.ends[side.rawValue], end.isOpen {
            do throws(WireError) {
                guard let message = try connections[id]?.ends[side.rawValue].parser.next() else { return }
                if !end.isKnown {
                    connections[id]?.ends[side.rawValue].isKnown = true
                    connections[id]?.ends[side.rawValue].parser.raiseLimit()
                }
                journal.note(.received(end.host, id, message), at: now)
                hosts[end.host.index].shell?.received(message, on: id)
            } catch {
                let sender = connections[id]?.ends[side.other.rawValue].host ?? end.host
                if isHonest(sender) { report(.codec, "bytes of \(name(sender)) are no message: \(error.message)") }
                let goodbye = Goodbye(code: .protocolError, detail: error.message)
                close(id, goodbye, from: end.host)
                hosts[end.host.index].shell?.lost(id)
                return
            }
        }
    }

    /// Says goodbye and lets go. The peer reads what was written before, then the end.
    func close(_ id: ConnectionID, _ goodbye: Goodbye?, from host: HostID) {
        guard let side = side(of: host, on: id) else { return }
        if let goodbye { send(.goodbye(goodbye), on: id, from: host) }
        guard var connection = connections[id] else { return }
        connection.ends[side.rawValue].isOpen = false
        connections[id] = connection
        guard !connection.isBroken, !connection.lanes[side.other.rawValue].isSilent else { return }
        let arrival = max(connection.lanes[side.other.rawValue].lastArrival, now + connection.delay)
        // One later than the last byte, which may come in two parts.
        queue.schedule(.lost(id, side.other), at: arrival + 1_500)
    }

    /// The process is gone: its connections end, at once for the peers or, if the whole machine is, silently.
    func severAll(of host: HostID, silently: Bool) {
        for id in connections.keys.sorted() {
            guard let side = side(of: host, on: id) else { continue }
            if silently { fallSilent(id) }
            close(id, nil, from: host)
            connections[id]?.ends[side.rawValue].isOpen = false
        }
    }

    func breakDown(_ id: ConnectionID, deliversRest: Bool) {
        guard var connection = connections[id], !connection.isBroken else { return }
        connection.isBroken = true
        connections[id] = connection
        for side in [Side.dialer, .acceptor] {
            let arrival = max(connection.lanes[side.rawValue].lastArrival, now) + chance.int(1_500...30_000)
            queue.schedule(.lost(id, side), at: deliversRest ? arrival : now + 100)
        }
    }

    private func fallSilent(_ id: ConnectionID) {
        guard var connection = connections[id], !connection.isBroken else { return }
        for side in [Side.dialer, .acceptor] where !connection.lanes[side.rawValue].isSilent {
            connection.lanes[side.rawValue].isSilent = true
            schedule(.lost(id, side), in: chance.int(World.keepAlive))
        }
        connections[id] = connection
    }

    func lost(_ id: ConnectionID, _ side: Side) {
        guard let connection = connections[id] else { return }
        let end = connection.ends[side.rawValue]
        connections[id]?.ends[side.rawValue].isOpen = false
        if !connection.ends[side.other.rawValue].isOpen { connections[id] = nil }
        guard end.isOpen, isAlive(end.host, life: end.life) else { return }
        journal.note(.lost(end.host, id), at: now)
        hosts[end.host.index].shell?.lost(id)
    }

    /// Which end of the connection this run of the process holds, if it still does.
    func side(of host: HostID, on id: ConnectionID) -> Side? {
        guard let connection = connections[id] else { return nil }
        for side in [Side.dialer, .acceptor] {
            let end = connection.ends[side.rawValue]
            if end.host == host, end.life == hosts[host.index].life, end.isOpen { return side }
        }
        return nil
    }

    private func delay() -> Int {
        areFaultsOn ? chance.int(20...max(20, scenario.faults.delayMax)) : chance.int(20...500)
    }
}
