import Glibc
import Graph
import Recommenders

/// A Swift object as C holds it: `OpaquePointer` keeps it alive until `release`.
enum Handle {
    static func make(_ object: AnyObject) -> OpaquePointer { OpaquePointer(Unmanaged.passRetained(object).toOpaque()) }

    static func object<T: AnyObject>(_ handle: OpaquePointer, _: T.Type = T.self) -> T {
        Unmanaged<T>.fromOpaque(UnsafeRawPointer(handle)).takeUnretainedValue()
    }

    static func release<T: AnyObject>(_ handle: OpaquePointer, _: T.Type) {
        Unmanaged<T>.fromOpaque(UnsafeRawPointer(handle)).release()
    }
}

/// A learner and the lock that lets one call in at a time.
final class GuardedLearner: @unchecked Sendable {
    private let learner: Learner
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private var names: [String: UnsafeMutablePointer<CChar>] = [:]

    init(_ learner: Learner) {
        self.learner = learner
        mutex = .allocate(capacity: 1)
        var attributes = pthread_mutexattr_t()
        pthread_mutexattr_init(&attributes)
        // A call from inside a callback of the same learner is told so instead of waiting for itself.
        pthread_mutexattr_settype(&attributes, CInt(PTHREAD_MUTEX_ERRORCHECK))
        pthread_mutex_init(mutex, &attributes)
        pthread_mutexattr_destroy(&attributes)
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
        for name in names.values { name.deallocate() }
    }

    /// Runs `body` alone.
    func exclusively<T>(_ body: (Learner) throws -> T) throws -> T {
        guard pthread_mutex_lock(mutex) == 0 else {
            throw MetarecError.state("the learner is in the middle of a call: it cannot be used from its own callback")
        }
        defer { pthread_mutex_unlock(mutex) }
        return try body(learner)
    }

    /// Somebody may write into the parameters from now on, from any thread.
    func beginLoan() { learner.beginLoan() }
    /// No longer.
    func endLoan() { learner.endLoan() }

    /// A C string that lives as long as the learner. Call it inside `exclusively`.
    func name(_ text: String) -> UnsafePointer<CChar> {
        if let known = names[text] { return UnsafePointer(known) }
        let bytes = Array(text.utf8CString)
        let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
        copy.initialize(from: bytes, count: bytes.count)
        names[text] = copy
        return UnsafePointer(copy)
    }
}

/// An adapted learner and the guard of the learner it came from.
final class GuardedAdaptation: @unchecked Sendable {
    let guarded: GuardedLearner
    let adapted: AdaptedLearner

    init(_ guarded: GuardedLearner, _ adapted: AdaptedLearner) {
        self.guarded = guarded
        self.adapted = adapted
    }
}
