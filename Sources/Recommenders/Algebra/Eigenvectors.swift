import Graph

/// Eigenvalues and eigenvectors of a symmetric positive semidefinite matrix, by one-sided Jacobi rotations.
///
/// Rotations R of pairs of rows make those of R M orthogonal; then R M = D R, D the eigenvalues: so the rows are the
/// eigenvectors, scaled (Hestenes, "Inversion of matrices by biorthogonalization", 1958). Cost: some 10 sweeps of 6 n³.
public enum Eigenvectors {
    private static let (mostSweeps, tolerance) = (60, 1e-14)

    /// Writes the eigenvalues, largest first, and the eigenvectors as columns of `vectors`, [size, size]. Of an eigenvalue
    /// that is zero to rounding the vector is zero.
    ///
    /// - Throws: a number that is not finite.
    public static func of(
        _ matrix: UnsafePointer<Double>, size: Int, values: UnsafeMutablePointer<Double>,
        vectors: UnsafeMutablePointer<Double>
    ) throws(MetarecError) {
        let rows = DenseMatrix(size, size)
        rows.pointer.update(from: matrix, count: size * size)
        guard rows.sumOfSquares.isFinite else {
            throw .value("matrix: expected finite numbers whose squares are, too")
        }
        let noise = rows.sumOfSquares * 1e-30
        for _ in 0..<mostSweeps where !sweep(rows, noise) { continue }
        let lengths = (0..<size).map { row in dot(rows.row(row), rows.row(row), size).squareRoot() }
        let order = (0..<size).sorted { (lengths[$1], $0) < (lengths[$0], $1) }
        for (place, row) in order.enumerated() {
            values[place] = lengths[row]
            let scale = lengths[row] * lengths[row] > noise ? 1 / lengths[row] : 0
            for k in 0..<size { vectors[k * size + place] = rows[row, k] * scale }
        }
    }

    /// Rotates every pair of rows that are not orthogonal; returns whether there was none.
    private static func sweep(_ rows: DenseMatrix, _ noise: Double) -> Bool {
        var isDone = true
        let size = rows.columns
        for i in 0..<rows.rows {
            for j in i + 1..<max(rows.rows, i + 1) {
                let (x, y) = (rows.row(i), rows.row(j))
                let (xx, yy, xy) = (dot(x, x, size), dot(y, y, size), dot(x, y, size))
                if xx <= noise || yy <= noise || abs(xy) <= tolerance * (xx * yy).squareRoot() { continue }
                isDone = false
                let ratio = (yy - xx) / (2 * xy)
                let tangent = (ratio < 0 ? -1 : 1) / (abs(ratio) + (1 + ratio * ratio).squareRoot())
                let cosine = 1 / (1 + tangent * tangent).squareRoot()
                let sine = cosine * tangent
                for k in 0..<size {
                    (x[k], y[k]) = (cosine * x[k] - sine * y[k], sine * x[k] + cosine * y[k])
                }
            }
        }
        return isDone
    }

    private static func dot(_ x: UnsafePointer<Double>, _ y: UnsafePointer<Double>, _ count: Int) -> Double {
        var sums = SIMD8<Double>.zero
        let whole = count & ~7
        for k in stride(from: 0, to: whole, by: 8) {
            let (a, b) = (UnsafeRawPointer(x + k), UnsafeRawPointer(y + k))
            sums += a.loadUnaligned(as: SIMD8<Double>.self) * b.loadUnaligned(as: SIMD8<Double>.self)
        }
        var sum = sums.sum()
        for k in whole..<count { sum += x[k] * y[k] }
        return sum
    }
}
