import CMetarec

enum Transpose<E: KernelElement> {
    typealias V = E.Vector

    /// out[j, i] = a[i, j], in square blocks of vectors.
    static func run(
        _ rows: Int, _ columns: Int, _ a: UnsafePointer<E>, _ aRow: Int, _ out: UnsafeMutablePointer<E>, _ outRow: Int
    ) {
        if rows == 1 && outRow == 1 { return Vector<E>.copy(1, columns, a, aRow, out, columns) }
        if columns == 1 && aRow == 1 { return Vector<E>.copy(1, rows, a, rows, out, outRow) }
        let width = width(E.self)
        var i = 0
        while i < rows {
            var j = 0
            while j < columns {
                let source = a + i * aRow + j
                let target = out + j * outRow + i
                let (height, breadth) = (min(width, rows - i), min(width, columns - j))
                if MemoryLayout<E>.size == 4 {
                    Block<E, 16>.run(height, breadth, source, aRow, target, outRow)
                } else {
                    Block<E, 8>.run(height, breadth, source, aRow, target, outRow)
                }
                j += width
            }
            i += width
        }
    }
}

/// A square block of `width` vectors, of which `height` rows and `breadth` columns are there.
private enum Block<E: KernelElement, let width: Int> {
    typealias V = E.Vector

    @inline(__always) static func run(
        _ height: Int, _ breadth: Int, _ a: UnsafePointer<E>, _ aRow: Int, _ out: UnsafeMutablePointer<E>,
        _ outRow: Int
    ) {
        var x = InlineArray<width, V>(repeating: V(repeating: 0))
        if height == width && breadth == width {
            for i in 0..<width { x[i] = load(a + i * aRow) }
            transpose(&x)
            for j in 0..<width { store(x[j], out + j * outRow) }
        } else {
            for i in 0..<width where i < height { x[i] = load(a + i * aRow) }
            transpose(&x)
            for j in 0..<width where j < breadth {
                if height == width {
                    store(x[j], out + j * outRow)
                } else {
                    x[j].store(out + j * outRow, first: height)
                }
            }
        }
    }

    /// Zipping the first half of the rows with the second rotates the bits of (row, column) by one; log2(width) times
    /// swaps row and column.
    @inline(__always) private static func transpose(_ x: inout InlineArray<width, V>) {
        var round = 1
        while round < width {
            var y = x
            for i in 0..<(width / 2) {
                y[2 * i] = V.zipLow(x[i], x[i + width / 2])
                y[2 * i + 1] = V.zipHigh(x[i], x[i + width / 2])
            }
            x = y
            round *= 2
        }
    }
}
