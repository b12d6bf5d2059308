import CMetarec
import Glibc
import Kernels
import Testing

@Suite struct AdamTests {
    /// The moments and the values of some elements, some of them zero of either sign or nearly.
    private struct State {
        let x, m, v: Matrix

        init(_ precision: Precision, _ n: Int) {
            x = Matrix.random(precision, 1, n, seed: 1)
            m = Matrix(precision, 1, n) { _, j in
                switch j % 7 {
                case 0: j % 2 == 0 ? -0.0 : 0.0
                case 1: Double(j - 25) * 1e-30
                case 2: 1e-44
                default: Double(j % 5 - 2) * 0.1
                }
            }
            v = Matrix(precision, 1, n) { _, j in j % 3 == 0 ? 0 : j % 4 == 0 ? 1e-38 : Double(j % 7) * 0.01 }
        }

        var bits: [UInt64] { x.bits + m.bits + v.bits }
        var isIntact: Bool { x.isIntact && m.isIntact && v.isIntact }

        /// Steps number `first` and on, for a constant rate.
        func advance(
            _ table: Table, first: Int, missed: Int, _ g: Matrix?, beta1: Double = 0.9, beta2: Double = 0.999,
            rests: Bool = true
        ) {
            let numbers: [Double] = (first...first + missed).flatMap { step in
                let size = 0.01 / (1 - pow(beta1, Double(step)))
                return [size, 1 / (1 - pow(beta2, Double(step))), 1.001 * size, step > 20 && beta1 < beta2 ? 1 : 0]
            }
            numbers.withUnsafeBufferPointer { numbers in
                guard let steps = numbers.baseAddress else { return }
                var options = mr_adam(
                    beta1: beta1, beta2: beta2, epsilon: 1e-8, steps: steps, missed: Int64(missed),
                    rest_above: rests ? (table.precision == .float ? 1e-28 : 1e-290) : .infinity)
                table.kernels.adam(
                    Int64(x.values.count), &options, x.pointer, m.pointer, v.pointer,
                    g.map { UnsafeRawPointer($0.pointer) })
            }
            withExtendedLifetime(g) {}
        }
    }

    @Test(arguments: Table.all)
    func theEquations(_ table: Table) {
        for n in [0, 1, 7, 8, 15, 16, 17, 64, 100] {
            let state = State(table.precision, n)
            let g = Matrix.random(table.precision, 1, n, seed: 3)
            let old = (x: state.x.values, m: state.m.values, v: state.v.values)
            state.advance(table, first: 3, missed: 0, g)
            for j in 0..<n {
                let newM = 0.9 * old.m[j] + (1 - 0.9) * g[0, j]
                let newV = 0.999 * old.v[j] + (1 - 0.999) * g[0, j] * g[0, j]
                let step = 0.01 * (newM / (1 - pow(0.9, 3))) / (sqrt(newV / (1 - pow(0.999, 3))) + 1e-8)
                #expect(agree(state.m[0, j], newM, 4 * table.epsilon))
                #expect(agree(state.v[0, j], newV, 4 * table.epsilon))
                #expect(agree(state.x[0, j], old.x[j] - step, table.epsilon * (4 + 16 * abs(step))))
            }
            #expect(state.isIntact)
        }
    }

    /// A missed step is a step with a gradient of zeros, to the last bit, whether steps come one by one or together, and
    /// whether or not elements come to rest on the way.
    @Test(arguments: Table.all, [(0.9, 0.999), (0.9, 0.5), (0.5, 0.4), (0, 0)])
    func missedSteps(_ table: Table, _ betas: (Double, Double)) {
        let n = 53
        let zeros = Matrix(table.precision, 1, n) { _, _ in 0 }
        let g = Matrix.random(table.precision, 1, n, seed: 3)
        for first in [1, 1000] {
            for missed in [1, 2, 17, 40, 250, 3000] {
                let (one, together) = (State(table.precision, n), State(table.precision, n))
                for step in first..<first + missed {
                    one.advance(table, first: step, missed: 0, zeros, beta1: betas.0, beta2: betas.1)
                }
                one.advance(table, first: first + missed, missed: 0, g, beta1: betas.0, beta2: betas.1)
                together.advance(table, first: first, missed: missed, g, beta1: betas.0, beta2: betas.1)
                #expect(one.bits == together.bits, "\(missed) steps from \(first)")
                #expect(together.isIntact)
            }
        }
    }

    /// AVX2 and AVX-512 give the same bits.
    @Test(arguments: Precision.allCases)
    func fusedVariantsAgreeInEveryBit(_ precision: Precision) {
        var results: [[UInt64]] = []
        for table in Table.all where table.precision == precision && table.isa.hasPrefix("avx") {
            let state = State(precision, 1003)
            state.advance(table, first: 10, missed: 300, Matrix.random(precision, 1, 1003, seed: 3))
            results.append(state.bits)
        }
        #expect(results.count < 2 || results[0] == results[1])
    }
}
