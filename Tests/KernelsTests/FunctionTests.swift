import CMetarec
import Glibc
import Kernels
import Testing

@Suite struct FunctionTests {
    /// A unary function of a chain over some values.
    func apply(_ table: Table, _ function: mr_function, _ x: [Double]) -> (input: [Double], output: [Double]) {
        let input = Matrix(table.precision, 1, x.count) { _, j in x[j] }
        let output = Matrix(table.precision, 1, x.count)
        var source = mr_chain_input(data: UnsafeRawPointer(input.pointer), row: Int64(x.count), column: 1)
        var step = mr_chain_step(function: Int32(function.rawValue), a: 0, b: 0, c: 0, value: 0)
        var value = 0.0
        var chain = mr_chain(
            rows: 1, columns: Int64(x.count), input_count: 1, step_count: 1,
            inputs: withUnsafePointer(to: &source) { $0 },
            steps: withUnsafePointer(to: &step) { $0 }, values: withUnsafePointer(to: &value) { $0 },
            out: output.pointer, out_row: Int64(x.count))
        table.kernels.chain(&chain)
        #expect(output.isIntact)
        withExtendedLifetime((input, source, step, value)) {}
        return (input.values, output.values)
    }

    /// Largest error in units in the last place of the table's type.
    func error(_ table: Table, _ function: mr_function, _ x: [Double], _ exact: (Double) -> Double) -> Double {
        let (input, output) = apply(table, function, x)
        var worst = 0.0
        for (x, y) in zip(input, output) {
            let expected = exact(x)
            let unit = table.precision == .float ? Double(Float(expected).ulp) : expected.ulp
            worst = max(worst, y == expected ? 0 : abs(y - expected) / unit)
            if y.isNaN { return .infinity }
        }
        return worst
    }

    func range(_ low: Double, _ high: Double) -> [Double] {
        (0...20_000).map { low + (high - low) * Double($0) / 20_000 }
    }

    @Test(arguments: Table.all)
    func accuracy(_ table: Table) {
        // The reference is the C library in double precision: exact for Float; for Double within one unit itself.
        let bound = 2.0
        #expect(error(table, MR_EXP, range(-87, 88)) { exp($0) } <= bound)
        #expect(error(table, MR_EXP, range(-1, 1)) { exp($0) } <= bound)
        #expect(error(table, MR_LOG, range(1e-3, 3)) { log($0) } <= bound)
        #expect(error(table, MR_LOG, range(1e-30, 1e30)) { log($0) } <= bound)
        #expect(error(table, MR_LOG, [1e-40, 1e-44, 1.2e-38]) { log($0) } <= bound)
        #expect(error(table, MR_TANH, range(-10, 10)) { tanh($0) } <= bound)
        #expect(error(table, MR_TANH, range(-1e-3, 1e-3)) { tanh($0) } <= bound)
        #expect(error(table, MR_SQRT, range(0, 1e6)) { sqrt($0) } <= 0.5001)
        let sigmoid: (Double) -> Double = { $0 < 0 ? exp($0) / (1 + exp($0)) : 1 / (1 + exp(-$0)) }
        #expect(error(table, MR_SIGMOID, range(-80, 80), sigmoid) <= 3)
        let softplus: (Double) -> Double = { max($0, 0) + log1p(exp(-abs($0))) }
        #expect(error(table, MR_SOFTPLUS, range(-80, 80), softplus) <= 3)
        #expect(error(table, MR_RECIPROCAL, range(1, 9)) { 1 / $0 } <= 0.5001)
    }

    @Test(arguments: Table.all)
    func specialValues(_ table: Table) {
        let inf = Double.infinity
        let x = [0.0, -0.0, inf, -inf, .nan, 1000, -1000]
        func expect(_ function: mr_function, _ expected: [Double]) {
            let (_, output) = apply(table, function, x)
            for (k, pair) in zip(output, expected).enumerated() {
                #expect(agree(pair.0, pair.1, 1e-6), "\(table) \(function) of \(x[k])")
            }
        }
        let huge = table.precision == .float ? inf : exp(1000)
        expect(MR_EXP, [1, 1, inf, 0, .nan, huge, 0])
        expect(MR_LOG, [-inf, -inf, inf, .nan, .nan, log(1000), .nan])
        expect(MR_TANH, [0, 0, 1, -1, .nan, 1, -1])
        expect(MR_SIGMOID, [0.5, 0.5, 1, 0, .nan, 1, 0])
        expect(MR_SOFTPLUS, [log(2), log(2), inf, 0, .nan, 1000, 0])
        expect(MR_RELU, [0, 0, inf, 0, .nan, 1000, 0])
        expect(MR_SQRT, [0, 0, inf, .nan, .nan, sqrt(1000), .nan].map { Double(Float($0)) })
        expect(MR_ABS, [0, 0, inf, inf, .nan, 1000, 1000])
        expect(MR_SIGN, [0, 0, 1, -1, .nan, 1, -1])
        expect(MR_SQUARE, [0, 0, inf, inf, .nan, 1e6, 1e6])
        expect(MR_RECIPROCAL, [inf, -inf, 0, 0, .nan, 1e-3, -1e-3])
    }

    /// exp(x) below the normal numbers is not flushed to zero.
    @Test func subnormalExponentials() {
        for table in Table.all where table.precision == .float {
            let (input, output) = apply(table, MR_EXP, [-88, -95, -103])
            for (x, y) in zip(input, output) { #expect(abs(y - exp(x)) <= 0x1p-149) }
        }
    }
}
