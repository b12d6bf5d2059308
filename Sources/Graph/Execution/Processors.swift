import CMetarec
import Glibc

/// Tells the caller's thread from helpers'.
enum ThreadToken {
    /// The same value on the same thread, another on any other thread that is alive.
    static var current: UInt { UInt(pthread_self()) }
}

/// Processors that this process may use.
public func processorCount() -> Int { Int(mr_processor_count()) }
