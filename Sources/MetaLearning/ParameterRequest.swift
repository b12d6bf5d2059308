/// How a parameter begins.
public enum Initializer: Sendable {
    /// Every element this number.
    case constant(Double)
    /// Uniform in `-bound ... bound`.
    case uniform(bound: Double)
    /// Normal with mean 0.
    case normal(deviation: Double)
    /// These, element by element.
    case values([Double])
}

/// A parameter that a component wants.
public struct ParameterRequest: Sendable {
    /// Name, shape and group.
    public let spec: ParameterSpec
    /// How it begins.
    public let initializer: Initializer

    /// λ of the penalty λ |x|² that outer steps add to their loss; of a table on the rows that a step touches.
    public let l2: Double

    /// A parameter and its beginning.
    public init(_ spec: ParameterSpec, _ initializer: Initializer, l2: Double = 0) {
        self.spec = spec
        self.initializer = initializer
        self.l2 = l2
    }
}
