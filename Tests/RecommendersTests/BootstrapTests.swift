import MetaLearning
import Recommenders
import Testing

/// `[statistic][resample]`.
private func resample(
    _ numerators: [[Double]], over denominators: [[Double]], squareRoot: [Bool]? = nil, resamples: Int, seed: UInt64
) throws -> [[Double]] {
    let squareRoot = squareRoot ?? numerators.map { _ in false }
    let clusters = numerators.first?.count ?? 0
    var out = [Double](repeating: -1, count: numerators.count * resamples)
    try numerators.flatMap { $0 }.withUnsafeBufferPointer { numerators in
        try denominators.flatMap { $0 }.withUnsafeBufferPointer { denominators in
            try out.withUnsafeMutableBufferPointer {
                try Bootstrap.resample(
                    numerators: numerators, denominators: denominators,
                    squareRoot: squareRoot,
                    clusters: clusters, resamples: resamples, seed: seed, into: $0)
            }
        }
    }
    return numerators.indices.map { Array(out[($0 * resamples)..<(($0 + 1) * resamples)]) }
}

@Suite struct BootstrapTests {
    private func normal(_ generator: inout SeededGenerator) -> Double {
        // Irwin-Hall: the sum of twelve uniforms has mean 6 and variance 1.
        (0..<12).reduce(-6) { sum, _ in sum + generator.uniform() }
    }

    @Test func sameSeedSameBitsAndPrefix() throws {
        let x = [[1.0, 2, 3, 4, 5, 6, 7]]
        let ones = [[Double](repeating: 1, count: 7)]
        let long = try resample(x, over: ones, resamples: 21, seed: 5)[0]
        #expect(try resample(x, over: ones, resamples: 21, seed: 5)[0] == long)
        #expect(try resample(x, over: ones, resamples: 10, seed: 5)[0] == Array(long[..<10]))
        #expect(try resample(x, over: ones, resamples: 21, seed: 6)[0] != long)
        #expect(Set(long).count > 1)
    }

    @Test func statisticsArePaired() throws {
        let x = [0.3, 1.5, 2.25, 9]
        let ones = [Double](repeating: 1, count: 4)
        let result = try resample([x, x.map { $0 + 2 }], over: [ones, ones], resamples: 50, seed: 1)
        for (a, b) in zip(result[0], result[1]) { #expect(abs(b - a - 2) < 1e-12) }
    }

    @Test func ratiosPoolAndRootsAreTakenLast() throws {
        // Every cluster has the same ratio, 9, whatever its weight: so has every resample.
        let rows = [1.0, 5, 2]
        let result = try resample(
            [rows.map { 9 * $0 }, rows.map { 9 * $0 }], over: [rows, rows], squareRoot: [false, true], resamples: 9,
            seed: 3)
        #expect(result[0].allSatisfy { $0 == 9 } && result[1].allSatisfy { $0 == 3 })
    }

    @Test func nothingDrawnIsNaN() throws {
        #expect(try resample([[0, 0]], over: [[0, 0]], resamples: 3, seed: 0)[0].allSatisfy(\.isNaN))
    }

    @Test func intervalsCoverTheTrueMean() throws {
        var generator = SeededGenerator(11)
        let clusters = 60
        let ones = [[Double](repeating: 1, count: clusters)]
        var covered = 0
        for trial in 0..<400 {
            let x = (0..<clusters).map { _ in normal(&generator) + 3 }
            let values = try resample([x], over: ones, resamples: 400, seed: UInt64(trial))[0].sorted()
            if values[10] <= 3, 3 <= values[389] { covered += 1 }
        }
        // 95 % less the percentile bootstrap's known shortfall at 60 clusters; ± 4 standard errors of 400 trials.
        #expect((355...394).contains(covered))
    }

    @Test func spreadIsTheStandardErrorOfTheMean() throws {
        var generator = SeededGenerator(2)
        let x = (0..<500).map { _ in normal(&generator) }
        let mean = x.reduce(0, +) / 500
        let variance = x.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 500
        let values = try resample([x], over: [[Double](repeating: 1, count: 500)], resamples: 4000, seed: 0)[0]
        let center = values.reduce(0, +) / 4000
        let spread = values.reduce(0) { $0 + ($1 - center) * ($1 - center) } / 4000
        #expect(abs(center - mean) < 4 * (variance / 500 / 4000).squareRoot())
        #expect(abs(spread / (variance / 500) - 1) < 0.1)
    }

    @Test func refusesNumbersThatCannotBe() {
        #expect(throws: (any Error).self) { try resample([[.nan]], over: [[1]], resamples: 1, seed: 0) }
        #expect(throws: (any Error).self) { try resample([[1]], over: [[-1]], resamples: 1, seed: 0) }
        #expect(throws: (any Error).self) {
            try resample([[-1]], over: [[1]], squareRoot: [true], resamples: 1, seed: 0)
        }
    }
}
