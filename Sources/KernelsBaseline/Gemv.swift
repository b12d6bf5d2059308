import CMetarec

extension Product {
    /// c_i = f(gamma (alpha a_i b + d_i) + delta bias) for one column b: dot products with the rows of A.
    ///
    /// Lane l of a sum takes the elements l, l + width, ... of k in turn; the lanes are added last. Four rows run
    /// together, to hide the latency; each keeps its own sum.
    func runDots() {
        if bRow == 1 || k <= 1 { return runDots(b) }
        let width = width(E.self)
        withUnsafeTemporaryAllocation(of: E.self, capacity: k + width) { packed in
            guard let column = packed.baseAddress else { return }
            for l in 0..<k { column[l] = b[l * bRow] }
            for l in k..<(k + width) { column[l] = 0 }
            runDots(UnsafePointer(column))
        }
    }

    private func runDots(_ b: UnsafePointer<E>) {
        var i = 0
        while i + 4 <= m {
            let sums = dots4(i, b)
            finish(i, sums.0.total)
            finish(i + 1, sums.1.total)
            finish(i + 2, sums.2.total)
            finish(i + 3, sums.3.total)
            i += 4
        }
        while i < m {
            var sum = E.Vector(repeating: 0)
            let row = a + i * aRow
            forEachVector(k, E.self) { l, count in sum = product(row + l, b + l, count, sum) }
            finish(i, sum.total)
            i += 1
        }
    }

    @inline(__always) private func dots4(
        _ i: Int, _ b: UnsafePointer<E>
    ) -> (E.Vector, E.Vector, E.Vector, E.Vector) {
        var sums = (
            E.Vector(repeating: 0), E.Vector(repeating: 0), E.Vector(repeating: 0), E.Vector(repeating: 0)
        )
        let row = a + i * aRow
        forEachVector(k, E.self) { l, count in
            let x = row + l
            sums.0 = product(x, b + l, count, sums.0)
            sums.1 = product(x + aRow, b + l, count, sums.1)
            sums.2 = product(x + 2 * aRow, b + l, count, sums.2)
            sums.3 = product(x + 3 * aRow, b + l, count, sums.3)
        }
        return sums
    }

    /// sum + a b in the first `count` lanes; what lies behind them may be anything and counts as zero.
    @inline(__always) private func product(
        _ a: UnsafePointer<E>, _ b: UnsafePointer<E>, _ count: Int, _ sum: E.Vector
    ) -> E.Vector {
        if count == width(E.self) { return multiplyAdd(load(a), load(b), sum) }
        let zero = E.Vector(repeating: 0)
        return multiplyAdd(load(a).first(count, else: zero), load(b).first(count, else: zero), sum)
    }

    @inline(__always) private func finish(_ i: Int, _ sum: E) {
        var x = alpha * sum
        if let d { x += d[i * dRow] }
        if gamma != 1 { x = gamma * x }
        if let bias { x += delta * bias[0] }
        if isRectified {
            x = x < 0 ? 0 : x
        } else if let mask {
            x = mask[i * maskRow] > 0 ? x : 0
        }
        c[i * cRow] = x
    }
}
