import Glibc

/// A serial executor with a thread of its own, for actors whose calls block: the shared pool has one thread per
/// core, and a model that computes for a second would take one of them away from every socket.
///
/// The thread starts with the first job and, after `stop`, ends once nothing is left to run. A job that comes later
/// still (an `await` on an actor that was shut down) starts a short-lived thread again: no caller is ever left
/// waiting, and at no time do two threads run jobs.
///
/// `@unchecked Sendable`: all mutable state is in `state`, which is read and written only with `mutex` held. `mutex`
/// and `wake` are pointers that never change, to objects made for several threads; `Synchronization.Mutex` has no
/// condition to wait on.
package final class ThreadExecutor: SerialExecutor, @unchecked Sendable {
    private enum Work {
        case job(UnownedJob)
        case call(@Sendable () -> Void)
    }

    private struct State {
        var queue: [Work] = []
        var thread: pthread_t?
        var isRunning = false
        var isStopped = false
    }

    private let name: String
    // On the heap, because a mutex and a condition must not move.
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let wake = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var state = State()

    /// - Parameter name: what the thread is called in `top` and debuggers; the kernel keeps 15 bytes.
    package init(name: String) {
        self.name = String(decoding: name.utf8.prefix(15), as: UTF8.self)
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(wake, nil)
    }

    deinit {
        pthread_cond_destroy(wake)
        pthread_mutex_destroy(mutex)
        wake.deallocate()
        mutex.deallocate()
    }

    /// Takes a job; called by the Swift runtime.
    package func enqueue(_ job: consuming ExecutorJob) {
        enqueue(.job(UnownedJob(job)))
    }

    /// Runs `call` on the thread, in turn with the jobs. For callers that cannot afford a task: one would be resumed by
    /// way of the shared pool, which is another thread to wake.
    package func call(_ call: @escaping @Sendable () -> Void) { enqueue(.call(call)) }

    private func enqueue(_ work: Work) {
        let mustStart = locked { state in
            state.queue.append(work)
            defer { state.isRunning = true }
            return !state.isRunning
        }
        if mustStart { start() } else { pthread_cond_signal(wake) }
    }

    /// Lets `assumeIsolated` succeed in a call on the thread.
    package func checkIsolated() {
        let isHere = locked { state in state.thread.map { pthread_equal($0, pthread_self()) != 0 } ?? false }
        precondition(isHere, "not on the thread \(name)")
    }

    /// Lets the thread end after the jobs it has. Callable from any thread, also from a job.
    package func stop() {
        locked { $0.isStopped = true }
        pthread_cond_signal(wake)
    }

    /// The executor as the runtime holds it: the actor keeps it alive.
    package func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

    // MARK: - The thread

    /// The thread holds the one reference made here and gives it back when it ends.
    private func start() {
        let retained = Unmanaged.passRetained(self)
        var thread = pthread_t()
        let failure = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<ThreadExecutor>.fromOpaque(argument).takeRetainedValue().loop()
                return nil
            }, retained.toOpaque())
        // Without a thread no job can run and no caller can be told: there is no state to go on from.
        precondition(failure == 0, "pthread_create for \(name) failed with errno \(failure)")
        pthread_detach(thread)
    }

    private func loop() {
        setName()
        locked { $0.thread = pthread_self() }
        while let work = next() {
            switch work {
            case .job(let job): job.runSynchronously(on: asUnownedSerialExecutor())
            case .call(let call): call()
            }
        }
    }

    /// Names the calling thread. Cosmetic, so a failure is passed over. The usual calls are GNU extensions or take
    /// variable arguments, which Swift does not import; the kernel's file does the same.
    private func setName() {
        let file = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
        guard file >= 0 else { return }
        _ = write(file, name, name.utf8.count)
        close(file)
    }

    private func next() -> Work? {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while state.queue.isEmpty {
            if state.isStopped {
                state.isRunning = false
                state.thread = nil
                return nil
            }
            pthread_cond_wait(wake, mutex)
        }
        return state.queue.removeFirst()
    }

    private func locked<Result>(_ body: (inout State) -> Result) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body(&state)
    }
}
