import Graph
import Recommenders
import Testing

/// `[value][row]`.
private func values(
    _ wanted: [Distribution.Value], _ rows: [[Double]], levels: [Double] = [1, 2, 3], targets: [Double]? = nil,
    seed: UInt64 = 0
) throws -> [[Double]] {
    var out = [Double](repeating: -1, count: wanted.count * rows.count)
    try rows.flatMap { $0 }.withUnsafeBufferPointer { probabilities in
        try levels.withUnsafeBufferPointer { levels in
            try (targets ?? []).withUnsafeBufferPointer { observed in
                try out.withUnsafeMutableBufferPointer {
                    try Distribution.values(
                        wanted, probabilities: probabilities, levels: levels, targets: targets == nil ? nil : observed,
                        seed: seed, into: $0)
                }
            }
        }
    }
    return wanted.indices.map { Array(out[($0 * rows.count)..<(($0 + 1) * rows.count)]) }
}

@Suite struct DistributionTests {
    @Test func decisions() throws {
        let rows = [[0.25, 0.25, 0.5], [0.5, 0.0, 0.5], [0.2, 0.3, 0.5]]
        let found = try values([.mean, .median, .mode, .gain, .confidence], rows)
        #expect(found[0] == [2.25, 2, 2.3])
        // At exactly one half every point between the two levels is a median: the lower one is given.
        #expect(found[1] == [2, 1, 2])
        #expect(found[2] == [3, 1, 3])
        #expect(found[3] == [0.25 * 1 + 0.25 * 3 + 0.5 * 7, 0.5 * 1 + 0.5 * 7, 0.2 * 1 + 0.3 * 3 + 0.5 * 7])
        #expect(found[4] == [0.5, 0.5, 0.5])
    }

    /// Whatever the distribution, no level has less expected loss than the decision for it.
    @Test func decisionsAreOptimal() throws {
        var generator = SystemRandomNumberGenerator()
        let levels = [0.5, 1, 2.5, 4, 5]
        for _ in 0..<200 {
            var p = levels.map { _ in Double.random(in: 0...1, using: &generator) }
            let sum = p.reduce(0, +)
            for index in p.indices { p[index] /= sum }
            let found = try values([.median, .mean, .mode], [p], levels: levels).map { $0[0] }
            func risk(_ answer: Double, _ loss: (Double, Double) -> Double) -> Double {
                zip(levels, p).reduce(0) { $0 + $1.1 * loss(answer, $1.0) }
            }
            let losses: [(Double, Double) -> Double] = [
                { abs($0 - $1) }, { ($0 - $1) * ($0 - $1) }, { $0 == $1 ? 0 : 1 },
            ]
            for (answer, loss) in zip(found, losses) {
                #expect(levels.allSatisfy { risk(answer, loss) <= risk($0, loss) + 1e-12 })
            }
        }
    }

    @Test func likelihoodAndTransform() throws {
        let rows = [[0.25, 0.25, 0.5], [0.25, 0.25, 0.5], [1, 0, 0]]
        let targets = [1.0, 3, 2.0001]
        let found = try values([.negativeLog, .transform], rows, targets: targets)
        #expect(abs(found[0][0] - 1.3862943611198906) < 1e-12 && abs(found[0][1] - 0.6931471805599453) < 1e-12)
        #expect(abs(found[0][2] - 36.04365338911715) < 1e-9)  // −log of the machine epsilon
        #expect(found[1][0] < 0.25 && found[1][1] >= 0.5 && found[1][2] == 1)
        // A row's draw depends on seed and row alone.
        let again = try values([.transform], Array(rows[..<2]), targets: Array(targets[..<2]))
        #expect(again[0] == Array(found[1][..<2]))
        #expect(try values([.transform], rows, targets: targets, seed: 1)[0][0] != found[1][0])
    }

    @Test func sumsAreForgivenALittle() throws {
        #expect(try abs(values([.confidence], [[0.3, 0.2, 0.5005]])[0][0] - 0.5005 / 1.0005) < 1e-12)
    }

    @Test(
        arguments: [
            ([[0.5, 0.2, 0.2]], [1, 2, 3], nil, "sums to"), ([[1.5, -0.5, 0]], [1, 2, 3], nil, "level 1 is -0.5"),
            ([[.nan, 0.5, 0.5]], [1, 2, 3], nil, "level 0 is nan"), ([[0.5, 0.25, 0.25]], [1, 1, 2], nil, "levels"),
            ([], [], nil, "levels"), ([[1]], [.infinity], nil, "levels"),
            ([[0.5, 0.25, 0.25]], [1, 2, 3], [2.5], "none of the 3 levels"),
            ([[0.5, 0.25, 0.25]], [1, 2, 3], [], "targets: got 0"),
        ] as [([[Double]], [Double], [Double]?, String)])
    func refuses(rows: [[Double]], levels: [Double], targets: [Double]?, words: String) throws {
        let error = #expect(throws: MetarecError.self) {
            try values([.mean], rows, levels: levels, targets: targets)
        }
        #expect(error?.description.contains(words) == true, "\(String(describing: error))")
    }

    @Test func theLikelihoodNeedsTargets() {
        #expect(throws: MetarecError.self) { try values([.negativeLog], [[0.5, 0.25, 0.25]]) }
    }
}
