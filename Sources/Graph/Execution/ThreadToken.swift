import Glibc

/// An object that stands for the current thread, to tell the caller's thread from helpers'.
enum ThreadToken {
    /// The same value on the same thread, another on any other thread that is alive.
    static var current: UInt { UInt(pthread_self()) }
}
