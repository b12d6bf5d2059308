import CMetarec
import Glibc
import Kernels
import Testing

@Suite struct VectorTests {
    @Test(arguments: Table.all)
    func transpose(_ table: Table) {
        for rows in awkward {
            for columns in awkward {
                for slack in [0, 3] {
                    let a = Matrix.random(table.precision, rows, columns, slack: slack, seed: 1)
                    let out = Matrix(table.precision, columns, rows, slack: slack)
                    table.kernels.transpose(
                        Int64(rows), Int64(columns), UnsafeRawPointer(a.pointer), Int64(a.stride), out.pointer,
                        Int64(out.stride))
                    var wrong = 0
                    for i in 0..<rows { for j in 0..<columns where out[j, i] != a[i, j] { wrong += 1 } }
                    #expect(wrong == 0 && out.isIntact, "\(table) \(rows)x\(columns)")
                    withExtendedLifetime(a) {}
                }
            }
        }
    }

    @Test(arguments: Table.all)
    func copyAndFill(_ table: Table) {
        for (rows, columns) in [(0, 3), (3, 0), (1, 1), (4, 17), (33, 5), (2, 64)] {
            for slack in [0, 2] {
                // A copy may read a caller's array: nothing behind its end.
                let a = Matrix.random(table.precision, rows, columns, slack: slack, overRead: 0, seed: 1)
                let out = Matrix(table.precision, rows, columns, slack: 2 * slack)
                table.kernels.copy(
                    Int64(rows), Int64(columns), UnsafeRawPointer(a.pointer), Int64(a.stride), out.pointer,
                    Int64(out.stride))
                #expect(out.bits == a.bits && out.isIntact)
                table.kernels.fill(Int64(rows), Int64(columns), 0.25, out.pointer, Int64(out.stride))
                #expect(out.values.allSatisfy { $0 == 0.25 } && out.isIntact)
            }
        }
    }

    @Test(arguments: Table.all)
    func vectors(_ table: Table) {
        for n in awkward {
            let x = Matrix.random(table.precision, 1, n, seed: 1)
            let y = Matrix.random(table.precision, 1, n, seed: 2)
            let old = y.values
            table.kernels.axpy(Int64(n), 0.375, UnsafeRawPointer(x.pointer), y.pointer)
            #expect((0..<n).allSatisfy { agree(y[0, $0], old[$0] + 0.375 * x[0, $0], 3 * table.epsilon) })
            let added = y.values
            table.kernels.scale(Int64(n), -2, y.pointer)
            #expect((0..<n).allSatisfy { y[0, $0] == -2 * added[$0] })
            table.kernels.clamp(Int64(n), -0.5, 0.25, y.pointer)
            #expect((0..<n).allSatisfy { y[0, $0] == min(max(-2 * added[$0], -0.5), 0.25) })
            #expect(y.isIntact && x.isIntact)
        }
        let special = Matrix(table.precision, 1, 3) { _, j in [.nan, .infinity, -.infinity][j] }
        table.kernels.clamp(3, -1, 1, special.pointer)
        #expect(special[0, 0].isNaN && special[0, 1] == 1 && special[0, 2] == -1)
    }

    @Test(arguments: Table.all)
    func conversions(_ table: Table) {
        for n in awkward {
            for source in Precision.allCases {
                let x = Matrix.random(source, 1, n, overRead: 0, seed: n)
                let out = Matrix(table.precision, 1, n)
                if source == .float {
                    table.kernels.convert_float(Int64(n), x.pointer.assumingMemoryBound(to: Float.self), out.pointer)
                } else {
                    table.kernels.convert_double(Int64(n), x.pointer.assumingMemoryBound(to: Double.self), out.pointer)
                }
                let expected = x.values.map { table.precision == .float ? Double(Float($0)) : $0 }
                #expect(out.values == expected && out.isIntact)
            }
        }
    }

    /// AVX2 and AVX-512 give the same bits.
    @Test(arguments: Precision.allCases)
    func fusedVariantsAgreeInEveryBit(_ precision: Precision) {
        var results: [[UInt64]] = []
        let n = 1003
        for table in Table.all where table.precision == precision && table.isa.hasPrefix("avx") {
            let x = Matrix.random(precision, 1, n, seed: 1)
            let g = Matrix.random(precision, 1, n, seed: 3)
            table.kernels.axpy(Int64(n), 0.3, UnsafeRawPointer(x.pointer), g.pointer)
            let squares = Matrix.random(precision, 1, 59, seed: 4)
            table.kernels.add_squares(17, 59, UnsafeRawPointer(x.pointer), 59, squares.pointer)
            results.append(g.bits + squares.bits)
        }
        #expect(results.count < 2 || results[0] == results[1])
    }
}
