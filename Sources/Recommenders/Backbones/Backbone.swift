import Graph
import MetaLearning

/// How a parameter begins.
public enum Initializer: Sendable {
    /// Every element this number.
    case constant(Double)
    /// Uniform in `-bound ... bound`.
    case uniform(bound: Double)
    /// Normal with mean 0.
    case normal(deviation: Double)
}

/// A parameter that a backbone wants.
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

/// One field of one segment of a task, as values of a graph.
public struct FieldFeature {
    /// The field.
    public let schema: FieldSchema
    let source: Source

    enum Source {
        case indices(Indices)
        case vectors(Value)
    }

    /// The field's vectors: rows of its embedding table (mean over a bag), or the dense vectors as they are.
    /// A field of the user has one row.
    public func vectors(_ θ: Parameters) -> Value {
        switch source {
        case .indices(let indices): θ[schema.embeddingName].bag(indices)
        case .vectors(let vectors): vectors
        }
    }
}

extension FieldSchema {
    /// The name of the field's embedding table.
    public var embeddingName: String { "embedding.\(name)" }
}

/// A network from features to outputs. One file each in `Backbones/`, and a line in `Registry.backbones`.
public protocol Backbone: Sendable {
    /// Name, options, documentation.
    static var schema: ComponentSchema { get }
    /// From options checked against the schema.
    init(_ options: Options)

    /// The parameters for these fields, items' first, and this many outputs; tables in the order of the fields.
    func parameters(for fields: [FieldSchema], outputs: Int) -> [ParameterRequest]
    /// The outputs `[rows, outputs]` for rows of items and the task's user. `fields` as in `parameters`.
    func outputs(_ fields: [FieldFeature], rows: Dimension, _ θ: Parameters) -> Value
}
