import Graph
import MetaLearning
import Testing

@testable import Recommenders

/// A table of every kind of field, and the design that it should become.
private struct Mixed {
    let table: FeatureTable
    let rows = [2, 0, -1, 1]

    init() throws {
        table = try FeatureTable(
            rows: 3,
            fields: [
                Field(name: "c", size: 2, values: .categorical(ids: Borrowed<Int32>([1, -1, 0]).pointer)),
                Field(
                    name: "b", size: 3,
                    values: .bag(
                        ids: Borrowed<Int32>([0, 2, -1, 1]).pointer, idCount: 4,
                        offsets: Borrowed<Int64>([0, 2, 3, 4]).pointer)),
                Field(name: "d", size: 1, values: .dense(vectors: .double(Borrowed<Double>([3, 0, 7]).pointer))),
            ])
    }

    /// Columns: 1 | c 2 | b 3 | d 1 + known. Vectors 3 and 7 are centred at 5 and have a length of 2.
    static let standardised: [[Double]] = [
        [1, 1, 0, 0, 1, 0, 1, 0], [1, 0, 1, 0.5.squareRoot(), 0, 0.5.squareRoot(), -1, 0], [1, 0, 0, 0, 0, 0, 0, 0],
        [1, 0, 0, 0, 0, 0, 0, 0],
    ]
}

private func random(_ rows: Int, _ columns: Int, _ key: UInt64) -> DenseMatrix {
    let matrix = DenseMatrix(rows, columns)
    var generator = SeededGenerator(key)
    generator.fillNormal(matrix.pointer, count: matrix.count)
    return matrix
}

private func difference(_ a: DenseMatrix, _ b: DenseMatrix) -> Double {
    (0..<a.count).reduce(0) { max($0, abs(a.pointer[$1] - b.pointer[$1])) }
}

@Suite struct FactorisationPartsTests {
    private func dense() -> DenseMatrix {
        let x = DenseMatrix(4, 8)
        for row in 0..<4 { for column in 0..<8 { x[row, column] = Mixed.standardised[row][column] } }
        return x
    }

    @Test func designIsTheMatrixThatTheFieldsSay() throws {
        let mixed = try Mixed()
        let design = try Design(mixed.table, rows: mixed.rows, standardised: true)
        #expect(design.columns == 8 && Factorisation.columns(of: mixed.table) == 8)
        let weights = random(8, 3, 1)
        #expect(difference(design.times(weights), dense().times(weights)) < 1e-12)
        let rows = random(4, 3, 2)
        let transposed = DenseMatrix(8, 3)
        for block in design.blocks {
            design.multiplyTransposed(block, rows.pointer, columns: 3, into: transposed.row(block.first))
        }
        #expect(difference(transposed, dense().transposedTimes(rows)) < 1e-12)
        #expect(design.blocks.map { $0.isMissing.filter { $0 }.count } == [0, 2, 2, 2])
    }

    @Test func rawWeightsGiveRawVectorsTheSame() throws {
        let mixed = try Mixed()
        let design = try Design(mixed.table, rows: mixed.rows, standardised: true)
        let raw = try Design(mixed.table, rows: mixed.rows, standardised: false)
        let weights = random(8, 3, 3)
        let wanted = design.times(weights)
        #expect(difference(raw.times(design.raw(weights)), wanted) < 1e-12)
        let floats = Borrowed([Float](repeating: 0, count: 24))
        design.raw(weights).store(rows: 8, in: floats.pointer)
        for row in 0..<4 {
            var sums = [0.0, 0, 0]
            raw.addRow(row, times: floats.pointer, columns: 3, to: &sums)
            for k in 0..<3 { #expect(abs(sums[k] - wanted[row, k]) < 1e-5) }
        }
    }

    @Test(arguments: [1, 2]) func conjugateGradientsSolveTheCovariance(threads: Int) throws {
        let mixed = try Mixed()
        let rows = (0..<50).map { [0, 1, 2, -1][$0 % 4] }
        let design = try Design(mixed.table, rows: rows, standardised: true)
        let covariance = Covariance(design: design, variances: [2, 0.5, 3, 0.1])
        let right = random(50, 11, 4)
        let solved = try covariance.solve(right, threads: threads, poll: .none)
        let (image, scratch) = (solved.copy(), DenseMatrix(50, 11))
        for (block, variance) in zip(design.blocks, covariance.variances) {
            let inner = DenseMatrix(block.size, 11)
            design.multiplyTransposed(block, solved.pointer, columns: 11, into: inner.pointer)
            design.multiply(
                block, inner.row(0), columns: 11, into: image, factor: variance, scratch: scratch)
            #expect(inner.rows == block.size)
        }
        #expect(difference(image, right) < 1e-4)
    }

    /// P = diag(2, 3) + a aᵀ + c cᵀ with a = (1, 2), c = (1, 0): [[4, 2], [2, 7]]; right side (1, 1) + 5 a + 3 c = (9, 11).
    @Test func normalEquationsAreSolved() throws {
        let system = NormalEquations(dimension: 2)
        let precision = DenseMatrix(2, 2)
        (precision[0, 0], precision[1, 1]) = (2, 3)
        let target = DenseMatrix(1, 2)
        (target[0, 0], target[0, 1]) = (1, 1)
        let cases: [[[Double]]] = [[[1, 2, 5], [1, 0, 3]], []]
        for rows in cases {
            system.begin()
            for row in rows { system.next().update(from: row, count: 3) }
            #expect(system.solve(precision: precision.pointer, target: target.pointer))
            let wanted: [Double] = rows.isEmpty ? [0.5, 1.0 / 3] : [41.0 / 24, 26.0 / 24]
            for k in 0..<2 { #expect(abs(system.solution[0, k] - wanted[k]) < 1e-12) }
        }
        precision[0, 0] = -1
        system.begin()
        #expect(!system.solve(precision: precision.pointer, target: target.pointer))
    }

    @Test func manyRowsAreTakenInBlocks() throws {
        let system = NormalEquations(dimension: 3)
        let rows = random(1000, 4, 5)
        system.begin()
        for row in 0..<1000 {
            let next = system.next()
            for column in 0..<4 { next[column] = rows[row, column] }
        }
        let precision = DenseMatrix(identity: 3)
        let target = DenseMatrix(1, 3)
        #expect(system.solve(precision: precision.pointer, target: target.pointer, scale: 0.5))
        let sums = rows.transposedTimes(rows)
        for k in 0..<3 {
            let left = (0..<3).reduce(system.solution[0, k]) { $0 + 0.5 * sums[k, $1] * system.solution[0, $1] }
            #expect(abs(left - 0.5 * sums[k, 3]) < 1e-8)
        }
    }

    @Test func distributionsHaveTheirMoments() throws {
        var generator = SeededGenerator(11)
        let normals = DenseMatrix(1, 40_001)
        generator.fillNormal(normals.pointer, count: normals.count)
        let values = (0..<normals.count).map { normals.pointer[$0] }
        #expect(abs(values.reduce(0, +) / 40_001) < 0.02)
        #expect(abs(values.reduce(0) { $0 + $1 * $1 } / 40_001 - 1) < 0.03)
        #expect(abs(values.reduce(0) { $0 + $1 * $1 * $1 * $1 } / 40_001 - 3) < 0.2)
        for shape in [1, 2.5, 40] {
            let draws = (0..<20_000).map { _ in generator.gamma(shape: shape) }
            let mean = draws.reduce(0, +) / 20_000
            #expect(abs(mean / shape - 1) < 0.04)
            #expect(abs(draws.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 20_000 / shape - 1) < 0.08)
        }
        let factor = DenseMatrix(2, 2)
        (factor[0, 0], factor[1, 0], factor[1, 1]) = (1, 2, 0.5)
        let sum = DenseMatrix(2, 2)
        for _ in 0..<5000 { sum.add(generator.wishart(degrees: 7, scaleFactor: factor), times: 1 / 5000.0) }
        for (place, wanted) in [7.0, 14, 14, 29.75].enumerated() {
            #expect(abs(sum.pointer[place] / wanted - 1) < 0.05)
        }
    }
}

@Suite struct OrderedProbitTests {
    private func probabilities(_ probit: OrderedProbit, _ means: [Double], _ variances: [Double]) throws -> [[Double]] {
        var out = [Double](repeating: 0, count: means.count * probit.levels.count)
        try means.withUnsafeBufferPointer { means in
            try variances.withUnsafeBufferPointer { try probit.probabilities(means: means, variances: $0, into: &out) }
        }
        return stride(from: 0, to: out.count, by: probit.levels.count).map {
            Array(out[$0..<$0 + probit.levels.count])
        }
    }

    @Test func rowsSumToOneAndKeepTheMean() throws {
        let probit = try OrderedProbit(levels: [1, 2, 3, 4, 5], cuts: [2, 2.6, 3.5, 4.4], slope: 1.1)
        let means = [-100.0, 1, 1.3, 3, 4.2, 4.99, 17]
        for variance in [1e-6, 0.3, 4, 1e6] {
            for (row, mean) in zip(try probabilities(probit, means, means.map { _ in variance }), means) {
                #expect(row.allSatisfy { $0 >= 0 } && abs(row.reduce(0, +) - 1) < 1e-9)
                let average = zip(row, probit.levels).reduce(0) { $0 + $1.0 * $1.1 }
                #expect(abs(average - min(max(mean, 1.02), 4.98)) < 1e-6, "\(mean) \(variance)")
            }
        }
    }

    @Test func isTheNormalAtTheMiddle() throws {
        let row = try probabilities(OrderedProbit(levels: [1, 2, 3]), [2], [1])[0]
        #expect(abs(row[0] - 0.3085375) < 1e-6 && abs(row[1] - 0.3829249) < 1e-6 && abs(row[2] - row[0]) < 1e-9)
        #expect(try probabilities(OrderedProbit(levels: [4]), [2], [1]) == [[1]])
    }

    @Test func fitFindsPlantedCuts() throws {
        var generator = SeededGenerator(5)
        let (cuts, slope) = ([1.9, 2.4, 3.6, 4.2], 1.3)
        var (means, variances, places) = ([Double](), [Double](), [Int64]())
        for _ in 0..<20_000 {
            means.append(3 + generator.normal() * 0.7)
            variances.append(0.5 + generator.uniform())
            let deviation = variances[variances.count - 1].squareRoot()
            let latent = slope * means[means.count - 1] + deviation * generator.normal()
            places.append(Int64(cuts.filter { $0 < latent }.count))
        }
        var probit = try OrderedProbit(levels: [1, 2, 3, 4, 5])
        try means.withUnsafeBufferPointer { means in
            try variances.withUnsafeBufferPointer { variances in
                try places.withUnsafeBufferPointer { try probit.fit(means: means, variances: variances, places: $0) }
            }
        }
        for (got, wanted) in zip(probit.cuts + [probit.slope], cuts + [slope]) { #expect(abs(got - wanted) < 0.1) }
    }

    @Test func refusesWhatCannotBe() {
        #expect(throws: MetarecError.self) { try OrderedProbit(levels: []) }
        #expect(throws: MetarecError.self) { try OrderedProbit(levels: [1, 1]) }
        #expect(throws: MetarecError.self) { try OrderedProbit(levels: [1, .nan]) }
        #expect(throws: MetarecError.self) { try OrderedProbit(levels: [1, 2], cuts: []) }
        #expect(throws: MetarecError.self) { try OrderedProbit(levels: [1, 2], slope: 0) }
        #expect(throws: MetarecError.self) { try probabilities(OrderedProbit(levels: [1, 2]), [.nan], [1]) }
        #expect(throws: MetarecError.self) { try probabilities(OrderedProbit(levels: [1, 2]), [1], [0]) }
    }
}
