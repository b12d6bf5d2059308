import Glibc

/// Half a cosine from the full rate down (Loshchilov and Hutter, ICLR 2017).
public struct Cosine: Schedule {
    /// Name, options, documentation.
    public static let schema = ComponentSchema(
        "cosine", className: "Cosine",
        options: [
            .integer("steps", default: 1000, minimum: 1, "Outer steps T over which the rate falls."),
            .integer("warmup", default: 0, minimum: 0, "Steps over which the rate rises linearly from nothing."),
            OptionSchema("final", .fraction, default: .numbers([0]), "Share of the rate that is left at the end."),
        ],
        documentation: """
            Half a cosine from the full learning rate down to a share of it, which then stays.

            At step t the rate is η min(1, t / warmup) (final + (1 − final) (1 + cos(π min(1, t / T))) / 2).

            Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017.
            """)

    private let steps: Int
    private let warmup: Int
    private let final: Double

    /// From checked options.
    public init(_ options: Options) {
        steps = options.integer("steps")
        warmup = options.integer("warmup")
        final = options.number("final")
    }

    /// The formula above.
    public func factor(at step: Int) -> Double {
        let fall = (1 + cos(.pi * min(1, Double(step) / Double(steps)))) / 2
        return warmedUp(step, warmup) * (final + (1 - final) * fall)
    }
}
