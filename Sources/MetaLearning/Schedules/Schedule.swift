/// How the outer learning rate changes with the steps. One file each in `Schedules/`, and a line in
/// `Registry.schedules`.
///
/// A pure function of the step, so that a table's row that is updated later gets the rates of the steps it missed.
public protocol Schedule: Sendable {
    /// Name, options, documentation.
    static var schema: ComponentSchema { get }
    /// From options checked against the schema.
    init(_ options: Options)
    /// What multiplies the learning rate in step number `step`, from 0 to 1; the first step is 1.
    func factor(at step: Int) -> Double
    /// What somebody outside may change between two steps, once no row misses one; nil where nothing can.
    var reduction: Reduction? { get }
}

extension Schedule {
    /// Nothing can be changed.
    public var reduction: Reduction? { nil }
}

/// The same rate at every step.
public struct Constant: Schedule {
    /// Name, options, documentation.
    public static let schema = ComponentSchema(
        "constant", className: "Constant",
        options: [
            .integer("warmup", default: 0, minimum: 0, "Steps over which the rate rises linearly from nothing.")
        ],
        documentation: "The same learning rate η at every step t, after min(1, t / warmup) of it in the first steps.")

    private let warmup: Int

    /// From checked options.
    public init(_ options: Options) { warmup = options.integer("warmup") }
    /// Always the full rate.
    public init() { warmup = 0 }

    /// min(1, t / warmup)
    public func factor(at step: Int) -> Double { warmedUp(step, warmup) }
}

extension Registry {
    /// The schedules of the outer learning rate.
    public static let schedules: [any Schedule.Type] = [
        Constant.self, StepDecay.self, Cosine.self, ReduceOnPlateau.self,
    ]
}

/// min(1, t / warmup)
func warmedUp(_ step: Int, _ warmup: Int) -> Double { step >= warmup ? 1 : Double(step) / Double(warmup) }
