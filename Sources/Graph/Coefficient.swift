/// A factor that may depend on the task's sizes: `value * product(numerator) / product(denominator)`.
///
/// Means bring `1/S` and `1/Q`, their derivatives powers of these. Kept symbolic, factors float out of every linear
/// operation and end up in the one place where they cost nothing. With a size of 0 in the denominator the factor is 0:
/// the mean of no rows is 0, and so is its gradient. For that reason `S * 1/S` is not shortened to 1.
public struct Coefficient: Hashable, Sendable {
    /// The constant part.
    public let value: Double
    /// Sizes multiplied, in order of their symbols.
    public let numerator: [Symbol]
    /// Sizes divided by, in order of their symbols.
    public let denominator: [Symbol]

    private init(_ value: Double, _ numerator: [Symbol], _ denominator: [Symbol]) {
        self.value = value
        self.numerator = value == 0 ? [] : numerator.sorted { $0.id < $1.id }
        self.denominator = value == 0 ? [] : denominator.sorted { $0.id < $1.id }
    }

    /// A plain number.
    public init(_ value: Double) { self.init(value, [], []) }

    /// The size of a dimension.
    public static func size(_ dimension: Dimension) -> Coefficient {
        switch dimension {
        case .fixed(let size): Coefficient(Double(size))
        case .symbol(let symbol): Coefficient(1, [symbol], [])
        }
    }

    /// One over the size of a dimension; 0 where the size is 0.
    public static func inverseSize(_ dimension: Dimension) -> Coefficient {
        switch dimension {
        case .fixed(let size): Coefficient(size == 0 ? 0 : 1 / Double(size))
        case .symbol(let symbol): Coefficient(1, [], [symbol])
        }
    }

    /// 1, whatever the task.
    public static let one = Coefficient(1)

    /// The number, where no size is involved.
    public var number: Double? { numerator.isEmpty && denominator.isEmpty ? value : nil }
    /// The part that depends on sizes.
    var sizes: Coefficient { Coefficient(1, numerator, denominator) }
    /// Whether this is the number 1.
    public var isOne: Bool { number == 1 }
    /// Whether this is 0 whatever the task.
    public var isZero: Bool { value == 0 }

    /// The product of two factors.
    public static func * (a: Coefficient, b: Coefficient) -> Coefficient {
        Coefficient(a.value * b.value, a.numerator + b.numerator, a.denominator + b.denominator)
    }

    /// The negative.
    public static prefix func - (a: Coefficient) -> Coefficient {
        Coefficient(-a.value, a.numerator, a.denominator)
    }
}
