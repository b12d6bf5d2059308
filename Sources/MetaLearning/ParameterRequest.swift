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

    /// A parameter and its beginning.
    public init(_ spec: ParameterSpec, _ initializer: Initializer) {
        self.spec = spec
        self.initializer = initializer
    }
}
