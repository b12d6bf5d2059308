/// Arithmetic as one writes it. One row, one column or one number broadcasts.
extension Value {
    /// The sum.
    public static func + (a: Value, b: Value) -> Value { a.graph.append(Binary.add, a, b) }
    /// The difference.
    public static func - (a: Value, b: Value) -> Value { a.graph.append(Binary.subtract, a, b) }
    /// The element-wise product; for the matrix product see `matmul`.
    public static func * (a: Value, b: Value) -> Value { a.graph.append(Binary.multiply, a, b) }
    /// The element-wise quotient.
    public static func / (a: Value, b: Value) -> Value { a.graph.append(Binary.divide, a, b) }
    /// The negative.
    public static prefix func - (a: Value) -> Value { a.scaled(by: Coefficient(-1)) }

    /// A number times the matrix.
    public static func * (a: Double, b: Value) -> Value { b.scaled(by: Coefficient(a)) }
    /// A number added to every element.
    public static func + (a: Value, b: Double) -> Value { a.graph.append(Offset(coefficient: Coefficient(b)), a) }
    /// Every element less a number.
    public static func - (a: Value, b: Double) -> Value { a + -b }
    /// A number less every element.
    public static func - (a: Double, b: Value) -> Value { -b + a }

    /// `coefficient * x`.
    public func scaled(by coefficient: Coefficient) -> Value { graph.append(Scale(coefficient: coefficient), self) }

    /// `max(x, 0)`.
    public var relu: Value { graph.append(Unary.relu, self) }
    /// `1 / (1 + exp(-x))`.
    public var sigmoid: Value { graph.append(Unary.sigmoid, self) }
    /// The hyperbolic tangent.
    public var tanh: Value { graph.append(Unary.tanh, self) }
    /// `log(1 + exp(x))`.
    public var softplus: Value { graph.append(Unary.softplus, self) }
    /// The exponential.
    public var exp: Value { graph.append(Unary.exp, self) }
    /// The natural logarithm.
    public var log: Value { graph.append(Unary.log, self) }
    /// The square root.
    public var sqrt: Value { graph.append(Unary.sqrt, self) }
    /// `x^2`.
    public var square: Value { graph.append(Unary.square, self) }
    /// `|x|`.
    public var abs: Value { graph.append(Unary.abs, self) }
    /// -1, 0 or 1; constant to derivatives.
    public var sign: Value { graph.append(Unary.sign, self) }
    /// `1 / x`.
    public var reciprocal: Value { graph.append(Unary.reciprocal, self) }

    /// The larger of two, element by element.
    public func maximum(_ other: Value) -> Value { graph.append(Binary.maximum, self, other) }
    /// The smaller of two, element by element.
    public func minimum(_ other: Value) -> Value { graph.append(Binary.minimum, self, other) }
    /// `other > 0 ? self : 0`; constant in `other`.
    public func masked(by other: Value) -> Value { graph.append(Binary.mask, self, other) }
    /// `self == other ? 1 : 0`; constant to derivatives.
    public func equals(_ other: Value) -> Value { graph.append(Binary.equal, self, other) }
    /// `self > 0 ? a : b`; constant in `self`.
    public func select(_ a: Value, _ b: Value) -> Value { graph.append(Select(), self, a, b) }

    /// The sum over rows, `[r, c] -> [1, c]`.
    public var sumOverRows: Value { sum(.rows) }
    /// The sum over columns, `[r, c] -> [r, 1]`.
    public var sumOverColumns: Value { sum(.columns) }
    /// The sum of all elements, `[1, 1]`.
    public var sum: Value { sum(.all) }
    /// The mean of all elements, `[1, 1]`; 0 where there are none.
    public var mean: Value {
        sum.scaled(by: .inverseSize(shape.rows)).scaled(by: .inverseSize(shape.columns))
    }
}
