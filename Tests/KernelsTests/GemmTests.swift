import CMetarec
import Kernels
import Testing

@Suite struct GemmTests {
    /// How A lies in memory.
    enum Layout: CaseIterable { case rows, columns }
    enum Addend: CaseIterable { case none, matrix, row, result }

    struct Setup {
        var m, n, k: Int
        var layout = Layout.rows
        var addend = Addend.none
        var epilogue = MR_EPILOGUE_NONE
        var alpha = 1.0
        var gamma = 1.0
        var delta = 1.0
        var isBiased = false
        var slack = 0
    }

    /// Runs one product and checks it against the definition in double precision; gives the result back.
    @discardableResult
    func check(_ table: Table, _ s: Setup, seed: Int = 1) -> Matrix {
        let precision = table.precision
        let a =
            s.layout == .rows
            ? Matrix.random(precision, s.m, s.k, slack: s.slack, seed: seed)
            : Matrix.random(precision, s.k, s.m, slack: s.slack, seed: seed)
        let b = Matrix.random(precision, s.k, s.n, slack: 2 * s.slack, seed: seed + 1)
        let c = Matrix.random(precision, s.m, s.n, slack: s.slack, seed: seed + 2)
        let separate = Matrix.random(precision, s.m, s.n, slack: 3 * s.slack, seed: seed + 3)
        let mask = Matrix.random(precision, s.m, s.n, slack: s.slack, seed: seed + 4)
        let bias = Matrix.random(precision, 1, s.n, seed: seed + 5)
        let d: Matrix? = s.addend == .none ? nil : s.addend == .result ? c : separate
        let dRow = s.addend == .row ? 0 : d?.stride ?? 0

        let expected = (0..<s.m).map { i in
            (0..<s.n).map { j -> (value: Double, scale: Double) in
                var (sum, scale) = (0.0, 0.0)
                for l in 0..<s.k {
                    let term = (s.layout == .rows ? a[i, l] : a[l, i]) * b[l, j]
                    sum += term
                    scale += abs(term)
                }
                sum *= s.alpha
                scale *= abs(s.alpha)
                if let d {
                    let addend = s.addend == .row ? d[0, j] : d[i, j]
                    sum += addend
                    scale += abs(addend)
                }
                sum = s.gamma * sum + (s.isBiased ? s.delta * bias[0, j] : 0)
                scale = abs(s.gamma) * scale + (s.isBiased ? abs(s.delta * bias[0, j]) : 0)
                if s.epilogue == MR_EPILOGUE_RELU { sum = max(sum, 0) }
                if s.epilogue == MR_EPILOGUE_MASK && mask[i, j] <= 0 { sum = 0 }
                return (sum, scale)
            }
        }

        var product = mr_gemm(
            m: Int64(s.m), n: Int64(s.n), k: Int64(s.k),
            a: UnsafeRawPointer(a.pointer), a_row: Int64(s.layout == .rows ? a.stride : 1),
            a_column: Int64(s.layout == .rows ? 1 : a.stride), b: UnsafeRawPointer(b.pointer), b_row: Int64(b.stride),
            c: c.pointer, c_row: Int64(c.stride), d: d.map { UnsafeRawPointer($0.pointer) }, d_row: Int64(dRow),
            mask: UnsafeRawPointer(mask.pointer), mask_row: Int64(mask.stride),
            bias: s.isBiased ? UnsafeRawPointer(bias.pointer) : nil, alpha: s.alpha, gamma: s.gamma,
            delta: s.delta, epilogue: Int32(s.epilogue.rawValue))
        table.kernels.gemm(&product)

        var wrong = 0
        for i in 0..<s.m {
            for j in 0..<s.n {
                let (value, scale) = expected[i][j]
                let tolerance = Double(s.k + 4) * 2 * table.epsilon * scale
                if !agree(c[i, j], value, tolerance) { wrong += 1 }
            }
        }
        #expect(wrong == 0, "\(table) \(s)")
        #expect(c.isIntact && a.isIntact && b.isIntact, "\(table) \(s)")
        withExtendedLifetime((a, b, c, separate, mask, bias)) {}
        return c
    }

    @Test(arguments: Table.all, Layout.allCases)
    func allShapes(_ table: Table, _ layout: Layout) {
        for m in awkward {
            for n in awkward {
                for k in [0, 1, 2, 7, 16, 33] where (m + n + k) % 2 == 0 {
                    check(table, Setup(m: m, n: n, k: k, layout: layout, slack: (m + n + k) % 3))
                }
            }
        }
    }

    @Test(arguments: Table.all, Layout.allCases)
    func epilogues(_ table: Table, _ layout: Layout) {
        for addend in Addend.allCases {
            for epilogue in [MR_EPILOGUE_NONE, MR_EPILOGUE_RELU, MR_EPILOGUE_MASK] {
                for (m, n, k) in [(1, 64, 3), (7, 1, 20), (1, 1, 5), (6, 65, 4), (13, 33, 0), (9, 100, 17), (4, 16, 1)]
                {
                    for (slack, gamma, isBiased) in [(0, 1, false), (3, 1, false), (0, 1, true), (3, -1.5, true)] {
                        check(
                            table,
                            Setup(
                                m: m, n: n, k: k, layout: layout, addend: addend, epilogue: epilogue, alpha: -0.75,
                                gamma: gamma, delta: 1 - gamma / 2, isBiased: isBiased, slack: slack))
                    }
                }
            }
        }
    }

    /// A column with a stride, and into one: the general path and the packed one agree with the definition.
    @Test(arguments: Table.all)
    func stridedColumns(_ table: Table) {
        for m in [1, 2, 3, 4, 5, 17, 64] {
            for k in [0, 1, 2, 15, 16, 40] {
                for layout in Layout.allCases {
                    check(table, Setup(m: m, n: 1, k: k, layout: layout, addend: .matrix, alpha: 0.5, slack: 2))
                }
            }
        }
    }

    /// The bits of a row do not depend on the rows beside it.
    @Test(arguments: Table.all)
    func rowsAreIndependent(_ table: Table) {
        for n in [1, 5, 16, 33, 64, 70] {
            let k = 37
            let whole = check(table, Setup(m: 100, n: n, k: k, slack: 1))
            for m in [1, 2, 3, 4, 6, 7, 11, 36] {
                let part = check(table, Setup(m: m, n: n, k: k, slack: 1))
                // B is drawn after A from its own seed, so only the first rows of A have to match.
                #expect(part.bits == Array(whole.bits.prefix(m * n)), "\(table) m \(m) n \(n)")
            }
        }
    }

    @Test(arguments: Precision.allCases)
    func fusedVariantsAgreeInEveryBit(_ precision: Precision) {
        let fused = Table.all.filter { $0.precision == precision && $0.isa.hasPrefix("avx") }
        guard fused.count == 2 else { return }
        for layout in Layout.allCases {
            for (m, n, k) in [
                (36, 64, 64), (36, 1, 100), (7, 33, 50), (100, 17, 3), (1, 65, 9), (33, 10, 50), (27, 8, 50),
                (7, 16, 9),
            ] {
                var s = Setup(m: m, n: n, k: k, layout: layout, addend: .row, epilogue: MR_EPILOGUE_RELU, alpha: 0.3)
                #expect(check(fused[0], s).bits == check(fused[1], s).bits, "\(s)")
                s.addend = .none
                #expect(check(fused[0], s).bits == check(fused[1], s).bits, "\(s)")
                s.addend = .row
                (s.gamma, s.delta, s.isBiased) = (0.7, 3, true)
                #expect(check(fused[0], s).bits == check(fused[1], s).bits, "\(s)")
            }
        }
    }

    @Test(arguments: Table.all)
    func notANumberPassesThroughTheRectifier(_ table: Table) {
        let a = Matrix(table.precision, 1, 2) { _, j in j == 0 ? .nan : 1 }
        let b = Matrix(table.precision, 2, 17) { _, _ in 1 }
        let c = Matrix(table.precision, 1, 17)
        var product = mr_gemm(
            m: 1, n: 17, k: 2, a: UnsafeRawPointer(a.pointer), a_row: 2, a_column: 1, b: UnsafeRawPointer(b.pointer),
            b_row: 17, c: c.pointer, c_row: 17, d: nil, d_row: 0, mask: nil, mask_row: 0, bias: nil, alpha: 1,
            gamma: 1, delta: 1, epilogue: Int32(MR_EPILOGUE_RELU.rawValue))
        table.kernels.gemm(&product)
        #expect(c.values.allSatisfy { $0.isNaN })
        withExtendedLifetime((a, b)) {}
    }
}
