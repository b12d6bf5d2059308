import Graph
import MetaLearning

/// Embeddings of all fields into a decision network.
public struct FeatureMLP: Backbone {
    /// Name, options, documentation.
    public static let schema = ComponentSchema(
        "feature_mlp", className: "FeatureMLP",
        options: [
            .integer("embedding_dim", default: 32, minimum: 1, "Columns of every embedding table."),
            OptionSchema(
                "hidden", .integers(minimum: 1), default: .numbers([64, 64]), "Widths of the hidden layers."),
            OptionSchema(
                "l2", .number(minimum: 0), default: .numbers([0]),
                "Penalty on the squares of the embeddings that an outer step touches."),
            OptionSchema(
                "weight_l2", .number(minimum: 0), default: .numbers([0]), "The same for the weights of all layers."),
            OptionSchema(
                "dropout", .fraction, default: .numbers([0]),
                "Probability p of dropping a hidden unit while training."),
        ],
        documentation: """
            Embeddings of item and user fields, side by side, into a fully connected network.

            x = [e₁ | e₂ | ...]: for a categorical field its row of the table, for a bag the mean of its rows, for a
            dense field the vector itself; item fields first, then the user's, in the order given. Then
            h₀ = x, hᵢ₊₁ = relu(hᵢ Wᵢ + bᵢ), output = hₙ W + b. An unknown value is a zero vector.

            With `dropout` p, training takes mᵢ ⊙ relu(hᵢ Wᵢ + bᵢ) for hᵢ₊₁, each element of mᵢ being 0 with probability p,
            else 1 / (1 − p); predictions, adaptation and `meta_gradient` use no mask. Every row of the support and of the
            query has masks of its own, drawn anew for each task in each epoch and held through all inner steps. So the
            meta-gradient is the exact gradient of the query's masked loss after descent on the support's. Were one mask
            shared by all rows, E[m²] = 1 / (1 − p) would lengthen what a step on the support does to the query.

            Parameters: "embedding.<field>" [size, embedding_dim] (group embedding), "dense<i>.weight", "dense<i>.bias"
            (decision), "head.weight", "head.bias" (head).

            Lee, Im, Jang, Cho and Chung, "MeLU: Meta-Learned User Preference Estimator for Cold-Start Recommendation",
            KDD 2019. Dropout: Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, "Dropout: A Simple Way to
            Prevent Neural Networks from Overfitting", JMLR 2014.
            """)

    private let embeddingDimension: Int
    private let hidden: [Int]
    private let l2: (tables: Double, weights: Double)
    /// Of all hidden layers.
    public let unitDropout: UnitDropout?

    /// From checked options.
    public init(_ options: Options) {
        embeddingDimension = options.integer("embedding_dim")
        hidden = options.numbers("hidden").map { Int($0) }
        l2 = (options.number("l2"), options.number("weight_l2"))
        unitDropout = UnitDropout(rate: options.number("dropout"), widths: hidden)
    }

    /// Tables, layers, head.
    public func parameters(items: [FieldSchema], users: [FieldSchema]) -> [ParameterRequest] {
        let fields = items + users
        let tables = fields.filter(\.isEmbedded).map {
            ParameterRequest(
                ParameterSpec(
                    $0.embeddingName, rows: $0.size, columns: embeddingDimension, isTable: true, group: "embedding"),
                .normal(deviation: 0.1), l2: l2.tables)
        }
        let width = width(fields)
        let layers = zip([width] + hidden, hidden).enumerated().flatMap { index, size in
            layer("dense\(index)", size.0, size.1, group: "decision", gain: 6)
        }
        return tables + layers + layer("head", hidden.last ?? width, 1, group: "head", gain: 1)
    }

    /// Uniform weights of variance gain / (3 inputs), zero biases: gain 6 keeps the scale through relu (He et al. 2015).
    private func layer(
        _ name: String, _ inputs: Int, _ outputs: Int, group: String, gain: Double
    ) -> [ParameterRequest] {
        [
            ParameterRequest(
                ParameterSpec("\(name).weight", rows: inputs, columns: outputs, group: group),
                .uniform(bound: (gain / Double(max(inputs, 1))).squareRoot()), l2: l2.weights),
            ParameterRequest(
                ParameterSpec("\(name).bias", rows: 1, columns: outputs, rank: 1, group: group), .constant(0)),
        ]
    }

    private func width(_ fields: [FieldSchema]) -> Int {
        fields.reduce(0) { $0 + ($1.isEmbedded ? embeddingDimension : $1.size) }
    }

    /// The last layer's width.
    public func shape(items: [FieldSchema], users: [FieldSchema]) -> RepresentationShape {
        RepresentationShape(features: hidden.last ?? width(items + users))
    }

    /// relu layers.
    public func represent(
        items: [FieldFeature], users: [FieldFeature], rows: Dimension, masks: [Value], _ θ: Parameters
    ) -> Representation {
        var h = concatenate(
            (items + users).map { field in
                let vectors = field.vectors(θ)
                return vectors.broadcast(to: Shape(rows, vectors.shape.columns))
            })
        for index in hidden.indices {
            h = (h.matmul(θ["dense\(index).weight"]) + θ["dense\(index).bias"]).relu.dropped(masks, layer: index)
        }
        return Representation(features: h)
    }
}
