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
        let (rows, columns) = (try count(given.rows, "rows"), try count(given.columns, "columns"))
        let terms = try count(given.terms, "terms")
        try checkProduct(rows, columns, "a b")
        try checkProduct(rows, terms, "a")
        try checkProduct(terms, columns, "b")
        guard let precision = Precision(rawValue: given.dtype) else {
            throw MetarecError(.type, "dtype \(given.dtype) is not an mr_dtype")
        }
        try MatrixProduct(
            rows: rows, columns: columns, terms: terms, transposed: given.transposed != 0, precision
        ).multiply(given.a, given.b, into: out, threads: threads(threadCount), poll: Poll(poll))
    }
}

/// Columns made orthonormal.
@c @implementation
public func mr_orthonormal(
    _ values: UnsafeMutablePointer<Double>, _ rows: Int64, _ columns: Int64, _ poll: mr_poll,
    _ error: UnsafeMutablePointer<mr_error>
) -> Int32 {
    bridge(error) {
        let (rows, columns) = (try count(rows, "rows"), try count(columns, "columns"))
        try checkProduct(rows, columns, "matrix")
        try Orthonormal.columns(of: values, rows: rows, columns: columns, poll: Poll(poll))
    }
}

/// Eigenvalues and eigenvectors.
@c @implementation
public func mr_eigenvectors(
    _ matrix: UnsafePointer<Double>, _ size: Int64, _ poll: mr_poll, _ outValues: UnsafeMutablePointer<Double>,
    _ outVectors: UnsafeMutablePointer<Double>, _ error: UnsafeMutablePointer<mr_error>
) -> Int32 {
    bridge(error) {
        let size = try count(size, "matrix")
        try checkProduct(size, size, "matrix")
        try Eigenvectors.of(matrix, size: size, values: outValues, vectors: outVectors, poll: Poll(poll))
    }
}
