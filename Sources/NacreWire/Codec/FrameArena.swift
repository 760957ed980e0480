internal import CNacreProto

/// The memory in which protobuf-c builds one message: handed out from the front, freed all at once, bounded.
///
/// protobuf-c keeps unknown fields at many times their size on the wire, so a frame within its limit may ask for
/// dozens of times as much; the budget turns that into a clean error (ARCHITECTURE §6).
struct FrameArena: ~Copyable {
    /// What the C callback works on, at a fixed address; the allocator comes first.
    fileprivate struct State {
        var allocator: ProtobufCAllocator
        /// The free part of the newest chunk.
        var free: UnsafeMutableRawBufferPointer
        /// The newest chunk; each begins with the address of the one before.
        var newest: UnsafeMutableRawPointer?
        /// Bytes of memory this arena may still take.
        var budget: Int
        var chunkBytes: Int
        var isExhausted = false
    }

    fileprivate static let alignment = 16
    fileprivate static let chunkHeaderBytes = 16

    /// For messages of our own: they are bounded by what we hold already.
    static let unbounded = Int.max / 2

    private let state: UnsafeMutablePointer<State>

    /// - Parameter budget: bytes the message may take.
    init(budget: Int) {
        state = .allocate(capacity: 1)
        let allocator = ProtobufCAllocator(
            alloc: { state, size in state?.assumingMemoryBound(to: State.self).pointee.take(size) },
            // Nothing is given back early: the arena's end frees all.
            free: { _, _ in },
            allocator_data: state)
        state.initialize(
            to: State(
                allocator: allocator, free: UnsafeMutableRawBufferPointer(start: nil, count: 0), newest: nil,
                budget: budget, chunkBytes: 2 << 10))
    }

    /// For unpacking a frame: 32 × the frame + 64 KiB.
    init(frameBytes: Int) { self.init(budget: 32 * frameBytes + (64 << 10)) }

    deinit {
        var chunk = state.pointee.newest
        while let next = chunk {
            chunk = next.load(as: UnsafeMutableRawPointer?.self)
            next.deallocate()
        }
        state.deallocate()
    }

    /// The allocator to give to protobuf-c. Lives as long as the arena.
    var allocator: UnsafeMutablePointer<ProtobufCAllocator> {
        UnsafeMutableRawPointer(state).assumingMemoryBound(to: ProtobufCAllocator.self)
    }

    /// Whether an allocation was refused.
    var isExhausted: Bool { state.pointee.isExhausted }

    /// Uninitialised room for `count` values that need no destruction; `nil` beyond the budget.
    func room<T: BitwiseCopyable>(for count: Int, of type: T.Type) -> UnsafeMutablePointer<T>? {
        state.pointee.take(count * MemoryLayout<T>.stride)?.bindMemory(to: type, capacity: count)
    }
}

extension FrameArena.State {
    fileprivate mutating func take(_ size: Int) -> UnsafeMutableRawPointer? {
        guard size >= 0, size <= budget + free.count else { return refuse() }
        let rounded = (size + FrameArena.alignment - 1) & ~(FrameArena.alignment - 1)
        if rounded > free.count {
            let bytes = max(rounded, min(chunkBytes, budget))
            guard bytes <= budget else { return refuse() }
            budget -= bytes
            chunkBytes = 2 * bytes
            let chunk = UnsafeMutableRawPointer.allocate(
                byteCount: FrameArena.chunkHeaderBytes + bytes, alignment: FrameArena.alignment)
            chunk.storeBytes(of: newest, as: UnsafeMutableRawPointer?.self)
            newest = chunk
            free = UnsafeMutableRawBufferPointer(start: chunk + FrameArena.chunkHeaderBytes, count: bytes)
        }
        let taken = free.baseAddress
        free = UnsafeMutableRawBufferPointer(rebasing: free[rounded...])
        return taken
    }

    private mutating func refuse() -> UnsafeMutableRawPointer? {
        isExhausted = true
        return nil
    }
}
