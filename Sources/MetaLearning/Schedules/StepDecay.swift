import Glibc

/// A rate that falls by the same factor every so many steps.
public struct StepDecay: Schedule {
    /// Name, options, documentation.
    public static let schema = ComponentSchema(
        "step_decay", className: "StepDecay",
        options: [
            .integer("every", default: 1000, minimum: 1, "Outer steps k from one fall to the next."),
            OptionSchema("factor", .fraction, default: .numbers([0.5]), "What multiplies the rate there."),
            .integer("warmup", default: 0, minimum: 0, "Steps over which the rate rises linearly from nothing."),
        ],
        documentation: """
            A learning rate that falls by the same factor every so many outer steps.

            At step t, from 1 on, the rate is η min(1, t / warmup) factor^⌊(t − 1) / k⌋.
            """)

    private let every: Int
    private let decay: Double
    private let warmup: Int

    /// From checked options.
    public init(_ options: Options) {
        every = options.integer("every")
        decay = options.number("factor")
        warmup = options.integer("warmup")
    }

    /// The formula above.
    public func factor(at step: Int) -> Double {
        warmedUp(step, warmup) * pow(decay, Double((max(step, 1) - 1) / every))
    }
}
