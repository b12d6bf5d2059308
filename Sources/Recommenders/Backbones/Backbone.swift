import Graph
import MetaLearning

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

    /// 1 for every row whose value is known, else 0, `[rows, 1]`; nil for dense fields.
    public func known(_ θ: Parameters) -> Value? {
        guard case .indices(let indices) = source else { return nil }
        let table = θ[schema.embeddingName]
        return table.graph.constant(1, shape: Shape(table.shape.rows, 1)).bag(indices)
    }
}

extension FieldSchema {
    /// The name of the field's embedding table.
    public var embeddingName: String { "embedding.\(name)" }
}

/// A network from features to outputs. One file each in `Backbones/`, and a line in `Registry.backbones`.
///
/// It ends in a linear layer, the head, that algorithms may solve for: `features · head.weight + head.bias + offset`.
public protocol Backbone: Sendable {
    /// Name, options, documentation.
    static var schema: ComponentSchema { get }
    /// From options checked against the schema.
    init(_ options: Options)

    /// The parameters for these fields, items' first; tables in the order of the fields. The head's are "head.weight"
    /// [features, 1] and "head.bias" [1].
    func parameters(items: [FieldSchema], users: [FieldSchema]) -> [ParameterRequest]
    /// The widths of what `represent` gives for these fields.
    func shape(items: [FieldSchema], users: [FieldSchema]) -> RepresentationShape
    /// What is under the head, for rows of items and the task's user.
    ///
    /// - Parameter masks: one for every layer of `unitDropout`, `[rows, units]`, while training; else none.
    func represent(
        items: [FieldFeature], users: [FieldFeature], rows: Dimension, masks: [Value], _ θ: Parameters
    ) -> Representation
    /// The hidden units that training drops at random.
    var unitDropout: UnitDropout? { get }
    /// The fields of items that training hides together, more often than others, and how often.
    func dropout(items: [FieldSchema]) -> FieldDropout?
}

extension Backbone {
    /// None.
    public var unitDropout: UnitDropout? { nil }
    /// None.
    public func dropout(items: [FieldSchema]) -> FieldDropout? { nil }
}
