internal import CLlama
import Synchronization

/// The threads that compute an engine's passes, lent for other work between them: on the same cores, pinned as they
/// are, asleep when there is nothing to do.
///
/// A pool of libllama's knows no work but graphs, so what is to be done is a graph of one node.
struct ThreadTeam: ~Copyable {
    /// Threads, the calling one among them.
    let count: Int
    private let context: OpaquePointer
    private let graph: OpaquePointer
    private var plan: ggml_cplan
    private let work: Work

    /// - Parameter pool: of `count` threads; must outlive the team's calls.
    /// - Returns: `nil` if there is no memory.
    init?(_ pool: OpaquePointer, count: Int) {
        let parameters = ggml_init_params(
            mem_size: ggml_tensor_overhead() + ggml_graph_overhead_custom(1, false), mem_buffer: nil, no_alloc: true)
        guard let context = ggml_init(parameters) else { return nil }
        let work = Work()
        let node = ggml_custom_4d(
            context, GGML_TYPE_F32, 1, 1, 1, 1, nil, 0,
            { _, thread, _, work in
                if let work { Unmanaged<Work>.fromOpaque(work).takeUnretainedValue().perform(on: Int(thread)) }
            }, GGML_N_TASKS_MAX, Unmanaged.passUnretained(work).toOpaque())
        guard let node, let graph = ggml_new_graph_custom(context, 1, false) else {
            ggml_free(context)
            return nil
        }
        ggml_build_forward_expand(graph, node)
        var plan = ggml_graph_plan(graph, Int32(count), pool)
        if plan.work_size > 0 { plan.work_data = .allocate(capacity: plan.work_size) }
        self.count = count
        self.context = context
        self.graph = graph
        self.plan = plan
        self.work = work
    }

    deinit {
        plan.work_data?.deallocate()
        ggml_free(context)
    }

    /// What `body` makes of 0, 1, ... `items` − 1, in this order.
    ///
    /// - Parameter body: called once for each item, on any thread of the team; the second argument is which, from 0;
    ///   no thread has two calls at a time.
    mutating func map<Value>(_ items: Int, _ body: (_ item: Int, _ thread: Int) -> Value) -> [Value] {
        [Value](unsafeUninitializedCapacity: items) { buffer, initialized in
            let values = buffer
            withoutActuallyEscaping({ values.initializeElement(at: $0, to: body($0, $1)) }) { fill in
                work.begin(items, fill)
                _ = ggml_graph_compute(graph, &plan)
                // If the graph was not computed, all is still to be done.
                work.perform(on: 0)
                work.end()
            }
            initialized = items
        }
    }

    /// Items that are handed out one by one. `begin` and `end` are called while no other thread looks.
    private final class Work {
        private let next = Atomic(0)
        private var items = 0
        private var body: ((Int, Int) -> Void)?

        func begin(_ items: Int, _ body: @escaping (Int, Int) -> Void) {
            self.items = items
            self.body = body
            next.store(0, ordering: .releasing)
        }

        func end() { body = nil }

        func perform(on thread: Int) {
            while case let item = next.wrappingAdd(1, ordering: .acquiringAndReleasing).oldValue, item < items {
                body?(item, thread)
            }
        }
    }
}
