import Graph

/// An outer optimizer that users choose by name.
public protocol ConfigurableOptimizer: Optimizer {
    /// Name, options, documentation.
    static var schema: ComponentSchema { get }
    /// From options checked against the schema, with a schedule of the learning rate.
    init(_ options: Options, _ schedule: any Schedule) throws
}

extension SGD: ConfigurableOptimizer {
    /// Name, options, documentation.
    public static let schema = ComponentSchema(
        "sgd", className: "SGD",
        options: [.positive("lr", default: 0.01, "Learning rate η.")],
        documentation: "Stochastic gradient descent, x ← x − η g.")

    /// From checked options.
    public init(_ options: Options, _ schedule: any Schedule) throws {
        try self.init(learningRate: options.number("lr"), schedule: schedule)
    }
}

extension Adam: ConfigurableOptimizer {
    /// Name, options, documentation.
    public static let schema = ComponentSchema(
        "adam", className: "Adam",
        options: [
            .positive("lr", default: 1e-3, "Learning rate η."),
            OptionSchema("beta1", .fraction, default: .numbers([0.9]), "Decay of the mean gradient."),
            OptionSchema("beta2", .fraction, default: .numbers([0.999]), "Decay of the mean squared gradient."),
            OptionSchema(
                "epsilon", .number(minimum: Adam.smallestEpsilon), default: .numbers([1e-8]),
                "Added to the root, so that it can divide."),
        ],
        documentation: """
            Adam: steps scaled by running means of the gradient and its square.

            m ← β₁ m + (1 − β₁) g;  v ← β₂ v + (1 − β₂) g²;
            x ← x − η (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε).
            Rows of embedding tables are updated lazily, with exactly the result of the dense update.

            Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015.
            """)

    /// From checked options.
    public init(_ options: Options, _ schedule: any Schedule) throws {
        try self.init(
            learningRate: options.number("lr"), beta1: options.number("beta1"), beta2: options.number("beta2"),
            epsilon: options.number("epsilon"), schedule: schedule)
    }
}

extension Registry {
    /// The outer optimizers.
    public static let optimizers: [any ConfigurableOptimizer.Type] = [SGD.self, Adam.self]
}
