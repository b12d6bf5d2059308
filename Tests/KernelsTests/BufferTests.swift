import Glibc
import Kernels
import Testing

@Suite struct BufferTests {
    /// Also of a size that the system clears, and in memory that another buffer has written.
    @Test(arguments: [0, 1, 63, 4096, 1 << 20, (1 << 22) - Buffer.padding - 1, 1 << 22, (1 << 22) + 5, 40_000_000])
    func isZeroedAlignedAndPadded(_ byteCount: Int) {
        for _ in 0..<3 {
            let buffer = Buffer(byteCount: byteCount)
            let bytes = byteCount + Buffer.padding
            #expect(Int(bitPattern: buffer.pointer) % 64 == 0)
            // The first is 0, and each like the one before.
            #expect(buffer.pointer.load(as: UInt8.self) == 0)
            #expect(memcmp(buffer.pointer, buffer.pointer + 1, bytes - 1) == 0)
            memset(buffer.pointer, 0xA5, bytes)
        }
    }
}
