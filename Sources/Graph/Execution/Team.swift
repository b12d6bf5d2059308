import CMetarec
import Dispatch
import Synchronization

/// Threads that work together on one computation after another.
///
/// Between two computations the helpers wait on their feet: the next one starts within a fraction of a microsecond,
/// where waking a thread takes some ten. So a team is for a call that computes, not for a lifetime.
public final class Team: @unchecked Sendable {
    /// Number of threads, the caller's included.
    public let threads: Int
    private let caller = ThreadToken.current
    // The number of the job at hand, whether it is open, how many helpers are at it.
    private let state = Atomic<UInt64>(0)
    private var job: (Int) -> Void = { _ in }

    /// The caller without helpers.
    public static let alone = Team(1)

    private init(_ threads: Int) { self.threads = threads }

    private static let helper: UInt64 = 1
    private static let helpers: UInt64 = 0xFFFF_FFFF
    private static let isOpen: UInt64 = 1 << 32
    private static let isOver: UInt64 = 1 << 33
    private static let number: UInt64 = 1 << 34

    /// Calls `body` with a team of up to `threads` threads, on the calling thread, and sends the team home after it.
    public static func with<T>(threads: Int, _ body: (Team) throws -> T) throws -> T {
        guard threads > 1 else { return try body(.alone) }
        let team = Team(threads)
        return try withoutActuallyEscaping(body) { body in
            nonisolated(unsafe) let body = body
            nonisolated(unsafe) var result: Result<T, any Error>?
            let next = Atomic<Int>(1)
            // The caller takes part; helpers that come late find the work done.
            DispatchQueue.concurrentPerform(iterations: team.threads) { _ in
                if ThreadToken.current != team.caller {
                    team.help(next.wrappingAdd(1, ordering: .relaxed).oldValue)
                } else if result == nil {
                    result = Result { try body(team) }
                    team.state.bitwiseOr(Team.isOver, ordering: .releasing)
                }
            }
            guard let result else { throw MetarecError.state("threads: the calling thread did not take part") }
            return try result.get()
        }
    }

    /// Works on one open job after the other until the team goes home.
    private func help(_ thread: Int) {
        var done: UInt64 = 0
        var idle = 0
        while true {
            let now = state.load(ordering: .acquiring)
            if now & Team.isOver != 0 { return }
            let number = now / Team.number
            guard now & Team.isOpen != 0, number != done else {
                mr_wait(Int64(idle))
                idle += 1
                continue
            }
            let joined = state.compareExchange(
                expected: now, desired: now + Team.helper, ordering: .acquiring)
            guard joined.exchanged else { continue }
            job(thread)
            state.wrappingSubtract(Team.helper, ordering: .releasing)
            done = number
            idle = 0
        }
    }

    /// Runs `job` on every thread that comes in time, with the thread's number; returns when all have left it, and
    /// calls `wait` now and then until they have.
    private func open(_ job: (Int) -> Void, wait: () -> Void) {
        withoutActuallyEscaping(job) { job in
            self.job = job
            let number = state.load(ordering: .relaxed) / Team.number + 1
            state.store(number * Team.number + Team.isOpen, ordering: .releasing)
            job(0)
            state.bitwiseAnd(~Team.isOpen, ordering: .relaxed)
            var idle = 0
            while state.load(ordering: .acquiring) & Team.helpers != 0 {
                wait()
                mr_wait(Int64(idle))
                idle += 1
            }
            self.job = { _ in }
        }
    }

    // MARK: Work

    /// Runs `body` for 0 ..< count on the team, each index once.
    ///
    /// - Parameters:
    ///   - poll: asked on the calling thread whenever `body` calls `tick`.
    ///   - body: gets the index, the thread's number, and `tick`, to be called now and then with the share done; it
    ///     throws when the work is to end.
    /// - Throws: what `body` throws for the lowest index that fails, whatever the number of threads: an index below a
    ///   failed one runs to its end. Or interrupted, at once.
    public func parallel(
        count: Int, poll: Poll = .none,
        body: (_ index: Int, _ thread: Int, _ tick: (_ fraction: Double) throws -> Void) throws -> Void
    ) throws {
        let next = Atomic<Int>(0)
        // Indices from here on need not run: one before them has failed, or the caller asked to stop.
        let limit = Atomic<Int>(count)
        let failure = Mutex<(index: Int, error: any Error)?>(nil)
        func fail(_ error: any Error, at index: Int) {
            let isInterrupted = (error as? MetarecError)?.kind == .interrupted
            limit.min(isInterrupted ? 0 : index, ordering: .relaxed)
            let rank = isInterrupted ? -1 : index
            failure.withLock { if $0.map({ rank < $0.index }) ?? true { $0 = (rank, error) } }
        }
        func work(_ thread: Int) {
            while true {
                let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
                guard index < limit.load(ordering: .relaxed) else { return }
                do {
                    try body(index, thread) { fraction in
                        if thread == 0 { try poll.check(fraction) }
                        if index >= limit.load(ordering: .relaxed) { throw Stopped() }
                    }
                } catch is Stopped {
                    return
                } catch {
                    fail(error, at: index)
                }
            }
        }
        func wait() {
            do { try poll.check(1) } catch { fail(error, at: 0) }
        }
        if threads == 1 || count < 2 { work(0) } else { open(work, wait: wait) }
        if let failure = failure.withLock({ $0 }) { throw failure.error }
    }
}

/// `Team.parallel` by a team for this one computation.
public func parallel(
    count: Int, threads: Int, poll: Poll = .none,
    body: (_ index: Int, _ thread: Int, _ tick: (_ fraction: Double) throws -> Void) throws -> Void
) throws {
    try Team.with(threads: min(threads, count)) { try $0.parallel(count: count, poll: poll, body: body) }
}

/// A lower index has failed: there is nothing to report here.
private struct Stopped: Error {}
