import Graph
import Kernels
import MetaLearning

/// Solves for, or draws, all rows of one side given the other's: each is a small ridge regression of its own.
final class RowUpdate {
    private let dimension: Int
    private let systems: [NormalEquations]
    private let normals: [DenseMatrix]
    /// Rows that a thread takes at a time.
    private static let block = 32

    init(dimension: Int, threads: Int) {
        self.dimension = dimension
        systems = (0..<threads).map { _ in NormalEquations(dimension: dimension) }
        normals = (0..<threads).map { _ in DenseMatrix(1, dimension) }
    }

    /// Row r of `factors` becomes m, or with `draw` a draw from N(m, P⁻¹), where P = Λ + scale Σ a aᵀ and
    /// P m = target_r + scale Σ a r over its ratings.
    func update(
        _ factors: DenseMatrix, from other: DenseMatrix, _ ratings: RatingMatrix, precision: DenseMatrix,
        targets: DenseMatrix, scale: Double, draw: ((UInt64) -> SeededGenerator)?, threads: Int, poll: Poll
    ) throws {
        nonisolated(unsafe) let draw = draw
        try forEachRow(ratings, threads, poll) { row, thread in
            let (system, noise) = (self.systems[thread], self.normals[thread])
            system.begin()
            self.take(ratings, row, other, into: system)
            var generator = draw?(UInt64(row))
            generator?.fillNormal(noise.pointer, count: self.dimension)
            guard
                system.solve(
                    precision: precision.pointer, target: targets.row(row), scale: scale,
                    noise: generator == nil ? nil : UnsafePointer(noise.pointer))
            else { throw FactorPrior.notFinite }
            factors.row(row).update(from: system.solution.pointer, count: self.dimension)
        }
    }

    /// Σ (r − b_u − b_i − p · q)² over the ratings, summed by row in order.
    func squaredResiduals(
        of factors: DenseMatrix, and other: DenseMatrix, _ ratings: RatingMatrix, threads: Int, poll: Poll
    ) throws -> Double {
        let sums = DenseMatrix(1, ratings.rows)
        try forEachRow(ratings, threads, poll) { row, _ in
            let w = factors.row(row)
            var sum = 0.0
            for index in ratings.offsets[row]..<ratings.offsets[row + 1] {
                let z = other.row(Int(ratings.columns[index]))
                var error = ratings.values[index] - w[0] - z[0]
                for k in 1..<max(self.dimension, 1) { error -= w[k] * z[k] }
                sum += error * error
            }
            sums[0, row] = sum
        }
        return (0..<ratings.rows).reduce(0) { $0 + sums[0, $1] }
    }

    private func take(_ ratings: RatingMatrix, _ row: Int, _ other: DenseMatrix, into system: NormalEquations) {
        for index in ratings.offsets[row]..<ratings.offsets[row + 1] {
            let z = other.row(Int(ratings.columns[index]))
            let a = system.next()
            a.update(from: z, count: dimension)
            a[0] = 1
            a[dimension] = ratings.values[index] - z[0]
        }
    }

    private func forEachRow(
        _ ratings: RatingMatrix, _ threads: Int, _ poll: Poll, _ body: (_ row: Int, _ thread: Int) throws -> Void
    ) throws {
        let blocks = (ratings.rows + RowUpdate.block - 1) / RowUpdate.block
        try parallel(count: blocks, threads: threads, poll: poll) { block, thread, tick in
            let first = block * RowUpdate.block
            for row in first..<min(first + RowUpdate.block, ratings.rows) {
                try body(row, thread)
                try tick(0)
            }
        }
    }
}
