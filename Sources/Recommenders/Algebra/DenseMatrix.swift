import CMetarec
import Kernels

/// A row-major matrix of doubles in padded memory, as the kernels want it.
final class DenseMatrix: @unchecked Sendable {
    nonisolated(unsafe) static let kernels = Precision.double.kernels

    let rows, columns: Int
    private let buffer: Buffer

    /// First element; row r starts at `r * columns`. Not to be taken of a matrix that is used nowhere after.
    var pointer: UnsafeMutablePointer<Double> { buffer.pointer.assumingMemoryBound(to: Double.self) }
    var count: Int { rows * columns }

    /// Zeros.
    init(_ rows: Int, _ columns: Int) {
        (self.rows, self.columns) = (rows, columns)
        buffer = Buffer(count: rows * columns, .double)
    }

    /// `value` times the identity.
    convenience init(identity size: Int, times value: Double = 1) {
        self.init(size, size)
        for i in 0..<size { self[i, i] = value }
    }

    subscript(row: Int, column: Int) -> Double {
        get { pointer[row * columns + column] }
        set { pointer[row * columns + column] = newValue }
    }

    /// Row `index`. As `pointer`, it is valid only while something that outlives the use holds the matrix.
    func row(_ index: Int) -> UnsafeMutablePointer<Double> { pointer + index * columns }

    func copy() -> DenseMatrix {
        let copy = DenseMatrix(rows, columns)
        copy.pointer.update(from: pointer, count: count)
        return copy
    }

    /// Σ of the squares of its elements, in a fixed order.
    var sumOfSquares: Double { DenseMatrix.kernels.pointee.sum_of_squares(Int64(count), pointer) }

    /// self += factor · other
    func add(_ other: DenseMatrix, times factor: Double = 1) {
        DenseMatrix.kernels.pointee.axpy(Int64(count), factor, other.pointer, pointer)
    }

    /// self · other
    func times(_ other: DenseMatrix) -> DenseMatrix {
        let out = DenseMatrix(rows, other.columns)
        DenseMatrix.multiply(
            pointer, (columns, 1), other.pointer, other.columns, into: out.pointer, other.columns,
            (rows, other.columns, columns))
        return out
    }

    /// selfᵀ · other
    func transposedTimes(_ other: DenseMatrix) -> DenseMatrix {
        let out = DenseMatrix(columns, other.columns)
        DenseMatrix.multiply(
            pointer, (1, columns), other.pointer, other.columns, into: out.pointer, other.columns,
            (columns, other.columns, rows))
        return out
    }

    var transposed: DenseMatrix {
        let out = DenseMatrix(columns, rows)
        DenseMatrix.kernels.pointee.transpose(
            Int64(rows), Int64(columns), pointer, Int64(columns), out.pointer, Int64(rows))
        return out
    }

    /// The lower factor L of self = L Lᵀ; nil where it is not positive definite.
    var cholesky: DenseMatrix? {
        let factor = copy()
        let failed = DenseMatrix.kernels.pointee.cholesky(Int64(rows), factor.pointer, Int64(rows)) != 0
        return failed ? nil : factor
    }

    /// Of a lower triangular matrix, its inverse.
    var inverseOfLower: DenseMatrix {
        let inverse = DenseMatrix(identity: rows)
        solveLower(inverse, transposed: false)
        return inverse
    }

    /// Of a lower triangular matrix L, X of L X = B or Lᵀ X = B, in place of B.
    func solveLower(_ b: DenseMatrix, transposed: Bool) {
        DenseMatrix.kernels.pointee.solve_triangular(
            Int64(rows), Int64(b.columns), pointer, Int64(rows), b.pointer, Int64(b.columns), transposed ? 1 : 0)
    }

    /// `count` columns from `first` on, as a matrix of their own.
    func columns(_ first: Int, count: Int) -> DenseMatrix {
        let out = DenseMatrix(rows, count)
        for r in 0..<rows { out.row(r).update(from: row(r) + first, count: count) }
        return out
    }

    /// Overwrites the columns from `first` on.
    func setColumns(_ first: Int, to other: DenseMatrix) {
        for r in 0..<rows { (row(r) + first).update(from: other.row(r), count: other.columns) }
    }

    /// Writes its first `rows` to `out`.
    func store(rows: Int, in out: UnsafeMutablePointer<Float>) {
        for index in 0..<rows * columns { out[index] = Float(pointer[index]) }
    }

    /// Reads all of it from `values`.
    func load(_ values: UnsafePointer<Float>) {
        for index in 0..<count { pointer[index] = Double(values[index]) }
    }

    /// c = a b, or c += a b: a with its strides, then b and c with theirs, of sizes (m, n, k).
    static func multiply(
        _ a: UnsafePointer<Double>, _ aStrides: (row: Int, column: Int), _ b: UnsafePointer<Double>, _ bRow: Int,
        into c: UnsafeMutablePointer<Double>, _ cRow: Int, _ size: (m: Int, n: Int, k: Int), adding: Bool = false
    ) {
        var product = mr_gemm(
            m: Int64(size.m), n: Int64(size.n), k: Int64(size.k), a: a, a_row: Int64(aStrides.row),
            a_column: Int64(aStrides.column), b: b, b_row: Int64(bRow), c: c, c_row: Int64(cRow),
            d: adding ? UnsafeRawPointer(c) : nil, d_row: Int64(cRow), mask: nil, mask_row: 0, bias: nil, alpha: 1,
            gamma: 1, delta: 1, epilogue: Int32(bitPattern: MR_EPILOGUE_NONE.rawValue))
        kernels.pointee.gemm(&product)
    }
}
