import Dispatch
import Synchronization

/// Runs `body` for 0 ..< count on up to `threads` threads, each index once.
///
/// - Parameters:
///   - poll: asked on the calling thread whenever `body` calls `tick`.
///   - body: gets the index, the thread's number, and `tick`, to be called now and then with the share done; it throws
///     when the work is to end.
/// - Throws: what `body` throws for the lowest index that fails, whatever the number of threads: an index below a failed
///   one runs to its end. Or interrupted, at once.
public func parallel(
    count: Int, threads: Int, poll: Poll = .none,
    body: (_ index: Int, _ thread: Int, _ tick: (_ fraction: Double) throws -> Void) throws -> Void
) throws {
    let threads = max(1, min(threads, count))
    let next = Atomic<Int>(0)
    // Indices from here on need not run: one before them has failed, or the caller asked to stop.
    let limit = Atomic<Int>(count)
    let failure = Mutex<(index: Int, error: any Error)?>(nil)
    let caller = ThreadToken.current
    withoutActuallyEscaping(body) { body in
        nonisolated(unsafe) let (body, poll) = (body, poll)
        @Sendable func work(_ thread: Int) {
            let isCaller = ThreadToken.current == caller
            while true {
                let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
                guard index < limit.load(ordering: .relaxed) else { return }
                do {
                    try body(index, thread) { fraction in
                        if isCaller { try poll.check(fraction) }
                        if index >= limit.load(ordering: .relaxed) { throw Stopped() }
                    }
                } catch is Stopped {
                    return
                } catch {
                    let isInterrupted = (error as? MetarecError)?.kind == .interrupted
                    limit.min(isInterrupted ? 0 : index, ordering: .relaxed)
                    let rank = isInterrupted ? -1 : index
                    failure.withLock { if $0.map({ rank < $0.index }) ?? true { $0 = (rank, error) } }
                }
            }
        }
        if threads == 1 {
            work(0)
        } else {
            DispatchQueue.concurrentPerform(iterations: threads, execute: work)
        }
    }
    if let failure = failure.withLock({ $0 }) { throw failure.error }
}

/// A lower index has failed: there is nothing to report here.
private struct Stopped: Error {}
