import Graph

/// An orthonormal basis of what columns span, by Gram and Schmidt, the products taken at once.
///
/// S = Bᵀ B = L Lᵀ, Q = B L⁻ᵀ, twice, for rounding leaves Q orthogonal to ε times the condition of S alone (Yamamoto et
/// al., "Roundoff error analysis of the CholeskyQR2 algorithm", ETNA 2015). Cost: 4 rows columns².
public enum Orthonormal {
    /// A column of which so small a share of its square is left by those before it is taken to depend on them.
    private static let dependent = 1e-13

    /// Overwrites `values`, [rows, columns], with as many orthonormal columns; zeros for one that depends on those before.
    ///
    /// - Throws: a number that is not finite.
    public static func columns(of values: UnsafeMutablePointer<Double>, rows: Int, columns: Int) throws(MetarecError) {
        let given = DenseMatrix(rows, columns)
        given.pointer.update(from: values, count: rows * columns)
        guard given.sumOfSquares.isFinite else {
            throw .value("matrix: expected finite numbers whose squares are, too")
        }
        let basis = given.transposed
        for _ in 0..<2 {
            let factor = semidefiniteCholesky(basis.times(basis.transposed))
            factor.solveLower(basis, transposed: false)
        }
        let result = basis.transposed
        values.update(from: result.pointer, count: rows * columns)
    }

    /// L of S = L Lᵀ. A row that depends on those before has an infinite diagonal element, which leaves zeros of it.
    private static func semidefiniteCholesky(_ s: DenseMatrix) -> DenseMatrix {
        let factor = DenseMatrix(s.rows, s.rows)
        for row in 0..<s.rows {
            for column in 0...row {
                var rest = s[row, column]
                for k in 0..<column { rest -= factor[row, k] * factor[column, k] }
                if row == column {
                    let isDependent = !(rest > dependent * s[row, row])
                    factor[row, row] = isDependent ? .infinity : rest.squareRoot()
                    if isDependent { for k in 0..<row { factor[row, k] = 0 } }
                } else {
                    factor[row, column] = factor[column, column].isFinite ? rest / factor[column, column] : 0
                }
            }
        }
        return factor
    }
}
