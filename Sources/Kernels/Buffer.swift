import Glibc

/// Memory for numbers: zeroed, 64-byte aligned, and padded so that kernels may read past the end.
public final class Buffer: @unchecked Sendable {
    /// Readable and writable bytes behind the last element; at least the over-read that `kernels.h` allows.
    public static let padding = 128

    /// Bytes that a part of a buffer takes, padding included, so that the next part is aligned too.
    public static func padded(_ byteCount: Int) -> Int { (byteCount + padding + 63) & ~63 }

    /// First byte.
    public let pointer: UnsafeMutableRawPointer
    /// Bytes asked for, without the padding.
    public let byteCount: Int
    /// What `pointer` lies in, where the system cleared it.
    private let cleared: UnsafeMutableRawPointer?
    /// From so many bytes on, the system clears memory page by page when it is first written: what is never used is
    /// never waited for.
    private static let large = 1 << 22

    /// Allocates `byteCount` zeroed bytes.
    public init(byteCount: Int) {
        self.byteCount = byteCount
        let total = byteCount + Buffer.padding
        cleared = total < Buffer.large ? nil : calloc(1, total + 64)
        if let cleared {
            pointer = cleared.alignedUp(toMultipleOf: 64)
        } else {
            pointer = .allocate(byteCount: total, alignment: 64)
            pointer.initializeMemory(as: UInt8.self, repeating: 0, count: total)
        }
    }

    /// Allocates `count` zeroed elements.
    public convenience init(count: Int, _ precision: Precision) {
        self.init(byteCount: count * precision.elementSize)
    }

    deinit { if cleared == nil { pointer.deallocate() } else { free(cleared) } }
}
