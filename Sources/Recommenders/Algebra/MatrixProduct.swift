import CMetarec
public import Graph
public import Kernels

/// A product of large matrices, row-major, that has the same bits for any number of threads.
///
/// Both operands are copied into blocks that stay in a processor's cache and are padded, so that they may be anybody's
/// memory. Beside them a thread has rows × `panel` elements.
public struct MatrixProduct: Sendable {
    /// Of the result [rows, columns], and how many terms each element has.
    public let rows, columns, terms: Int
    /// Whether the first operand is [terms, rows] instead of [rows, terms].
    public let transposed: Bool
    /// Of all three matrices.
    public let precision: Precision

    /// Columns, rows and terms that are multiplied at once.
    private static let (panel, block, chunk) = (192, 96, 256)

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
        let panels = (columns + MatrixProduct.panel - 1) / MatrixProduct.panel
        let isGram = transposed && a == b && rows == columns
        let threads = max(1, min(threads, panels))
        let memory = (0..<threads).map { _ in Memory(rows: rows, precision) }
        nonisolated(unsafe) let (a, b, out) = (a, b, out)
        try parallel(count: panels, threads: threads, poll: poll) { panel, thread, tick in
            let first = panel * MatrixProduct.panel
            let width = min(MatrixProduct.panel, columns - first)
            try fill(memory[thread], a, b, first, width, rows: isGram ? first + width : rows) { try tick(0) }
            copy(memory[thread].result, MatrixProduct.panel, to: out + first * size, columns, rows: rows, width)
        }
        if isGram { mirror(out) }
    }

    private var size: Int { precision.elementSize }

    /// One thread's blocks of both operands, and its panel of the result.
    private final class Memory {
        let a, b, result: UnsafeMutableRawPointer
        private let buffers: [Buffer]

        init(rows: Int, _ precision: Precision) {
            let (panel, block, chunk) = (MatrixProduct.panel, MatrixProduct.block, MatrixProduct.chunk)
            buffers = [block * chunk, chunk * panel, rows * panel].map { Buffer(count: $0, precision) }
            (a, b, result) = (buffers[0].pointer, buffers[1].pointer, buffers[2].pointer)
        }
    }

    /// The panel of columns from `first` on, its first `rows` rows.
    private func fill(
        _ memory: Memory, _ a: UnsafeRawPointer, _ b: UnsafeRawPointer, _ first: Int, _ width: Int, rows: Int,
        tick: () throws -> Void
    ) throws {
        let panel = MatrixProduct.panel
        if terms == 0 { memory.result.initializeMemory(as: UInt8.self, repeating: 0, count: rows * panel * size) }
        for start in stride(from: 0, to: terms, by: MatrixProduct.chunk) {
            try tick()
            let count = min(MatrixProduct.chunk, terms - start)
            copy(b + (start * columns + first) * size, columns, to: memory.b, panel, rows: count, width)
            for row in stride(from: 0, to: rows, by: MatrixProduct.block) {
                let height = min(MatrixProduct.block, rows - row)
                let source = a + (transposed ? start * self.rows + row : row * terms + start) * size
                let (held, of) = transposed ? (MatrixProduct.block, self.rows) : (MatrixProduct.chunk, terms)
                copy(source, of, to: memory.a, held, rows: transposed ? count : height, transposed ? height : count)
                let part = memory.result + row * panel * size
                var product = mr_gemm(
                    m: Int64(height), n: Int64(width), k: Int64(count), a: memory.a,
                    a_row: transposed ? 1 : Int64(held), a_column: transposed ? Int64(held) : 1, b: memory.b,
                    b_row: Int64(panel), c: part, c_row: Int64(panel), d: start == 0 ? nil : UnsafeRawPointer(part),
                    d_row: Int64(panel), mask: nil, mask_row: 0, alpha: 1,
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
    private func mirror(_ out: UnsafeMutableRawPointer) {
        func copy<Element>(_: Element.Type) {
            let values = out.assumingMemoryBound(to: Element.self)
            for row in MatrixProduct.panel..<max(rows, MatrixProduct.panel) {
                let done = row / MatrixProduct.panel * MatrixProduct.panel
                for column in 0..<done { values[row * columns + column] = values[column * columns + row] }
            }
        }
        precision == .float ? copy(Float.self) : copy(Double.self)
    }
}
