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

/// One task, as a meta-algorithm sees it: losses as functions of parameters.
public struct TaskProblem {
    /// θ, what all tasks share. For a table: the rows that the task touches.
    public let θ: Parameters
    /// Names of the parameters that the inner loop changes.
    public let adapted: [String]
    /// The mean loss over some of the task's rows, `[1, 1]`; 0 where there are none.
    public let loss: (Segment, Parameters) -> Value

    /// A task.
    public init(θ: Parameters, adapted: [String], loss: @escaping (Segment, Parameters) -> Value) {
        self.θ = θ
        self.adapted = adapted
        self.loss = loss
    }
}

/// What the inner loop made of the parameters.
public struct Adaptation {
    /// After the last step.
    public let parameters: Parameters
    /// The support loss before the first step, between steps, and after the last: `inner_steps + 1` values.
    public let losses: [Value]
}

/// What the outer loop minimises, and the direction it takes.
public struct MetaObjective {
    /// `[1, 1]`.
    public let loss: Value
    /// One per parameter of θ, in its order.
    public let gradients: [Value]
}
