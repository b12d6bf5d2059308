import CMetarec
import Glibc
import Kernels
import Testing

@Suite struct ReductionTests {
    @Test(arguments: Table.all)
    func sums(_ table: Table) {
        for rows in awkward {
            for columns in awkward {
                for slack in [0, 3] {
                    let a = Matrix.random(table.precision, rows, columns, slack: slack, seed: rows + 7 * columns)
                    let p = UnsafeRawPointer(a.pointer)
                    let alpha = -0.5
                    let tolerance = 4 * table.epsilon * Double(rows * columns + 1)
                    let overRows = Matrix(table.precision, 1, columns)
                    table.kernels.sum(
                        Int32(MR_OVER_ROWS.rawValue), Int64(rows), Int64(columns), p, Int64(a.stride), alpha,
                        overRows.pointer, Int64(columns))
                    let overColumns = Matrix(table.precision, rows, 1, slack: 1)
                    table.kernels.sum(
                        Int32(MR_OVER_COLUMNS.rawValue), Int64(rows), Int64(columns), p, Int64(a.stride), alpha,
                        overColumns.pointer, 2)
                    let overAll = Matrix(table.precision, 1, 1)
                    table.kernels.sum(
                        Int32(MR_OVER_ALL.rawValue), Int64(rows), Int64(columns), p, Int64(a.stride), alpha,
                        overAll.pointer, 1)
                    var wrong = 0
                    for j in 0..<columns {
                        let sum = (0..<rows).reduce(0.0) { $0 + a[$1, j] }
                        if !agree(overRows[0, j], alpha * sum, tolerance) { wrong += 1 }
                    }
                    for i in 0..<rows {
                        let sum = (0..<columns).reduce(0.0) { $0 + a[i, $1] }
                        if !agree(overColumns[i, 0], alpha * sum, tolerance) { wrong += 1 }
                    }
                    if !agree(overAll[0, 0], alpha * a.values.reduce(0, +), tolerance) { wrong += 1 }
                    #expect(wrong == 0, "\(table) \(rows)x\(columns) slack \(slack)")
                    #expect(overRows.isIntact && overColumns.isIntact && overAll.isIntact)
                }
            }
        }
    }

    @Test(arguments: Table.all)
    func squaresOfColumns(_ table: Table) {
        for rows in [0, 1, 2, 33] {
            for columns in awkward {
                let a = Matrix.random(table.precision, rows, columns, slack: 3, seed: rows + 7 * columns)
                let out = Matrix(table.precision, 1, columns) { _, j in Double(j) }
                table.kernels.add_squares(
                    Int64(rows), Int64(columns), UnsafeRawPointer(a.pointer), Int64(a.stride), out.pointer)
                for j in 0..<columns {
                    let sum = (0..<rows).reduce(Double(j)) { $0 + a[$1, j] * a[$1, j] }
                    #expect(agree(out[0, j], sum, 4 * table.epsilon * Double(rows + 1) * max(sum, 1)))
                }
                #expect(out.isIntact)
            }
        }
    }

    @Test(arguments: Table.all)
    func rowsAsLogits(_ table: Table) {
        for (rows, columns) in [
            (1, 1), (3, 2), (2, 5), (4, 16), (3, 17), (16, 5), (35, 20), (19, 32), (18, 33), (2, 100),
        ] {
            for slack in [0, 3] {
                let a = Matrix.random(table.precision, rows, columns, slack: slack, seed: columns)
                for j in 0..<columns where j % 3 == 0 { a[0, j] = a[0, j] * 50 }
                let p = UnsafeRawPointer(a.pointer)
                let largest = Matrix(table.precision, rows, 1, slack: slack)
                let soft = Matrix(table.precision, rows, columns, slack: slack)
                let logs = Matrix(table.precision, rows, 1, slack: slack)
                let (r, c, s) = (Int64(rows), Int64(columns), Int64(a.stride))
                table.kernels.row_max(r, c, p, s, largest.pointer, Int64(largest.stride))
                table.kernels.softmax(r, c, p, s, soft.pointer, Int64(soft.stride))
                table.kernels.log_sum_exp(r, c, p, s, logs.pointer, Int64(logs.stride))
                for i in 0..<rows {
                    let row = (0..<columns).map { a[i, $0] }
                    let top = row.max()!
                    let sum = row.reduce(0) { $0 + exp($1 - top) }
                    #expect(largest[i, 0] == top)
                    #expect(agree(logs[i, 0], top + log(sum), 4 * table.epsilon * (abs(top) + 2)))
                    for j in 0..<columns {
                        let expected = exp(row[j] - top) / sum
                        #expect(agree(soft[i, j], expected, 100 * table.epsilon * expected + 1e-44))
                    }
                }
                #expect(largest.isIntact && soft.isIntact && logs.isIntact)
            }
        }
    }

    @Test(arguments: Table.all)
    func extremeLogits(_ table: Table) {
        let inf = Double.infinity
        let rows: [[Double]] = [[3e4, 0, -3e4], [-inf, 0, -inf], [-inf, -inf, -inf], [inf, 0, 1], [.nan, 0, 1]]
        let a = Matrix(table.precision, rows.count, 3) { rows[$0][$1] }
        let p = UnsafeRawPointer(a.pointer)
        let soft = Matrix(table.precision, rows.count, 3)
        let logs = Matrix(table.precision, rows.count, 1)
        let largest = Matrix(table.precision, rows.count, 1)
        table.kernels.softmax(5, 3, p, 3, soft.pointer, 3)
        table.kernels.log_sum_exp(5, 3, p, 3, logs.pointer, 1)
        table.kernels.row_max(5, 3, p, 3, largest.pointer, 1)
        #expect((0..<3).map { soft[0, $0] } == [1, 0, 0])
        #expect((0..<3).map { soft[1, $0] } == [0, 1, 0])
        #expect(logs[0, 0] == 3e4 && logs[1, 0] == 0 && logs[2, 0] == -inf && logs[3, 0] == inf && logs[4, 0].isNaN)
        #expect(largest[2, 0] == -inf && largest[3, 0] == inf && largest[4, 0].isNaN)
        withExtendedLifetime(a) {}
    }

    @Test(arguments: Table.all)
    func emptyRows(_ table: Table) {
        let a = Matrix(table.precision, 2, 0)
        let out = Matrix(table.precision, 2, 1)
        table.kernels.log_sum_exp(2, 0, UnsafeRawPointer(a.pointer), 0, out.pointer, 1)
        #expect(out.values == [-.infinity, -.infinity])
        table.kernels.softmax(2, 0, UnsafeRawPointer(a.pointer), 0, a.pointer, 0)
        #expect(a.isIntact)
    }

    @Test(arguments: Table.all)
    func sumOfSquares(_ table: Table) {
        for n in awkward + [128, 200, 1000] {
            let x = Matrix.random(table.precision, 1, n, seed: n)
            let expected = x.values.reduce(0) { $0 + $1 * $1 }
            let got = table.kernels.sum_of_squares(Int64(n), UnsafeRawPointer(x.pointer))
            #expect(agree(got, expected, 1e-14 * expected))
            withExtendedLifetime(x) {}
        }
    }

    /// AVX2 and AVX-512 give the same bits.
    @Test(arguments: Precision.allCases)
    func fusedVariantsAgreeInEveryBit(_ precision: Precision) {
        var results: [[UInt64]] = []
        for table in Table.all where table.precision == precision && table.isa.hasPrefix("avx") {
            let a = Matrix.random(precision, 50, 77, seed: 5)
            let p = UnsafeRawPointer(a.pointer)
            let out = Matrix(precision, 50, 77)
            var bits: [UInt64] = []
            table.kernels.softmax(50, 77, p, 77, out.pointer, 77)
            bits += out.bits
            table.kernels.log_sum_exp(50, 77, p, 77, out.pointer, 77)
            bits += out.bits
            table.kernels.softmax(50, 20, p, 77, out.pointer, 77)
            table.kernels.log_sum_exp(50, 20, p, 77, out.pointer, 77)
            bits += out.bits
            for axis in 0..<3 {
                table.kernels.sum(Int32(axis), 50, 77, p, 77, 1, out.pointer, 77)
                bits += out.bits
            }
            bits.append(table.kernels.sum_of_squares(50 * 77, p).bitPattern)
            results.append(bits)
            withExtendedLifetime(a) {}
        }
        #expect(results.count < 2 || results[0] == results[1])
    }
}
