import CMetarec
import Graph
import Kernels
import Recommenders

/// A product of matrices.
@c @implementation
public func mr_product(
    _ given: UnsafePointer<mr_product_operands>, _ threadCount: Int64, _ poll: mr_poll, _ out: UnsafeMutableRawPointer,
    _ error: UnsafeMutablePointer<mr_error>
) -> Int32 {
    bridge(error) {
        let given = given.pointee
        try MatrixProduct(
            rows: count(given.rows, "rows"), columns: count(given.columns, "columns"),
            terms: count(given.terms, "terms"), transposed: given.transposed != 0,
            given.dtype == Int32(bitPattern: MR_FLOAT32.rawValue) ? .float : .double
        ).multiply(given.a, given.b, into: out, threads: threads(threadCount), poll: Poll(poll))
    }
}

/// Columns made orthonormal.
@c @implementation
public func mr_orthonormal(
    _ values: UnsafeMutablePointer<Double>, _ rows: Int64, _ columns: Int64, _ error: UnsafeMutablePointer<mr_error>
) -> Int32 {
    bridge(error) {
        try Orthonormal.columns(of: values, rows: count(rows, "rows"), columns: count(columns, "columns"))
    }
}

/// Eigenvalues and eigenvectors.
@c @implementation
public func mr_eigenvectors(
    _ matrix: UnsafePointer<Double>, _ size: Int64, _ outValues: UnsafeMutablePointer<Double>,
    _ outVectors: UnsafeMutablePointer<Double>, _ error: UnsafeMutablePointer<mr_error>
) -> Int32 {
    bridge(error) {
        try Eigenvectors.of(matrix, size: count(size, "matrix"), values: outValues, vectors: outVectors)
    }
}
