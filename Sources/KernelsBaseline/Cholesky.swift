/// Factors and triangular systems of small matrices, a row of them at a time.
enum Cholesky<E: KernelElement> {
    typealias V = E.Vector

    /// A = L Lᵀ over A, of which the upper triangle is read; returns 0, or the 1-based pivot that is not positive.
    ///
    /// Row i of U = Lᵀ is row i of A less what the rows above have of it, over the root of its pivot: whole vectors
    /// along the rows. At the end U changes sides.
    static func factor(_ n: Int, _ a: UnsafeMutablePointer<E>, _ aRow: Int) -> Int {
        for i in 0..<n {
            let row = a + i * aRow + i
            reduce(row, n - i, by: UnsafePointer(a + i), aRow, of: UnsafePointer(a + i), count: i, aRow)
            let pivot = row.pointee
            guard pivot > 0, pivot.isFinite else { return i + 1 }
            let root = pivot.squareRoot()
            let divisor = V(repeating: root)
            fill(n - i, row) { j in load(UnsafePointer(row + j)) / divisor }
            row.pointee = root
        }
        for i in 0..<n {
            for j in i + 1..<max(n, i + 1) {
                a[j * aRow + i] = a[i * aRow + j]
                a[i * aRow + j] = 0
            }
        }
        return 0
    }

    /// L X = B or Lᵀ X = B over B, `m` columns of it.
    static func solve(
        _ n: Int, _ m: Int, _ l: UnsafePointer<E>, _ lRow: Int, _ b: UnsafeMutablePointer<E>, _ bRow: Int,
        isTransposed: Bool
    ) {
        if m == 1 && bRow == 1 { return solveVector(n, l, lRow, b, isTransposed: isTransposed) }
        for step in 0..<n {
            let i = isTransposed ? n - 1 - step : step
            let row = b + i * bRow
            if isTransposed {
                reduce(row, m, by: l + (i + 1) * lRow + i, lRow, of: UnsafePointer(row + bRow), count: step, bRow)
            } else {
                reduce(row, m, by: l + i * lRow, 1, of: UnsafePointer(b), count: step, bRow)
            }
            let divisor = V(repeating: l[i * lRow + i])
            fill(m, row) { j in load(UnsafePointer(row + j)) / divisor }
        }
    }

    /// One column that lies as a row: along the rows of L, as a dot product downwards and as a sum of rows upwards.
    private static func solveVector(
        _ n: Int, _ l: UnsafePointer<E>, _ lRow: Int, _ b: UnsafeMutablePointer<E>, isTransposed: Bool
    ) {
        if isTransposed {
            for i in stride(from: n - 1, through: 0, by: -1) {
                let row = l + i * lRow
                let x = b[i] / row[i]
                b[i] = x
                let factor = V(repeating: -x)
                fill(i, b) { j in multiplyAdd(factor, load(row + j), load(UnsafePointer(b + j))) }
            }
        } else {
            for i in 0..<n {
                let row = l + i * lRow
                var sum = V(repeating: 0)
                forEachVector(i, E.self) { j, count in
                    let product = load(row + j) * load(UnsafePointer(b + j))
                    sum = sum + (count == width(E.self) ? product : product.first(count, else: V(repeating: 0)))
                }
                b[i] = (b[i] - sum.total) / row[i]
            }
        }
    }

    /// 2 Σ log Lᵢᵢ, in double precision.
    static func logDeterminant(_ n: Int, _ l: UnsafePointer<E>, _ lRow: Int, _ out: UnsafeMutablePointer<E>) {
        var sum = 0.0
        for i in 0..<n { sum += Double(V.log(V(repeating: l[i * lRow + i]))[0]) }
        out.pointee = E(2 * sum)
    }

    /// row -= Σ factorₖ rowₖ for `count` rows `stride` apart, their factors `step` apart: four vectors of columns at a
    /// time, to hide the latency. An element is one chain of multiply-adds, wherever the blocks begin.
    @inline(__always) private static func reduce(
        _ row: UnsafeMutablePointer<E>, _ columns: Int, by factors: UnsafePointer<E>, _ step: Int,
        of rows: UnsafePointer<E>, count: Int, _ stride: Int
    ) {
        if count == 0 { return }
        let width = width(E.self)
        var j = 0
        while j + 4 * width <= columns {
            let target = row + j
            var (s0, s1) = (load(UnsafePointer(target)), load(UnsafePointer(target + width)))
            var (s2, s3) = (load(UnsafePointer(target + 2 * width)), load(UnsafePointer(target + 3 * width)))
            var p = rows + j
            for k in 0..<count {
                let factor = V(repeating: -factors[k * step])
                s0 = multiplyAdd(factor, load(p), s0)
                s1 = multiplyAdd(factor, load(p + width), s1)
                s2 = multiplyAdd(factor, load(p + 2 * width), s2)
                s3 = multiplyAdd(factor, load(p + 3 * width), s3)
                p += stride
            }
            store(s0, target)
            store(s1, target + width)
            store(s2, target + 2 * width)
            store(s3, target + 3 * width)
            j += 4 * width
        }
        fill(columns - j, row + j) { offset in
            var sum = load(UnsafePointer(row + j + offset))
            var p = rows + j + offset
            for k in 0..<count {
                sum = multiplyAdd(V(repeating: -factors[k * step]), load(p), sum)
                p += stride
            }
            return sum
        }
    }
}
