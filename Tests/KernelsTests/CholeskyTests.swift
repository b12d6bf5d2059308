import CMetarec
import Glibc
import Kernels
import Testing

@Suite struct CholeskyTests {
    /// M Mᵀ / n + I for a random M: well conditioned, so that a residual of some roundoffs is what a right answer has.
    static func positive(_ precision: Precision, _ n: Int, slack: Int = 0, seed: Int) -> Matrix {
        let m = Matrix.random(precision, n, n, seed: seed)
        return Matrix(precision, n, n, slack: slack) { i, j in
            let dot = (0..<n).reduce(0) { $0 + m[i, $1] * m[j, $1] }
            return dot / Double(max(n, 1)) + (i == j ? 1 : 0)
        }
    }

    static func factored(_ table: Table, _ n: Int, slack: Int = 0, seed: Int) -> (l: Matrix, status: Int64) {
        let l = positive(table.precision, n, slack: slack, seed: seed)
        return (l, table.kernels.cholesky(Int64(n), l.pointer, Int64(l.stride)))
    }

    @Test(arguments: Table.all)
    func theFactorTimesItsTransposeIsTheMatrix(_ table: Table) {
        for n in [0, 1, 2, 3, 16, 17, 41, 65, 128] {
            let a = CholeskyTests.positive(table.precision, n, seed: n)
            let (l, status) = CholeskyTests.factored(table, n, slack: 3, seed: n)
            var wrong = status == 0 ? 0 : 1
            for i in 0..<n {
                for j in 0..<n {
                    let dot = (0...min(i, j)).reduce(0) { $0 + l[i, $1] * l[j, $1] }
                    if !agree(dot, a[i, j], 4 * Double(n + 4) * table.epsilon) { wrong += 1 }
                    if j > i && l[i, j] != 0 { wrong += 1 }
                }
            }
            #expect(wrong == 0 && l.isIntact, "n = \(n)")
        }
    }

    @Test(arguments: Table.all)
    func solvesBothSystems(_ table: Table) {
        for n in [0, 1, 2, 16, 17, 41] {
            for m in [0, 1, 2, 16, 17, 65, 100] {
                for isTransposed in [false, true] {
                    let (l, _) = CholeskyTests.factored(table, n, slack: 2, seed: n + 1)
                    let b = Matrix.random(table.precision, n, m, seed: m)
                    let x = Matrix.random(table.precision, n, m, slack: m == 1 ? 0 : 1, seed: m)
                    table.kernels.solve_triangular(
                        Int64(n), Int64(m), UnsafeRawPointer(l.pointer), Int64(l.stride), x.pointer, Int64(x.stride),
                        isTransposed ? 1 : 0)
                    var wrong = 0
                    for i in 0..<n {
                        for j in 0..<m {
                            let product = (0..<n).reduce(0) {
                                $0 + (isTransposed ? l[$1, i] : l[i, $1]) * x[$1, j]
                            }
                            if !agree(product, b[i, j], 16 * Double(n + 4) * table.epsilon) { wrong += 1 }
                        }
                    }
                    #expect(wrong == 0 && x.isIntact && l.isIntact, "[\(n), \(m)], transposed \(isTransposed)")
                }
            }
        }
    }

    @Test(arguments: Table.all)
    func namesTheFirstPivotThatIsNotPositive(_ table: Table) {
        for (bad, value) in [(0, 0.0), (2, -1.0), (16, .nan), (4, .infinity)] {
            let a = Matrix(table.precision, 20, 20) { i, j in i == j ? (i == bad ? value : 1) : 0 }
            #expect(table.kernels.cholesky(20, a.pointer, 20) == bad + 1)
            #expect(a.isIntact)
        }
    }

    /// |L Lᵀ| is the square of the product of L's diagonal; of no rows it is 1.
    @Test(arguments: Table.all)
    func logDeterminantsAreTheDiagonals(_ table: Table) {
        for n in [0, 1, 17, 41] {
            let l = Matrix.random(table.precision, n, n, slack: 2, seed: n)
            for i in 0..<n { l[i, i] = 0.5 + abs(l[i, i]) }
            let out = Matrix(table.precision, 1, 1)
            table.kernels.log_determinant(
                Int64(n), UnsafeRawPointer(l.pointer), Int64(l.stride), out.pointer)
            let wanted = 2 * (0..<n).reduce(0) { $0 + log(l[$1, $1]) }
            #expect(agree(out[0, 0], wanted, 16 * Double(n + 1) * table.epsilon) && out.isIntact && l.isIntact)
        }
    }

    @Test(arguments: Precision.allCases)
    func instructionSetsAgreeBitForBit(_ precision: Precision) {
        let tables = Table.all.filter { $0.precision == precision && $0.isa != "baseline" }
        guard tables.count == 2 else { return }
        for (n, m) in [(7, 1), (41, 5), (41, 70), (100, 17)] {
            for flag: Int32 in [0, 1] {
                let results = tables.map { table in
                    let (l, _) = CholeskyTests.factored(table, n, seed: n)
                    let x = Matrix.random(precision, n, m, seed: m)
                    table.kernels.solve_triangular(
                        Int64(n), Int64(m), UnsafeRawPointer(l.pointer), Int64(n), x.pointer, Int64(m), flag)
                    let out = Matrix(precision, 1, 1)
                    table.kernels.log_determinant(Int64(n), UnsafeRawPointer(l.pointer), Int64(n), out.pointer)
                    return l.bits + x.bits + out.bits
                }
                #expect(results[0] == results[1], "[\(n), \(m)]")
            }
        }
    }
}
