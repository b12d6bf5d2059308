import CMetarec

/// `mr_gemm` with its pointers typed and its strides as `Int`.
struct Product<E: KernelElement> {
    var m, n, k: Int
    var a: UnsafePointer<E>
    var aRow, aColumn: Int
    var b: UnsafePointer<E>
    var bRow: Int
    var c: UnsafeMutablePointer<E>
    var cRow: Int
    var d: UnsafePointer<E>?
    var dRow: Int
    var mask: UnsafePointer<E>?
    var maskRow: Int
    var bias: UnsafePointer<E>?
    var alpha, gamma, delta: E
    var isRectified: Bool
}

extension Product {
    @inline(__always) init(_ p: UnsafePointer<mr_gemm>) {
        let p = p.pointee
        let isMasked = p.epilogue == Int32(bitPattern: MR_EPILOGUE_MASK.rawValue)
        self.init(
            m: Int(p.m), n: Int(p.n), k: Int(p.k),
            a: p.a.assumingMemoryBound(to: E.self), aRow: Int(p.a_row), aColumn: Int(p.a_column),
            b: p.b.assumingMemoryBound(to: E.self), bRow: Int(p.b_row),
            c: p.c.assumingMemoryBound(to: E.self), cRow: Int(p.c_row),
            d: p.d?.assumingMemoryBound(to: E.self), dRow: Int(p.d_row),
            mask: isMasked ? p.mask?.assumingMemoryBound(to: E.self) : nil, maskRow: Int(p.mask_row),
            bias: p.bias?.assumingMemoryBound(to: E.self), alpha: E(p.alpha), gamma: E(p.gamma), delta: E(p.delta),
            isRectified: p.epilogue == Int32(bitPattern: MR_EPILOGUE_RELU.rawValue))
    }

    /// C = f(gamma (alpha A B + D) + delta bias), over panels of columns and, in each, blocks of rows that fit the registers.
    ///
    /// Every element is one chain of multiply-adds over k, whatever its block; only the dot products of `n` = 1 with
    /// stored rows of A have another order.
    func run() {
        if m == 0 || n == 0 { return }
        if n == 1 {
            if aRow == 1, aColumn != 1 || k == 1, let transposed { return transposed.run() }
            if aColumn == 1 { return runDots() }
        }
        let width = width(E.self)
        var j = 0
        while j < n {
            let left = (n - j + width - 1) / width
            // The most rows whose sums, with a row of B, fit the registers: 32 of a whole vector, 16 of half or a quarter.
            #if KERNELS_AVX512
            switch left {
            case 1: Panel<E, 1>.run(self, j, atMost: 12)
            case 2: Panel<E, 2>.run(self, j, atMost: 8)
            case 3: Panel<E, 3>.run(self, j, atMost: 6)
            default: Panel<E, 4>.run(self, j, atMost: 6)
            }
            j += 4 * width
            #elseif KERNELS_AVX2 || arch(arm64)
            // Few rows need more columns, to hide the latency.
            if m == 1 && left >= 4 {
                Panel<E, 4>.run(self, j, atMost: 1)
                j += 4 * width
            } else if m <= 2 && left >= 2 {
                Panel<E, 2>.run(self, j, atMost: 2)
                j += 2 * width
            } else {
                Panel<E, 1>.run(self, j, atMost: 6)
                j += width
            }
            #else
            if m == 1 && left >= 2 {
                Panel<E, 2>.run(self, j, atMost: 1)
                j += 2 * width
            } else {
                Panel<E, 1>.run(self, j, atMost: 3)
                j += width
            }
            #endif
        }
    }

    /// One column Xᵀg as the row gᵀX; nil where the column, its addend or its mask does not lie in memory as a row, or all
    /// of it has one bias.
    private var transposed: Product? {
        if cRow != 1 || d != nil && dRow != 1 || mask != nil && maskRow != 1 { return nil }
        if m == 1 || bias != nil { return nil }
        var row = self
        (row.m, row.n) = (1, m)
        (row.a, row.aRow, row.aColumn) = (b, 0, bRow)
        (row.b, row.bRow) = (a, aColumn)
        return row
    }
}

/// All rows of C in `vectors` registers' worth of columns.
private enum Panel<E: KernelElement, let vectors: Int> {
    /// Cuts the rows into blocks of nearly equal height, none above `most`, the most whose sums fit the registers.
    @inline(__always) static func run(_ p: Product<E>, _ j: Int, atMost most: Int) {
        var i = 0
        while i < p.m {
            let left = p.m - i
            let blocks = (left + most - 1) / most
            let rows = (left + blocks - 1) / blocks
            switch rows {
            case 1: Tile<E, 1, vectors>.run(p, i, j)
            case 2 where most > 1: Tile<E, 2, vectors>.run(p, i, j)
            case 3 where most > 2: Tile<E, 3, vectors>.run(p, i, j)
            case 4 where most > 3: Tile<E, 4, vectors>.run(p, i, j)
            case 5 where most > 3: Tile<E, 5, vectors>.run(p, i, j)
            case 6 where most > 3: Tile<E, 6, vectors>.run(p, i, j)
            case 7 where most > 6: Tile<E, 7, vectors>.run(p, i, j)
            case 8 where most > 6: Tile<E, 8, vectors>.run(p, i, j)
            case 9 where most > 8: Tile<E, 9, vectors>.run(p, i, j)
            case 10 where most > 8: Tile<E, 10, vectors>.run(p, i, j)
            case 11 where most > 8: Tile<E, 11, vectors>.run(p, i, j)
            default: if most > 8 { Tile<E, 12, vectors>.run(p, i, j) }
            }
            i += rows
        }
    }
}

/// A block of C whose sums stay in registers.
private enum Tile<E: KernelElement, let rows: Int, let vectors: Int> {
    typealias V = E.Vector
    typealias Sums = InlineArray<rows, InlineArray<vectors, V>>

    @inline(never) static func run(_ p: Product<E>, _ i: Int, _ j: Int) {
        var sums = multiplied(p, i, j)
        if let d = p.d {
            let alpha = V(repeating: p.alpha)
            change(&sums, with: d + i * p.dRow + j, p.dRow) { multiplyAdd(alpha, $0, $1) }
        } else if p.alpha != 1 {
            let alpha = V(repeating: p.alpha)
            for r in 0..<rows {
                for v in 0..<vectors { sums[r][v] = alpha * sums[r][v] }
            }
        }
        if p.gamma != 1 {
            let gamma = V(repeating: p.gamma)
            for r in 0..<rows {
                for v in 0..<vectors { sums[r][v] = gamma * sums[r][v] }
            }
        }
        if let bias = p.bias {
            let delta = V(repeating: p.delta)
            change(&sums, with: bias + j, 0) { $0 + delta * $1 }
        }
        if p.isRectified {
            for r in 0..<rows {
                for v in 0..<vectors { sums[r][v] = sums[r][v].rectified }
            }
        } else if let mask = p.mask {
            change(&sums, with: mask + i * p.maskRow + j, p.maskRow) { $0.kept(where: $1) }
        }
        write(sums, p.c + i * p.cRow + j, p.cRow, columns: p.n - j)
    }

    @inline(__always) private static func multiplied(_ p: Product<E>, _ i: Int, _ j: Int) -> Sums {
        var sums = Sums(repeating: .init(repeating: V(repeating: 0)))
        let (aRow, aColumn, bRow) = (p.aRow, p.aColumn, p.bRow)
        var a = p.a + i * aRow
        var b = p.b + j
        var rest = p.k
        if vectors == 1 && rows > 6 {
            // Two steps at a time: walking down the rows of A takes longer than so few multiply-adds.
            for _ in 0..<(p.k / 2) {
                addProduct(&sums, a, aRow, b)
                addProduct(&sums, a + aColumn, aRow, b + bRow)
                a += 2 * aColumn
                b += 2 * bRow
            }
            rest = p.k % 2
        }
        for _ in 0..<rest {
            addProduct(&sums, a, aRow, b)
            a += aColumn
            b += bRow
        }
        return sums
    }

    /// sums += a b for one column of A and one row of B.
    @inline(__always) private static func addProduct(
        _ sums: inout Sums, _ a: UnsafePointer<E>, _ aRow: Int, _ b: UnsafePointer<E>
    ) {
        var loaded = InlineArray<vectors, V>(repeating: V(repeating: 0))
        for v in 0..<vectors { loaded[v] = load(b + v * width(E.self)) }
        for r in 0..<rows {
            let x = V(repeating: a[r * aRow])
            for v in 0..<vectors { sums[r][v] = multiplyAdd(x, loaded[v], sums[r][v]) }
        }
    }

    /// sums = f(sums, p)
    @inline(__always) private static func change(
        _ sums: inout Sums, with p: UnsafePointer<E>, _ pRow: Int, _ f: (V, V) -> V
    ) {
        let width = width(E.self)
        for r in 0..<rows {
            for v in 0..<vectors { sums[r][v] = f(sums[r][v], load(p + r * pRow + v * width)) }
        }
    }

    /// Stores whole vectors, and of the last one no more than C has columns.
    @inline(__always) private static func write(
        _ sums: Sums, _ c: UnsafeMutablePointer<E>, _ cRow: Int, columns: Int
    ) {
        let width = width(E.self)
        for r in 0..<rows {
            for v in 0..<(vectors - 1) { store(sums[r][v], c + r * cRow + v * width) }
        }
        let end = c + (vectors - 1) * width
        let last = columns - (vectors - 1) * width
        if last >= width {
            for r in 0..<rows { store(sums[r][vectors - 1], end + r * cRow) }
        } else {
            for r in 0..<rows { sums[r][vectors - 1].store(end + r * cRow, first: last) }
        }
    }
}
