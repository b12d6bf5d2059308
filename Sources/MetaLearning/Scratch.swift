import Kernels

/// Memory that grows to the largest size asked for and is then reused, so that a warm loop allocates nothing.
public struct Scratch: ~Copyable, @unchecked Sendable {
    private var buffer: Buffer

    /// Memory of at least `byteCount` bytes.
    public init(byteCount: Int = 0) { buffer = Buffer(byteCount: byteCount) }

    /// First byte, 64-byte aligned; changes when the memory grows.
    public var pointer: UnsafeMutableRawPointer { buffer.pointer }

    /// Makes room for `byteCount` bytes, and keeps the first `kept` of them.
    public mutating func reserve(byteCount: Int, keeping kept: Int = 0) {
        guard byteCount > buffer.byteCount else { return }
        let larger = Buffer(byteCount: max(byteCount, 2 * buffer.byteCount, 256))
        larger.pointer.copyMemory(from: buffer.pointer, byteCount: kept)
        buffer = larger
    }

    /// Makes room for `count` elements of `type`, keeps the first `kept`, and returns them.
    public mutating func reserve<T: BitwiseCopyable>(
        _ count: Int, of type: T.Type, keeping kept: Int = 0
    ) -> UnsafeMutablePointer<T> {
        reserve(byteCount: count * MemoryLayout<T>.stride, keeping: kept * MemoryLayout<T>.stride)
        return buffer.pointer.assumingMemoryBound(to: type)
    }

    /// The memory as elements of `type`.
    public func elements<T: BitwiseCopyable>(of type: T.Type) -> UnsafeMutablePointer<T> {
        buffer.pointer.assumingMemoryBound(to: type)
    }
}
