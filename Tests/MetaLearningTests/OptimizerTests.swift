import Glibc
import Graph
import Testing

@testable import MetaLearning

@Suite struct OptimizerTests {
    @Test(arguments: [0, 1e-3, 0.5, 0.9, 0.999, 0.999_999])
    func powersAreThosesOfTheLibrary(base: Double) {
        let powers = PowerTable(base)
        for exponent in [0, 1, 2, 255, 256, 257, 511, 4096, 99_999, 1_048_576, 5_000_000] {
            #expect(abs(powers[exponent] - pow(base, Double(exponent))) <= 4e-16 * pow(base, Double(exponent)))
        }
    }

    @Test func refusesBadOptions() {
        #expect(throws: MetarecError.value("lr: 0.0, wanted a positive number")) { try SGD(learningRate: 0) }
        #expect(throws: MetarecError.value("lr: nan, wanted a positive number")) { try Adam(learningRate: .nan) }
        #expect(throws: MetarecError.value("lr: inf, wanted a positive number")) { try SGD(learningRate: .infinity) }
        #expect(throws: MetarecError.value("beta1: 1.0, wanted 0 <= beta1 < 1")) {
            try Adam(learningRate: 1, beta1: 1)
        }
        #expect(throws: MetarecError.value("beta2: -0.1, wanted 0 <= beta2 < 1")) {
            try Adam(learningRate: 1, beta2: -0.1)
        }
        #expect(throws: MetarecError.value("epsilon: 0.0, wanted at least 1e-30")) {
            try Adam(learningRate: 1, epsilon: 0)
        }
    }
}
