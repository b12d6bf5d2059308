import CMetarec

enum Reduction<E: KernelElement> {
    typealias V = E.Vector

    // MARK: Sums

    static func sum(
        _ axis: Int32, _ rows: Int, _ columns: Int, _ a: UnsafePointer<E>, _ aRow: Int, _ alpha: E,
        _ out: UnsafeMutablePointer<E>, _ outRow: Int
    ) {
        let isRow = columns == aRow || rows == 1
        switch mr_axis(UInt32(bitPattern: axis)) {
        case MR_OVER_COLUMNS:
            for i in 0..<rows { out[i * outRow] = alpha * lanes(a + i * aRow, columns).total }
        case MR_OVER_ROWS where columns != 1 || !isRow:
            sumOverRows(rows, columns, a, aRow, alpha, out)
        default:
            if isRow {
                out.pointee = alpha * lanes(a, rows * columns).total
            } else {
                var sum = V(repeating: 0)
                for i in 0..<rows { sum = sum + lanes(a + i * aRow, columns) }
                out.pointee = alpha * sum.total
            }
        }
    }

    /// Down the rows, in order, four vectors of columns at a time.
    private static func sumOverRows(
        _ rows: Int, _ columns: Int, _ a: UnsafePointer<E>, _ aRow: Int, _ alpha: E, _ out: UnsafeMutablePointer<E>
    ) {
        let width = width(E.self)
        let factor = V(repeating: alpha)
        var j = 0
        while j + 4 * width <= columns {
            var s0 = V(repeating: 0)
            var (s1, s2, s3) = (s0, s0, s0)
            var p = a + j
            for _ in 0..<rows {
                s0 = s0 + load(p)
                s1 = s1 + load(p + width)
                s2 = s2 + load(p + 2 * width)
                s3 = s3 + load(p + 3 * width)
                p += aRow
            }
            store(factor * s0, out + j)
            store(factor * s1, out + j + width)
            store(factor * s2, out + j + 2 * width)
            store(factor * s3, out + j + 3 * width)
            j += 4 * width
        }
        fill(columns - j, out + j) { offset in
            var sum = V(repeating: 0)
            for i in 0..<rows { sum = sum + load(a + i * aRow + j + offset) }
            return factor * sum
        }
    }

    /// Sums of `n` elements, still one per lane: four running sums, then the rest.
    @inline(__always) private static func lanes(_ a: UnsafePointer<E>, _ n: Int) -> V {
        let width = width(E.self)
        var s0 = V(repeating: 0)
        var (s1, s2, s3) = (s0, s0, s0)
        var i = 0
        while i + 4 * width <= n {
            s0 = s0 + load(a + i)
            s1 = s1 + load(a + i + width)
            s2 = s2 + load(a + i + 2 * width)
            s3 = s3 + load(a + i + 3 * width)
            i += 4 * width
        }
        var sum = (s0 + s1) + (s2 + s3)
        while i + width <= n {
            sum = sum + load(a + i)
            i += width
        }
        if i < n { sum = sum + load(a + i).first(n - i, else: V(repeating: 0)) }
        return sum
    }

    /// In double precision, whatever the element.
    static func sumOfSquares(_ n: Int, _ x: UnsafePointer<E>) -> Double {
        let width = width(E.self)
        let zero = SIMD8<Double>(repeating: 0)
        var (s0, s1, s2, s3) = (zero, zero, zero, zero)
        var i = 0
        // A sum waits for the addition before, and a vector of Float makes two: so there are four sums. Of Double
        // there is one: a sum of other rounding would change factorisations.
        while MemoryLayout<E>.size == 4, i + 4 * width <= n {
            load(x + i).addSquares(to: &s0)
            load(x + i + width).addSquares(to: &s1)
            load(x + i + 2 * width).addSquares(to: &s2)
            load(x + i + 3 * width).addSquares(to: &s3)
            i += 4 * width
        }
        forEachVector(n - i, E.self) { j, count in
            let v: V = load(x + i + j)
            (count == width ? v : v.first(count, else: V(repeating: 0))).addSquares(to: &s0)
        }
        return ((s0 + s1) + (s2 + s3)).total
    }

    /// out += the sum of the rows' squares, four vectors of columns at a time.
    static func addSquares(
        _ rows: Int, _ columns: Int, _ a: UnsafePointer<E>, _ aRow: Int, _ out: UnsafeMutablePointer<E>
    ) {
        let width = width(E.self)
        var j = 0
        while j + 4 * width <= columns {
            let target = out + j
            var (s0, s1) = (load(UnsafePointer(target)), load(UnsafePointer(target + width)))
            var (s2, s3) = (load(UnsafePointer(target + 2 * width)), load(UnsafePointer(target + 3 * width)))
            var p = a + j
            for _ in 0..<rows {
                let (x0, x1, x2, x3) = (load(p), load(p + width), load(p + 2 * width), load(p + 3 * width))
                s0 = multiplyAdd(x0, x0, s0)
                s1 = multiplyAdd(x1, x1, s1)
                s2 = multiplyAdd(x2, x2, s2)
                s3 = multiplyAdd(x3, x3, s3)
                p += aRow
            }
            store(s0, target)
            store(s1, target + width)
            store(s2, target + 2 * width)
            store(s3, target + 3 * width)
            j += 4 * width
        }
        fill(columns - j, out + j) { offset in
            var sum = load(UnsafePointer(out + j + offset))
            for i in 0..<rows {
                let x = load(a + i * aRow + j + offset)
                sum = multiplyAdd(x, x, sum)
            }
            return sum
        }
    }

    // MARK: Rows as logits

    static func rowMax(
        _ rows: Int, _ columns: Int, _ a: UnsafePointer<E>, _ aRow: Int, _ out: UnsafeMutablePointer<E>, _ outRow: Int
    ) {
        for i in 0..<rows { out[i * outRow] = largest(a + i * aRow, columns) }
    }

    /// Rows of so few elements are reduced side by side, one in each lane.
    private static var fewColumns: Int { 32 }

    /// exp(a - max) / sum exp(a - max)
    static func softmax(
        _ rows: Int, _ columns: Int, _ a: UnsafePointer<E>, _ aRow: Int, _ out: UnsafeMutablePointer<E>, _ outRow: Int
    ) {
        if columns <= fewColumns {
            sideBySide(rows, columns, a, aRow) { row, count, logits in
                let (_, sum) = exponentials(logits, columns)
                for j in 0..<columns { store(load(logits + j * width(E.self)) / sum, logits + j * width(E.self)) }
                Transpose<E>.run(columns, count, UnsafePointer(logits), width(E.self), out + row * outRow, outRow)
            }
            return
        }
        for i in 0..<rows {
            let row = a + i * aRow
            let result = out + i * outRow
            let shift = V(repeating: largest(row, columns))
            fill(columns, result) { j in V.exp(load(row + j) - shift) }
            let sum = V(repeating: lanes(UnsafePointer(result), columns).total)
            fill(columns, result) { j in load(result + j) / sum }
        }
    }

    /// max + log sum exp(a - max); the maximum itself where it is not finite.
    static func logSumExp(
        _ rows: Int, _ columns: Int, _ a: UnsafePointer<E>, _ aRow: Int, _ out: UnsafeMutablePointer<E>, _ outRow: Int
    ) {
        if columns <= fewColumns {
            sideBySide(rows, columns, a, aRow) { row, count, logits in
                let (shift, sum) = exponentials(logits, columns)
                let isFinite = shift - shift
                let result = V.ifEqual(isFinite, V(repeating: 0), shift + V.log(sum), else: shift)
                for lane in 0..<count { out[(row + lane) * outRow] = result[lane] }
            }
            return
        }
        for i in 0..<rows {
            let row = a + i * aRow
            let shift = largest(row, columns)
            var result = shift
            if shift.isFinite {
                var sum = V(repeating: 0)
                forEachVector(columns, E.self) { j, count in
                    let e = V.exp(load(row + j) - V(repeating: shift))
                    sum = sum + (count == width(E.self) ? e : e.first(count, else: V(repeating: 0)))
                }
                result = shift + V.log(V(repeating: sum.total))[0]
            }
            out[i * outRow] = result
        }
    }

    /// Some rows at a time, transposed: the logits of column j are vector j.
    @inline(__always) private static func sideBySide(
        _ rows: Int, _ columns: Int, _ a: UnsafePointer<E>, _ aRow: Int,
        _ body: (_ row: Int, _ count: Int, _ logits: UnsafeMutablePointer<E>) -> Void
    ) {
        let logits = mr_scratch().assumingMemoryBound(to: E.self)
        forEachVector(rows, E.self) { row, count in
            Transpose<E>.run(count, columns, a + row * aRow, aRow, logits, width(E.self))
            body(row, count, logits)
        }
    }

    /// Replaces logits by exp(logit - max); the maxima and the sums, one in each lane.
    @inline(__always) private static func exponentials(
        _ logits: UnsafeMutablePointer<E>, _ columns: Int
    ) -> (shift: V, sum: V) {
        let width = width(E.self)
        var shift = V(repeating: -.infinity)
        for j in 0..<columns { shift = V.maximum(shift, load(logits + j * width)) }
        var sum = V(repeating: 0)
        for j in 0..<columns {
            let e = V.exp(load(logits + j * width) - shift)
            store(e, logits + j * width)
            sum = sum + e
        }
        return (shift, sum)
    }

    @inline(__always) private static func largest(_ a: UnsafePointer<E>, _ n: Int) -> E {
        let lowest = V(repeating: -.infinity)
        var result = lowest
        forEachVector(n, E.self) { i, count in
            let v: V = load(a + i)
            result = V.maximum(result, count == width(E.self) ? v : v.first(count, else: lowest))
        }
        return result.largest
    }
}
