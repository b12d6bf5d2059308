import Graph

/// The options of an inner loop of gradient descent, which several algorithms share.
struct InnerLoop {
    /// inner_lr, inner_steps, order, adapt.
    static let options: [OptionSchema] = [
        .positive("inner_lr", default: 0.01, "Step size α of the inner loop."),
        .integer("inner_steps", default: 1, minimum: 0, maximum: 100, "Number of inner steps k."),
        .integer(
            "order", default: 2, minimum: 1, maximum: 2,
            "2: exact meta-gradient; 1: inner gradients count as constants."),
        .choice("adapt", default: "decision", AdaptedPart.allCases.map(\.rawValue), "What the inner loop changes."),
    ]

    /// Those of the options that an algorithm has, by leaving out the others.
    static func options(without name: String) -> [OptionSchema] { options.filter { $0.name != name } }

    let α: Double
    let steps: Int
    let firstOrder: Bool
    let adapts: AdaptedPart

    /// From checked options. What an algorithm does not offer it fixes: `adapts`, or first order.
    init(_ options: Options, firstOrder: Bool? = nil, adapts: AdaptedPart? = nil) {
        α = options.number("inner_lr")
        steps = options.integer("inner_steps")
        self.firstOrder = firstOrder ?? (options.integer("order") == 1)
        self.adapts = adapts ?? AdaptedPart(rawValue: options.text("adapt")) ?? .decision
    }

    /// θᵢ₊₁ = θᵢ − α ∇L(θᵢ; support)
    func adapt(_ task: TaskProblem) -> Adaptation {
        descend(task, steps: steps, firstOrder: firstOrder) { _, θ, g in θ - α * g }
    }
}
