import CMetarec
import Glibc
import Kernels
import Testing

@Suite struct ChainTests {
    struct Step {
        var function: mr_function
        var a: Int32
        var b: Int32 = 0
        var c: Int32 = 0
        var value: Int32 = 0
    }

    /// An operand with how it is broadcast.
    struct Input {
        var matrix: Matrix
        var row, column: Int

        static func full(_ m: Matrix) -> Input { .init(matrix: m, row: m.stride, column: 1) }
        static func row(_ m: Matrix) -> Input { .init(matrix: m, row: 0, column: 1) }
        static func column(_ m: Matrix) -> Input { .init(matrix: m, row: m.stride, column: 0) }
        static func scalar(_ m: Matrix) -> Input { .init(matrix: m, row: 0, column: 0) }

        func value(_ i: Int, _ j: Int) -> Double { matrix[row == 0 ? 0 : i, column == 0 ? 0 : j] }
    }

    func run(_ table: Table, _ inputs: [Input], _ steps: [Step], _ values: [Double], into out: Matrix) {
        let rawInputs = inputs.map {
            mr_chain_input(data: UnsafeRawPointer($0.matrix.pointer), row: Int64($0.row), column: Int64($0.column))
        }
        let rawSteps = steps.map {
            mr_chain_step(function: Int32($0.function.rawValue), a: $0.a, b: $0.b, c: $0.c, value: $0.value)
        }
        rawInputs.withUnsafeBufferPointer { i in
            rawSteps.withUnsafeBufferPointer { s in
                (values + [0]).withUnsafeBufferPointer { v in
                    var chain = mr_chain(
                        rows: Int64(out.rows), columns: Int64(out.columns), input_count: Int32(inputs.count),
                        step_count: Int32(steps.count), inputs: i.baseAddress!, steps: s.baseAddress!,
                        values: v.baseAddress!, out: out.pointer, out_row: Int64(out.stride))
                    table.kernels.chain(&chain)
                }
            }
        }
        withExtendedLifetime(inputs.map(\.matrix)) {}
    }

    static let binary: [(mr_function, @Sendable (Double, Double) -> Double)] = [
        (MR_ADD, { $0 + $1 }), (MR_SUBTRACT, { $0 - $1 }), (MR_MULTIPLY, { $0 * $1 }), (MR_DIVIDE, { $0 / $1 }),
        (MR_MAXIMUM, { max($0, $1) }), (MR_MINIMUM, { min($0, $1) }), (MR_MASK, { $1 > 0 ? $0 : 0 }),
        (MR_EQUAL, { $0 == $1 ? 1 : 0 }),
    ]

    @Test(arguments: Table.all)
    func binaryFunctionsBroadcast(_ table: Table) {
        let p = table.precision
        for (rows, columns) in [(0, 4), (4, 0), (1, 1), (3, 5), (5, 1), (1, 100), (17, 16), (4, 300), (33, 65)] {
            for slack in [0, 2] {
                let a = Matrix.random(p, rows, columns, slack: slack, seed: 3)
                let others: [Input] = [
                    .full(.random(p, rows, columns, slack: slack, seed: 4)), .row(.random(p, 1, columns, seed: 5)),
                    .column(.random(p, rows, 1, slack: slack, seed: 6)), .scalar(.random(p, 1, 1, seed: 7)),
                ]
                for other in others {
                    for (function, exact) in ChainTests.binary {
                        let out = Matrix(p, rows, columns, slack: slack)
                        run(table, [.full(a), other], [Step(function: function, a: 0, b: 1)], [], into: out)
                        var wrong = 0
                        for i in 0..<rows {
                            for j in 0..<columns {
                                let expected = exact(a[i, j], other.value(i, j))
                                if !agree(out[i, j], expected, 2 * table.epsilon * abs(expected)) { wrong += 1 }
                            }
                        }
                        #expect(wrong == 0 && out.isIntact, "\(table) \(function) \(rows)x\(columns)")
                    }
                }
            }
        }
    }

    /// Sixteen steps with every kind of input, over several tiles, in place.
    @Test(arguments: Table.all)
    func longChain(_ table: Table) {
        let p = table.precision
        for (rows, columns) in [(1, 1), (2, 3), (7, 64), (3, 513), (300, 1), (31, 33)] {
            for slack in [0, 5] {
                let x = Matrix.random(p, rows, columns, slack: slack, seed: 1)
                let original = x.values
                let row = Matrix.random(p, 1, columns, seed: 2)
                let column = Matrix.random(p, rows, 1, slack: 1, seed: 3)
                let scalar = Matrix.random(p, 1, 1, seed: 4)
                var steps = [
                    Step(function: MR_ADD, a: 0, b: 1), Step(function: MR_MULTIPLY, a: 4, b: 2),
                    Step(function: MR_OFFSET, a: 5, value: 1), Step(function: MR_SELECT, a: 0, b: 6, c: 3),
                ]
                for k in 0..<12 { steps.append(Step(function: MR_SCALE, a: Int32(7 + k), value: Int32(k % 2))) }
                let values = [2.0, 0.5]
                run(table, [.full(x), .row(row), .column(column), .scalar(scalar)], steps, values, into: x)
                var wrong = 0
                for i in 0..<rows {
                    for j in 0..<columns {
                        let old = original[i * columns + j]
                        let sum = (old + row[0, j]) * column[i, 0] + 0.5
                        let expected = old > 0 ? sum : scalar[0, 0]
                        if !agree(x[i, j], expected, 16 * table.epsilon) { wrong += 1 }
                    }
                }
                #expect(wrong == 0 && x.isIntact, "\(table) \(rows)x\(columns) slack \(slack)")
            }
        }
    }

    @Test(arguments: Table.all)
    func extremaKeepNotANumber(_ table: Table) {
        let a = Matrix(table.precision, 1, 3) { _, j in [.nan, 1, .nan][j] }
        let b = Matrix(table.precision, 1, 3) { _, j in [1, .nan, .nan][j] }
        for function in [MR_MAXIMUM, MR_MINIMUM] {
            let out = Matrix(table.precision, 1, 3) { _, _ in 0 }
            run(table, [.full(a), .full(b)], [Step(function: function, a: 0, b: 1)], [], into: out)
            #expect(out.values.allSatisfy { $0.isNaN })
        }
    }

    /// The bits of an element do not depend on its place; and AVX2 and AVX-512 agree.
    @Test(arguments: [MR_EXP, MR_LOG, MR_TANH, MR_SIGMOID, MR_SOFTPLUS, MR_SQRT, MR_RECIPROCAL])
    func bitsAreStable(_ function: mr_function) {
        for precision in Precision.allCases {
            var previous: [UInt64]?
            for table in Table.all where table.precision == precision {
                let x = Matrix.random(precision, 1, 1000, seed: 9)
                for j in 0..<1000 { x[0, j] = abs(x[0, j]) * 20 }
                let out = Matrix(precision, 1, 1000)
                run(table, [.full(x)], [Step(function: function, a: 0)], [], into: out)
                for j in [0, 15, 16, 17, 255, 256, 999] {
                    let one = Matrix(precision, 1, 1)
                    run(
                        table, [.full(Matrix(precision, 1, 1) { _, _ in x[0, j] })], [Step(function: function, a: 0)],
                        [], into: one)
                    #expect(one.bits[0] == out.bits[j])
                }
                if table.isa == "avx512", let previous { #expect(previous == out.bits) }
                previous = out.bits
            }
        }
    }

    /// AVX2 and AVX-512 give the same bits for whatever functions follow each other: products and sums are not fused
    /// in one and apart in the other.
    @Test(arguments: Precision.allCases)
    func arithmeticAgreesInEveryBit(_ precision: Precision) {
        let tables = Table.all.filter { $0.precision == precision && $0.isa.hasPrefix("avx") }
        for first in 0..<MR_FUNCTION_COUNT.rawValue {
            for second in 0..<MR_FUNCTION_COUNT.rawValue {
                let steps = [
                    Step(function: mr_function(first), a: 0, b: 1, c: 2),
                    Step(function: mr_function(second), a: 3, b: 2, c: 1),
                ]
                let results = tables.map { table in
                    let inputs = (1...3).map { Input.full(Matrix.random(precision, 3, 37, seed: $0)) }
                    let out = Matrix(precision, 3, 37)
                    run(table, inputs, steps, [0.3], into: out)
                    return out.values.map { $0.isNaN ? .max : $0.bitPattern }
                }
                #expect(results.count < 2 || results[0] == results[1], "\(first), \(second)")
            }
        }
    }
}
