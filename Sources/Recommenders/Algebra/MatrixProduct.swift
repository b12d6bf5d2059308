import CMetarec
public import Graph
public import Kernels

/// A product of large matrices, row-major, that has the same bits for any number of threads.
///
/// Both operands are copied into blocks that stay in a processor's cache and are padded, so that they may be anybody's
/// memory. A thread has 6 MB of doubles at most.
public struct MatrixProduct: Sendable {
    /// Of the result [rows, columns], and how many terms each element has.
    public let rows, columns, terms: Int
    /// Whether the first operand is [terms, rows] instead of [rows, terms].
    public let transposed: Bool
    /// Of all three matrices.
    public let precision: Precision

    /// Columns, rows and terms that are multiplied at once.
    private static let (panel, block, chunk) = (192, 96, 256)
    /// Rows that a thread computes of a panel: few enough for every thread to have some, and to be asked to stop.
    private static let slab = 32 * block
    /// Rows and columns of a part that is mirrored at once.
    private static let tile = 64

    /// A product of these shapes.
    public init(rows: Int, columns: Int, terms: Int, transposed: Bool, _ precision: Precision) {
        (self.rows, self.columns, self.terms) = (rows, columns, terms)
        (self.transposed, self.precision) = (transposed, precision)
    }

    /// out = a b, or aᵀ b; `out` overlaps neither.
    ///
    /// Where both are the same memory, as of a Gram matrix, half is computed and mirrored, which has the same bits.
    public func multiply(
        _ a: UnsafeRawPointer, _ b: UnsafeRawPointer, into out: UnsafeMutableRawPointer, threads: Int, poll: Poll
    ) throws {
        guard rows > 0, columns > 0 else { return }
        let isGram = transposed && a == b && rows == columns
        var parts: [(slab: Range<Int>, panel: Range<Int>)] = []
        for first in stride(from: 0, to: columns, by: MatrixProduct.panel) {
            let panel = first..<min(first + MatrixProduct.panel, columns)
            let wanted = isGram ? panel.upperBound : rows
            for row in stride(from: 0, to: wanted, by: MatrixProduct.slab) {
                parts.append((row..<min(row + MatrixProduct.slab, wanted), panel))
            }
        }
        let threads = max(1, min(threads, parts.count))
        let memory = (0..<threads).map { _ in Memory(rows: min(rows, MatrixProduct.slab), precision) }
        nonisolated(unsafe) let (a, b, out) = (a, b, out)
        try parallel(count: parts.count, threads: threads, poll: poll) { number, thread, tick in
            let (slab, panel) = parts[number]
            try fill(memory[thread], a, b, slab, panel) { try tick(0) }
            copy(
                memory[thread].result, MatrixProduct.panel,
                to: out + (slab.lowerBound * columns + panel.lowerBound) * size, columns, rows: slab.count, panel.count)
        }
        if isGram { try mirror(out, threads: threads, poll: poll) }
    }

    private var size: Int { precision.elementSize }

    /// One thread's blocks of both operands, and its part of the result.
    private final class Memory {
        let a, b, result: UnsafeMutableRawPointer
        private let buffers: [Buffer]

        init(rows: Int, _ precision: Precision) {
            let (panel, block, chunk) = (MatrixProduct.panel, MatrixProduct.block, MatrixProduct.chunk)
            buffers = [block * chunk, chunk * panel, rows * panel].map { Buffer(count: $0, precision) }
            (a, b, result) = (buffers[0].pointer, buffers[1].pointer, buffers[2].pointer)
        }
    }

    /// The part of the result, sums over the terms in chunks.
    private func fill(
        _ memory: Memory, _ a: UnsafeRawPointer, _ b: UnsafeRawPointer, _ slab: Range<Int>, _ panel: Range<Int>,
        tick: () throws -> Void
    ) throws {
        let width = MatrixProduct.panel
        if terms == 0 {
            memory.result.initializeMemory(as: UInt8.self, repeating: 0, count: slab.count * width * size)
        }
        for start in stride(from: 0, to: terms, by: MatrixProduct.chunk) {
            let count = min(MatrixProduct.chunk, terms - start)
            let chunk = b + (start * columns + panel.lowerBound) * size
            copy(chunk, columns, to: memory.b, width, rows: count, panel.count)
            for row in stride(from: slab.lowerBound, to: slab.upperBound, by: MatrixProduct.block) {
                try tick()
                let height = min(MatrixProduct.block, slab.upperBound - row)
                let source = a + (transposed ? start * rows + row : row * terms + start) * size
                let (held, of) = transposed ? (MatrixProduct.block, rows) : (MatrixProduct.chunk, terms)
                copy(source, of, to: memory.a, held, rows: transposed ? count : height, transposed ? height : count)
                let part = memory.result + (row - slab.lowerBound) * width * size
                var product = mr_gemm(
                    m: Int64(height), n: Int64(panel.count), k: Int64(count), a: memory.a,
                    a_row: transposed ? 1 : Int64(held), a_column: transposed ? Int64(held) : 1, b: memory.b,
                    b_row: Int64(width), c: part, c_row: Int64(width), d: start == 0 ? nil : UnsafeRawPointer(part),
                    d_row: Int64(width), mask: nil, mask_row: 0, bias: nil, alpha: 1, gamma: 1, delta: 1,
                    epilogue: Int32(bitPattern: MR_EPILOGUE_NONE.rawValue))
                precision.kernels.pointee.gemm(&product)
            }
        }
    }

    /// Rows of so many elements, from rows of one length to rows of another.
    private func copy(
        _ source: UnsafeRawPointer, _ sourceRow: Int, to target: UnsafeMutableRawPointer, _ targetRow: Int, rows: Int,
        _ count: Int
    ) {
        for row in 0..<rows {
            (target + row * targetRow * size).copyMemory(from: source + row * sourceRow * size, byteCount: count * size)
        }
    }

    /// Copies what lies above the blocks of the diagonal to below it.
    private func mirror(_ out: UnsafeMutableRawPointer, threads: Int, poll: Poll) throws {
        nonisolated(unsafe) let out = out
        let tile = MatrixProduct.tile
        try parallel(count: (rows + tile - 1) / tile, threads: threads, poll: poll) { number, _, tick in
            try tick(0)
            let some = number * tile..<min((number + 1) * tile, rows)
            // Tiles divide panels, so all of these rows begin below the same block.
            let done = some.lowerBound / MatrixProduct.panel * MatrixProduct.panel
            for column in stride(from: 0, to: done, by: tile) {
                for row in some {
                    for other in column..<column + tile {
                        let (to, from) = ((row * columns + other) * size, (other * columns + row) * size)
                        (out + to).copyMemory(from: out + from, byteCount: size)
                    }
                }
            }
        }
    }
}
