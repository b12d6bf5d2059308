import Graph

/// Some of a task's rows.
public enum Segment: Sendable {
    /// What we saw of the task.
    case support
    /// What we predict.
    case query
    /// Both.
    case all
}

/// Parameters of a model as values of a graph, in a fixed order.
public struct Parameters {
    /// In the order of the model.
    public let names: [String]
    private var values: [String: Value]
    private let graph: Graph

    /// Parameters by name, values of `graph`.
    public init(_ pairs: [(name: String, value: Value)], in graph: Graph) {
        self.graph = graph
        names = pairs.map(\.name)
        values = Dictionary(uniqueKeysWithValues: pairs.map { ($0.name, $0.value) })
    }

    /// A parameter. A name that does not exist is a mistake of the model's author, which compiling the graph reports.
    public subscript(name: String) -> Value {
        get { values[name] ?? graph.failed(.value("no parameter \"\(name)\"; there are \(names)")) }
        set { values[name] = newValue }
    }

    /// Whether there is such a parameter.
    public func contains(_ name: String) -> Bool { values[name] != nil }
    /// The values of some parameters.
    public subscript(names: [String]) -> [Value] { names.map { self[$0] } }
}

/// One task, as a meta-algorithm sees it: what a model makes of its rows, and how wrong that is, as functions of
/// parameters. All of it is in closures, so that an algorithm knows no recommender.
public struct TaskProblem {
    /// θ, what all tasks share. For a table: the rows that the task touches.
    public let θ: Parameters
    /// Names of the parameters that the inner loop changes.
    public let adapted: [String]
    /// What is under the head for some of the task's rows: support or query.
    public let represent: (Segment, Parameters) -> Representation
    /// What the head makes of that.
    public let output: (Segment, Parameters) -> Output
    /// The targets of some rows, `[rows, 1]`.
    public let targets: (Segment) -> Value
    /// A mask for every layer of the algorithm's own whose units are dropped, `[query rows, units]`; none but in training.
    public let masks: [Value]
    /// The targets as levels, `[rows, levels]`, one 1 a row; nil where the loss has no levels.
    public let levels: (Segment) -> Value?
    /// The loss of every row, `[rows, 1]`, given what the model says of these rows.
    public let rowLosses: (Output, Segment, Parameters) -> Value
    /// The second derivatives of their sum by the outputs: the diagonal, `[rows, 1]`, where each row's loss is of that row
    /// alone, else all of them, `[rows, rows]`.
    public let curvature: (Output, Segment, Parameters) -> Value

    /// A task; unless `curvature` is given, the loss of each row is of that row alone.
    public init(
        θ: Parameters, adapted: [String], represent: @escaping (Segment, Parameters) -> Representation,
        output: @escaping (Segment, Parameters) -> Output, targets: @escaping (Segment) -> Value,
        masks: [Value] = [], levels: @escaping (Segment) -> Value? = { _ in nil },
        rowLosses: @escaping (Output, Segment, Parameters) -> Value,
        curvature: ((Output, Segment, Parameters) -> Value)? = nil
    ) {
        self.θ = θ
        self.adapted = adapted
        self.represent = represent
        self.output = output
        self.targets = targets
        self.masks = masks
        self.levels = levels
        self.rowLosses = rowLosses
        self.curvature =
            curvature ?? { output, segment, θ in MetaLearning.curvature(of: rowLosses(output, segment, θ), output) }
    }

    /// The mean loss over some of the task's rows, `[1, 1]`; 0 where there are none.
    public func loss(_ segment: Segment, _ θ: Parameters) -> Value {
        func rows(_ segment: Segment) -> Value { rowLosses(output(segment, θ), segment, θ) }
        return switch segment {
        case .support, .query: rows(segment).mean
        case .all: (rows(.support).sum + rows(.query).sum).scaled(by: .inverseSize(.symbol(.all)))
        }
    }
}

/// The second derivatives of rows' losses, each by the output of its row, `[rows, 1]`.
public func curvature(of losses: Value, _ output: Output) -> Value {
    let slope = gradients(of: losses.sum, with: [output.mean])[0]
    return gradients(of: slope.sum, with: [output.mean])[0]
}

/// What the inner loop made of the parameters.
public struct Adaptation {
    /// After the last step.
    public let parameters: Parameters
    /// The support loss before the first step, between steps, and after the last: `inner_steps + 1` values.
    public let losses: [Value]

    /// Parameters after the inner loop, and the losses on the way.
    public init(parameters: Parameters, losses: [Value]) {
        self.parameters = parameters
        self.losses = losses
    }
}

/// What the outer loop minimises, and the direction it takes.
public struct MetaObjective {
    /// `[1, 1]`.
    public let loss: Value
    /// One per parameter of θ, in its order.
    public let gradients: [Value]
}
