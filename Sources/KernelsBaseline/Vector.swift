import CMetarec

/// Element-wise work on whole buffers.
enum Vector<E: KernelElement> {
    typealias V = E.Vector

    static func copy(
        _ rows: Int, _ columns: Int, _ a: UnsafePointer<E>, _ aRow: Int, _ out: UnsafeMutablePointer<E>, _ outRow: Int
    ) {
        let isFlat = aRow == columns && outRow == columns
        let (lines, length) = isFlat ? (1, rows * columns) : (rows, columns)
        for i in 0..<lines {
            let row = a + i * aRow
            fill(length, out + i * outRow) { j in load(row + j, atMost: length - j) }
        }
    }

    static func fillRows(_ rows: Int, _ columns: Int, _ value: E, _ out: UnsafeMutablePointer<E>, _ outRow: Int) {
        let (lines, length) = outRow == columns ? (1, rows * columns) : (rows, columns)
        let x = V(repeating: value)
        for i in 0..<lines { fill(length, out + i * outRow) { _ in x } }
    }

    static func axpy(_ n: Int, _ alpha: E, _ x: UnsafePointer<E>, _ y: UnsafeMutablePointer<E>) {
        let factor = V(repeating: alpha)
        fill(n, y) { i in multiplyAdd(factor, load(x + i), load(y + i)) }
    }

    static func scale(_ n: Int, _ alpha: E, _ x: UnsafeMutablePointer<E>) {
        let factor = V(repeating: alpha)
        fill(n, x) { i in factor * load(x + i) }
    }

    static func clamp(_ n: Int, _ low: E, _ high: E, _ x: UnsafeMutablePointer<E>) {
        let (low, high) = (V(repeating: low), V(repeating: high))
        fill(n, x) { i in
            let v: V = load(x + i)
            return V.ifLess(v, low, low, else: V.ifLess(high, v, high, else: v))
        }
    }

    // Conversions, like copies, may read a caller's array: nothing behind its end.

    static func convert(_ n: Int, _ x: UnsafePointer<Float>, _ out: UnsafeMutablePointer<E>) {
        let whole = n / width(E.self) * width(E.self)
        fill(whole, out) { i in V(converting: x + i) }
        for i in whole..<n { out[i] = E(x[i]) }
    }

    static func convert(_ n: Int, _ x: UnsafePointer<Double>, _ out: UnsafeMutablePointer<E>) {
        let whole = n / width(E.self) * width(E.self)
        fill(whole, out) { i in V(converting: x + i) }
        for i in whole..<n { out[i] = E(x[i]) }
    }
}
