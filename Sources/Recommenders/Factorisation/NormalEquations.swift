import Kernels

/// The ridge regression of one row's ratings on the other side's factors, rows taken in as they come:
/// P = Λ + Σ a aᵀ and P m = h + Σ a r. One thread's memory; nothing is allocated in the loop.
///
/// A row is (1, factors) and its residual r, both divided by the standard deviation of its noise.
final class NormalEquations {
    let dimension: Int
    private static let block = 128
    private let taken: DenseMatrix
    private let gram: DenseMatrix
    private var pending = 0
    private var isEmpty = true
    /// After `solve`, L of P = L Lᵀ.
    let factor: DenseMatrix
    /// After `solve`, m or a draw around it.
    let solution: DenseMatrix

    init(dimension: Int) {
        self.dimension = dimension
        taken = DenseMatrix(NormalEquations.block, dimension + 1)
        gram = DenseMatrix(dimension + 1, dimension)
        factor = DenseMatrix(dimension, dimension)
        solution = DenseMatrix(1, dimension)
    }

    func begin() {
        pending = 0
        isEmpty = true
    }

    /// Where to write the next row: `dimension` numbers, then its residual.
    @inline(__always) func next() -> UnsafeMutablePointer<Double> {
        if pending == NormalEquations.block { takeIn() }
        pending += 1
        return taken.row(pending - 1)
    }

    private func takeIn() {
        let d = dimension
        DenseMatrix.multiply(
            taken.pointer, (1, d + 1), taken.pointer, d + 1, into: gram.pointer, d, (d + 1, d, pending),
            adding: !isEmpty)
        pending = 0
        isEmpty = false
    }

    /// Solves for m, or with `noise` (standard normal numbers) draws from N(m, P⁻¹).
    ///
    /// `scale` multiplies the sums over rows. False where P is not positive definite.
    func solve(
        precision: UnsafePointer<Double>, target: UnsafePointer<Double>, scale: Double = 1,
        noise: UnsafePointer<Double>? = nil
    ) -> Bool {
        let d = dimension
        if pending > 0 { takeIn() }
        let (p, x) = (factor.pointer, solution.pointer)
        p.update(from: precision, count: d * d)
        x.update(from: target, count: d)
        let kernels = DenseMatrix.kernels
        if !isEmpty {
            kernels.pointee.axpy(Int64(d * d), scale, gram.pointer, p)
            kernels.pointee.axpy(Int64(d), scale, gram.row(d), x)
        }
        guard kernels.pointee.cholesky(Int64(d), p, Int64(d)) == 0 else { return false }
        kernels.pointee.solve_triangular(Int64(d), 1, p, Int64(d), x, 1, 0)
        if let noise { kernels.pointee.axpy(Int64(d), 1, noise, x) }
        kernels.pointee.solve_triangular(Int64(d), 1, p, Int64(d), x, 1, 1)
        return true
    }
}
