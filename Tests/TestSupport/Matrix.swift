/// A matrix of doubles, for tests.
public struct Matrix: Equatable {
    /// Row count.
    public var rows: Int
    /// Column count.
    public var columns: Int
    /// Row by row.
    public var elements: [Double]

    /// A matrix of these elements, row by row.
    public init(_ rows: Int, _ columns: Int, _ elements: [Double]) {
        precondition(elements.count == rows * columns)
        (self.rows, self.columns, self.elements) = (rows, columns, elements)
    }

    /// A matrix by a rule of row and column.
    public init(_ rows: Int, _ columns: Int, _ element: (Int, Int) -> Double) {
        self.init(rows, columns, (0..<rows * columns).map { element($0 / columns, $0 % columns) })
    }

    /// Uniform in -1 ..< 1, at least `gap` away from 0.
    public static func random(
        _ rows: Int, _ columns: Int, gap: Double = 0, using generator: inout some RandomNumberGenerator
    ) -> Matrix {
        Matrix(
            rows, columns,
            (0..<rows * columns).map { _ in
                let size = Double.random(in: gap..<1, using: &generator)
                return Bool.random(using: &generator) ? size : -size
            })
    }

    /// The element of this row and column.
    public subscript(row: Int, column: Int) -> Double {
        get { elements[row * columns + column] }
        set { elements[row * columns + column] = newValue }
    }

    /// Rows and columns exchanged.
    public var transposed: Matrix { Matrix(columns, rows) { self[$1, $0] } }

    /// The matrix product.
    public func times(_ other: Matrix) -> Matrix {
        precondition(columns == other.rows)
        return Matrix(rows, other.columns) { row, column in
            (0..<columns).reduce(0) { $0 + self[row, $1] * other[$1, column] }
        }
    }

    /// Element by element.
    public func map(_ function: (Double) -> Double) -> Matrix { Matrix(rows, columns, elements.map(function)) }

    /// The sum.
    public static func + (a: Matrix, b: Matrix) -> Matrix {
        precondition(a.rows == b.rows && a.columns == b.columns)
        return Matrix(a.rows, a.columns, zip(a.elements, b.elements).map { $0 + $1 })
    }

    /// The difference.
    public static func - (a: Matrix, b: Matrix) -> Matrix { a + -1 * b }
    /// A multiple.
    public static func * (factor: Double, a: Matrix) -> Matrix { a.map { factor * $0 } }

    /// The largest difference of two elements; infinite where shapes differ or an element is not a number.
    public func distance(to other: Matrix) -> Double {
        guard rows == other.rows, columns == other.columns else { return .infinity }
        return zip(elements, other.elements).reduce(0) { worst, pair in
            let difference = Swift.abs(pair.0 - pair.1)
            return difference.isNaN ? .infinity : max(worst, difference)
        }
    }

    /// The largest magnitude.
    public var magnitude: Double { elements.reduce(0) { max($0, Swift.abs($1)) } }
}
