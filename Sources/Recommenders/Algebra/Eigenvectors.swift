public import Graph

/// Eigenvalues and eigenvectors of a symmetric matrix: Householder's reflections make it tridiagonal, QL rotations with
/// implicit shifts diagonal (Golub and Van Loan, "Matrix Computations", 4th ed., 8.3). Cost: some 9 n³.
public struct Eigenvectors {
    /// What two elements that mirror each other may differ by, of the largest: products have been rounded.
    private static let asymmetry = 1e-5
    private static let mostRotations = 60

    private let size: Int
    private let matrix: DenseMatrix
    /// The eigenvectors, as rows.
    private let vectors: DenseMatrix
    private var diagonal, beside: [Double]

    /// Writes the eigenvalues, largest first, and the eigenvectors as columns of `out`, [size, size].
    ///
    /// - Throws: a number that is not finite, a matrix that is not symmetric; interrupted.
    public static func of(
        _ matrix: UnsafePointer<Double>, size: Int, values: UnsafeMutablePointer<Double>,
        vectors out: UnsafeMutablePointer<Double>, poll: Poll = .none
    ) throws {
        guard size > 0 else { return }
        let (given, exponent) = try scaled(matrix, size)
        var found = Eigenvectors(given)
        try found.makeTridiagonal(poll)
        try found.makeDiagonal(poll)
        let order = (0..<size).sorted { (-found.diagonal[$0], $0) < (-found.diagonal[$1], $1) }
        for (place, row) in order.enumerated() {
            values[place] = Double(sign: .plus, exponent: exponent, significand: found.diagonal[row])
            for k in 0..<size { out[k * size + place] = found.vectors[row, k] }
        }
    }

    private init(_ matrix: DenseMatrix) {
        (size, self.matrix) = (matrix.rows, matrix)
        vectors = DenseMatrix(identity: size)
        diagonal = [Double](repeating: 0, count: size)
        beside = [Double](repeating: 0, count: size)
    }

    /// The mean of the matrix and its mirror image over a power of two, so that no square is lost, and its exponent.
    private static func scaled(_ matrix: UnsafePointer<Double>, _ size: Int) throws -> (DenseMatrix, Int) {
        var most = 0.0
        for index in 0..<size * size {
            guard matrix[index].isFinite else { throw MetarecError.value("matrix: a number is not finite") }
            most = max(most, abs(matrix[index]))
        }
        let exponent = most > 0 ? Int(most.exponent) : 0
        func at(_ row: Int, _ column: Int) -> Double {
            Double(sign: .plus, exponent: -exponent, significand: matrix[row * size + column])
        }
        let result = DenseMatrix(size, size)
        for row in 0..<size {
            for column in 0...row {
                guard abs(at(row, column) - at(column, row)) <= asymmetry * 2 else {
                    throw MetarecError.value(
                        "matrix: [\(row), \(column)] is \(matrix[row * size + column]), [\(column), \(row)] is "
                            + "\(matrix[column * size + row]), wanted a symmetric one")
                }
                result[row, column] = 0.5 * (at(row, column) + at(column, row))
                result[column, row] = result[row, column]
            }
        }
        return (result, exponent)
    }

    /// A ← H A H for a reflection H = 1 − 2 v vᵀ a column, until nothing is left beside the diagonals; the vectors become
    /// the product of the reflections.
    private mutating func makeTridiagonal(_ poll: Poll) throws {
        let (reflections, work) = (DenseMatrix(size, size), DenseMatrix(1, size))
        for k in 0..<size - 1 {
            try poll.check(0)
            let v = reflections.row(k)
            for i in k + 1..<size { v[i] = matrix[k, i] }
            let length = dot(v, v, from: k + 1).squareRoot()
            beside[k] = v[k + 1] > 0 ? -length : length
            v[k + 1] -= beside[k]
            let norm = dot(v, v, from: k + 1).squareRoot()
            if norm > 0 {
                for i in k + 1..<size { v[i] /= norm }
                reflect(v, work.row(0), from: k + 1)
            }
        }
        for k in 0..<size { diagonal[k] = matrix[k, k] }
        for k in (0..<size - 1).reversed() {
            try poll.check(0)
            let v = reflections.row(k)
            for row in k + 1..<size {
                let z = vectors.row(row)
                let share = -2 * dot(z, v, from: k + 1)
                for i in k + 1..<size { z[i] += share * v[i] }
            }
        }
    }

    /// A − 2 v wᵀ − 2 w vᵀ for w = A v − (vᵀ A v) v: both sides of a reflection at once.
    private func reflect(_ v: UnsafeMutablePointer<Double>, _ w: UnsafeMutablePointer<Double>, from first: Int) {
        for row in first..<size { w[row] = dot(matrix.row(row), v, from: first) }
        let share = dot(w, v, from: first)
        for i in first..<size { w[i] -= share * v[i] }
        for row in first..<size {
            let (a, x, y) = (matrix.row(row), 2 * v[row], 2 * w[row])
            for i in first..<size { a[i] -= x * w[i] + y * v[i] }
        }
    }

    /// Rotates until what lies beside the diagonal is rounding.
    private mutating func makeDiagonal(_ poll: Poll) throws {
        for low in 0..<size {
            var rotations = 0
            while true {
                try poll.check(0)
                var high = low
                while high < size - 1, !isNothing(high) { high += 1 }
                if high == low { break }
                guard rotations < Eigenvectors.mostRotations else {
                    throw MetarecError(.arithmetic, "matrix: its eigenvalues were not found")
                }
                rotations += 1
                rotate(low, high)
            }
        }
    }

    private func isNothing(_ place: Int) -> Bool {
        let size = abs(diagonal[place]) + abs(diagonal[place + 1])
        return abs(beside[place]) <= .ulpOfOne * size || abs(beside[place]) < 1e-300
    }

    /// One QL step on the block from `low` to `high`, shifted by the eigenvalue of its first two rows that is nearer.
    private mutating func rotate(_ low: Int, _ high: Int) {
        var g = (diagonal[low + 1] - diagonal[low]) / (2 * beside[low])
        let root = length(g, 1)
        g = diagonal[high] - diagonal[low] + beside[low] / (g < 0 ? g - root : g + root)
        var (sine, cosine, shift) = (1.0, 1.0, 0.0)
        for i in stride(from: high - 1, through: low, by: -1) {
            let (f, b) = (sine * beside[i], cosine * beside[i])
            let radius = length(f, g)
            beside[i + 1] = radius
            if radius == 0 {
                diagonal[i + 1] -= shift
                beside[high] = 0
                return
            }
            (sine, cosine) = (f / radius, g / radius)
            g = diagonal[i + 1] - shift
            let r = (diagonal[i] - g) * sine + 2 * cosine * b
            shift = sine * r
            diagonal[i + 1] = g + shift
            g = cosine * r - b
            let (x, y) = (vectors.row(i), vectors.row(i + 1))
            for k in 0..<size {
                let (p, q) = (x[k], y[k])
                y[k] = sine * p + cosine * q
                x[k] = cosine * p - sine * q
            }
        }
        diagonal[low] -= shift
        beside[low] = g
        beside[high] = 0
    }

    private func length(_ x: Double, _ y: Double) -> Double { (x * x + y * y).squareRoot() }

    /// Eight sums side by side, in an order that does not depend on the processor.
    private func dot(_ x: UnsafePointer<Double>, _ y: UnsafePointer<Double>, from first: Int) -> Double {
        var sums = SIMD8<Double>.zero
        let whole = first + (size - first) & ~7
        for k in stride(from: first, to: whole, by: 8) {
            let (a, b) = (UnsafeRawPointer(x + k), UnsafeRawPointer(y + k))
            sums += a.loadUnaligned(as: SIMD8<Double>.self) * b.loadUnaligned(as: SIMD8<Double>.self)
        }
        var sum = sums.sum()
        for k in whole..<size { sum += x[k] * y[k] }
        return sum
    }
}
