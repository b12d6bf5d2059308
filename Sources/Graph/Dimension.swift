/// A size that is known only when a task arrives.
public struct Symbol: Hashable, Sendable {
    /// Place in the list of sizes that a task brings.
    public let id: Int

    private init(id: Int) { self.id = id }

    /// Rows of the support: what we saw of the task.
    public static let support = Symbol(id: 0)
    /// Rows of the query: what we predict.
    public static let query = Symbol(id: 1)
    /// All rows of the task, support and query.
    public static let all = Symbol(id: 2)
    /// Rows of the `index`-th embedding table that the task touches: its working set.
    public static func table(_ index: Int) -> Symbol { Symbol(id: 3 + index) }
}

/// A row or column count: a number, or a symbol.
public enum Dimension: Hashable, Sendable, ExpressibleByIntegerLiteral, CustomStringConvertible {
    /// The same for every task.
    case fixed(Int)
    /// Known when a task arrives.
    case symbol(Symbol)

    /// The fixed dimension of this size.
    public init(integerLiteral value: Int) { self = .fixed(value) }

    /// Rows of the support.
    public static let support = Dimension.symbol(.support)
    /// Rows of the query.
    public static let query = Dimension.symbol(.query)

    /// The number, where it is one.
    public var fixedValue: Int? {
        if case .fixed(let value) = self { value } else { nil }
    }

    /// The number or the symbol's letter.
    public var description: String {
        switch self {
        case .fixed(let value): "\(value)"
        case .symbol(.support): "S"
        case .symbol(.query): "Q"
        case .symbol(.all): "N"
        case .symbol(let symbol): "U\(symbol.id - 3)"
        }
    }
}

/// Rows and columns of a value.
public struct Shape: Hashable, Sendable, CustomStringConvertible {
    /// Row count.
    public var rows: Dimension
    /// Column count.
    public var columns: Dimension

    /// A shape of these dimensions.
    public init(_ rows: Dimension, _ columns: Dimension) {
        self.rows = rows
        self.columns = columns
    }

    /// One number.
    public static let scalar = Shape(1, 1)

    /// One row or one column: its elements lie the same way either way round.
    public var isVector: Bool { rows == 1 || columns == 1 }
    /// Rows and columns exchanged.
    public var transposed: Shape { Shape(columns, rows) }
    /// For instance `[S, 64]`.
    public var description: String { "[\(rows), \(columns)]" }
}
