public import Graph

/// An orthonormal basis of what columns span, by Gram and Schmidt.
///
/// Blocks of columns are made orthogonal to those before, then within themselves, and all of that twice, after which
/// rounding is all that is left (Giraud et al., "The loss of orthogonality in the Gram-Schmidt orthogonalization
/// process", 2005). Cost: 8 rows columns².
public struct Orthonormal {
    /// A column of which so small a share is left by those before it depends on them.
    private static let dependent = 1e-11
    private static let block = 32

    private let rows: Int
    /// The columns found so far, as rows: those that are zero left out.
    private var basis: DenseMatrix
    private var count = 0

    private init(rows: Int, most: Int) {
        self.rows = rows
        basis = DenseMatrix(most, rows)
    }

    /// Overwrites `values`, [rows, columns], with orthonormal columns; zeros for one that depends on those before.
    ///
    /// - Throws: a number that is not finite; interrupted.
    public static func columns(
        of values: UnsafeMutablePointer<Double>, rows: Int, columns: Int, poll: Poll = .none
    ) throws {
        guard rows > 0 else { return }
        var found = Orthonormal(rows: rows, most: min(rows, columns))
        for first in stride(from: 0, to: columns, by: block) {
            try poll.check(0)
            let width = min(block, columns - first)
            let part = DenseMatrix(width, rows)
            for k in 0..<rows { for index in 0..<width { part[index, k] = values[k * columns + first + index] } }
            for index in 0..<width {
                guard scaled(part.row(index), rows) else {
                    throw MetarecError.value("matrix: column \(first + index) has a number that is not finite")
                }
            }
            let kept = try found.append(part, poll)
            for k in 0..<rows { for index in 0..<width { values[k * columns + first + index] = 0 } }
            for (index, place) in kept.enumerated() {
                guard let place else { continue }
                for k in 0..<rows { values[k * columns + first + index] = found.basis[place, k] }
            }
        }
    }

    /// Scales a row by a power of two to numbers of at most 1, so that no square is lost; false: some are not finite.
    private static func scaled(_ row: UnsafeMutablePointer<Double>, _ count: Int) -> Bool {
        var most = 0.0
        for k in 0..<count {
            guard row[k].isFinite else { return false }
            most = max(most, abs(row[k]))
        }
        guard most > 0 else { return true }
        let exponent = -most.exponent
        for k in 0..<count { row[k] = Double(sign: .plus, exponent: exponent, significand: row[k]) }
        return true
    }

    /// Takes rows into the basis; where each went, nil for one that depends on others.
    private mutating func append(_ part: DenseMatrix, _ poll: Poll) throws(MetarecError) -> [Int?] {
        let first = count
        let lengths = (0..<part.rows).map { length(part.row($0)) }
        var isKept = [Bool](repeating: true, count: part.rows)
        for pass in 0..<2 {
            project(part, outOf: first)
            for index in 0..<part.rows where isKept[index] {
                try poll.check(0)
                let row = part.row(index)
                for _ in 0..<2 {
                    for other in 0..<index where isKept[other] { remove(part.row(other), from: row) }
                }
                let rest = length(row)
                isKept[index] = pass == 1 || rest > Orthonormal.dependent * lengths[index]
                let scale = isKept[index] ? 1 / rest : 0
                for k in 0..<rows { row[k] *= scale }
            }
        }
        return isKept.enumerated().map { index, isKept in
            guard isKept, count < basis.rows else { return nil }
            basis.row(count).update(from: part.row(index), count: rows)
            count += 1
            return count - 1
        }
    }

    /// W −= (W Qᵀ) Q, Q the first `count` rows of the basis.
    private func project(_ part: DenseMatrix, outOf count: Int) {
        guard count > 0 else { return }
        let (turned, shares) = (part.transposed, DenseMatrix(count, part.rows))
        DenseMatrix.multiply(
            basis.pointer, (rows, 1), turned.pointer, part.rows, into: shares.pointer, part.rows,
            (count, part.rows, rows))
        for index in 0..<shares.count { shares.pointer[index] = -shares.pointer[index] }
        DenseMatrix.multiply(
            shares.pointer, (1, part.rows), basis.pointer, rows, into: part.pointer, rows,
            (part.rows, rows, count), adding: true)
    }

    /// x −= (q · x) q
    private func remove(_ q: UnsafeMutablePointer<Double>, from x: UnsafeMutablePointer<Double>) {
        var share = 0.0
        DenseMatrix.multiply(q, (rows, 1), x, 1, into: &share, 1, (1, 1, rows))
        DenseMatrix.kernels.pointee.axpy(Int64(rows), -share, q, x)
    }

    private func length(_ row: UnsafeMutablePointer<Double>) -> Double {
        DenseMatrix.kernels.pointee.sum_of_squares(Int64(rows), row).squareRoot()
    }
}
