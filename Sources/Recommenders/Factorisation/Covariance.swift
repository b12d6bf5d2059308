import Graph
import Kernels

/// V = I + Σ_b c_b X_b X_bᵀ over the rows of a design: the covariance of what the rows' features explain, plus noise
/// of one. Never formed: solved by conjugate gradients, whose steps cost as much as the features have values.
struct Covariance: @unchecked Sendable {
    let design: Design
    /// c_b, a block each.
    let variances: [Double]

    /// Relative residual at which a column counts as solved.
    private static let tolerance = 1e-6
    private static let mostSteps = 1000
    /// Columns solved together: whole vectors of any kernel, few enough to share among threads.
    private static let group = 8

    /// V⁻¹ right, each column for itself. `tick` is asked between steps.
    func solve(_ right: DenseMatrix, threads: Int, poll: Poll) throws -> DenseMatrix {
        let out = DenseMatrix(right.rows, right.columns)
        let groups = (right.columns + Covariance.group - 1) / Covariance.group
        try parallel(count: groups, threads: threads, poll: poll) { group, _, tick in
            let first = group * Covariance.group
            let count = min(Covariance.group, right.columns - first)
            let solved = try solve(right.columns(first, count: count)) { try tick(0) }
            out.setColumns(first, to: solved)
        }
        return out
    }

    /// Conjugate gradients (Hestenes and Stiefel 1952) on all columns of `right` side by side; `right` is spent.
    private func solve(_ residual: DenseMatrix, step: () throws -> Void) throws -> DenseMatrix {
        let n = residual.columns
        let solution = DenseMatrix(residual.rows, n)
        let direction = residual.copy()
        let image = DenseMatrix(residual.rows, n)
        let scratch = Scratch(design, columns: n)
        var squares = columnProducts(residual, residual)
        let limits = squares.map { $0 * Covariance.tolerance * Covariance.tolerance }
        for _ in 0..<Covariance.mostSteps where zip(squares, limits).contains(where: { $0 > $1 }) {
            try step()
            multiply(direction, into: image, scratch)
            let lengths = zip(squares, columnProducts(direction, image)).map { $1 > 0 ? $0 / $1 : 0 }
            addColumns(direction, times: lengths, to: solution)
            addColumns(image, times: lengths.map(-), to: residual)
            let next = columnProducts(residual, residual)
            let ratios = zip(next, squares).map { $1 > 0 ? $0 / $1 : 0 }
            for row in 0..<direction.rows {
                let (p, r) = (direction.row(row), residual.row(row))
                for j in 0..<n { p[j] = r[j] + ratios[j] * p[j] }
            }
            squares = next
        }
        return solution
    }

    private final class Scratch {
        let features, rows: DenseMatrix

        init(_ design: Design, columns: Int) {
            features = DenseMatrix(design.blocks.map(\.size).max() ?? 0, columns)
            rows = DenseMatrix(design.rows, columns)
        }
    }

    /// image = V direction
    private func multiply(_ direction: DenseMatrix, into image: DenseMatrix, _ scratch: Scratch) {
        let n = direction.columns
        image.pointer.update(from: direction.pointer, count: direction.count)
        for (block, variance) in zip(design.blocks, variances) {
            design.multiplyTransposed(block, direction.pointer, columns: n, into: scratch.features.pointer)
            design.multiply(
                block, scratch.features.pointer, columns: n, into: image, factor: variance, scratch: scratch.rows)
        }
    }

    private func columnProducts(_ a: DenseMatrix, _ b: DenseMatrix) -> [Double] {
        var sums = [Double](repeating: 0, count: a.columns)
        for row in 0..<a.rows {
            let (x, y) = (a.row(row), b.row(row))
            for j in sums.indices { sums[j] += x[j] * y[j] }
        }
        return sums
    }

    private func addColumns(_ a: DenseMatrix, times factors: [Double], to b: DenseMatrix) {
        for row in 0..<a.rows {
            let (x, y) = (a.row(row), b.row(row))
            for j in factors.indices { y[j] += factors[j] * x[j] }
        }
    }
}
