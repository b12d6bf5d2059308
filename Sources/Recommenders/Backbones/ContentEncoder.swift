import Graph
import MetaLearning

/// Items from their content and, where they are known, from their id.
public struct ContentEncoder: Backbone {
    /// Name, options, documentation.
    public static let schema = ComponentSchema(
        "content_encoder", className: "ContentEncoder",
        options: [
            .integer("tokens", default: 96, minimum: 1, "Columns d of an item's token, which attention looks at."),
            .integer("features", default: 40, minimum: 1, "Columns of it that the head multiplies."),
            .integer("user", default: 16, minimum: 1, "Columns of a user."),
            OptionSchema(
                "dropout", .fraction, default: .numbers([0.1]), "Probability of hiding an id while training."),
            OptionSchema(
                "high_dropout", .fraction, default: .numbers([0.8]), "The same, in a share of the tasks."),
            OptionSchema("high_share", .fraction, default: .numbers([0.15]), "That share."),
            OptionSchema(
                "l2", .number(minimum: 0), default: .numbers([0]),
                "Penalty on the squares of the embeddings that an outer step touches."),
            OptionSchema(
                "weight_l2", .number(minimum: 0), default: .numbers([0]), "The same for the dense fields' weights."),
        ],
        documentation: """
            Items from their content and, where they are known, from their id: new items have content alone.

            An item's fields add up to a token t [tokens] and an offset β: of an embedded field its row of the table (of a
            bag the mean), of a dense field c the product c W. The field "item", if there is one, is the id; training
            hides it at random (DropoutNet), and with it the fields "item.<name>", which new items have as little: so the
            rest alone must do for these. The output is
            β + t[:features] · head.weight + head.bias. A user's fields add up to u [user], for algorithms that use it.

            Parameters: "embedding.<field>" [size, tokens + 1] or [size, user], "encoder.<field>" likewise for dense fields
            (group embedding and encoder), "head.weight", "head.bias" (head). The last column is the offset's.

            Volkovs, Yu and Poutanen, "DropoutNet: Addressing Cold Start in Recommender Systems", NIPS 2017.
            """)

    private let tokens: Int
    private let features: Int
    private let user: Int
    private let dropout: (rate: Double, highRate: Double, highShare: Double)
    private let l2: (tables: Double, weights: Double)
    private static let id = "item"

    /// From checked options.
    public init(_ options: Options) {
        tokens = options.integer("tokens")
        features = min(options.integer("features"), tokens)
        user = options.integer("user")
        dropout = (options.number("dropout"), options.number("high_dropout"), options.number("high_share"))
        l2 = (options.number("l2"), options.number("weight_l2"))
    }

    /// Tables and weights of fields, then the head.
    public func parameters(items: [FieldSchema], users: [FieldSchema]) -> [ParameterRequest] {
        func request(_ field: FieldSchema, _ columns: Int) -> ParameterRequest {
            let group = field.isEmbedded ? "embedding" : "encoder"
            return ParameterRequest(
                ParameterSpec(
                    "\(group).\(field.name)", rows: field.size, columns: columns, isTable: field.isEmbedded,
                    group: group),
                .normal(deviation: field.isEmbedded ? 0.02 : 1 / Double(field.size).squareRoot()),
                l2: field.isEmbedded ? l2.tables : l2.weights)
        }
        return items.map { request($0, tokens + 1) } + users.map { request($0, user) } + [
            ParameterRequest(ParameterSpec("head.weight", rows: features, columns: 1, group: "head"), .constant(0)),
            ParameterRequest(ParameterSpec("head.bias", rows: 1, columns: 1, rank: 1, group: "head"), .constant(0)),
        ]
    }

    /// The options' widths.
    public func shape(items: [FieldSchema], users: [FieldSchema]) -> RepresentationShape {
        RepresentationShape(features: features, tokens: tokens, user: users.isEmpty ? 0 : user)
    }

    /// The fields' sums.
    public func represent(
        items: [FieldFeature], users: [FieldFeature], rows: Dimension, masks: [Value], _ θ: Parameters
    ) -> Representation {
        func encoded(_ field: FieldFeature) -> Value {
            let vectors = field.vectors(θ)
            return field.schema.isEmbedded ? vectors : vectors.matmul(θ["encoder.\(field.schema.name)"])
        }
        func sum(_ fields: [FieldFeature]) -> Value? {
            fields.dropFirst().reduce(fields.first.map(encoded)) { sum, field in sum.map { $0 + encoded(field) } }
        }
        let graph = θ["head.bias"].graph
        let item = sum(items) ?? graph.constant(0, shape: Shape(rows, .fixed(tokens + 1)))
        let token = item.slice(columns: 0..<tokens)
        return Representation(
            features: token.slice(columns: 0..<features), tokens: token,
            offset: item.slice(columns: tokens..<tokens + 1),
            known: items.first { $0.schema.name == ContentEncoder.id }?.known(θ), user: sum(users))
    }

    /// The id's, and of what else only items with an id have.
    public func dropout(items: [FieldSchema]) -> FieldDropout? {
        guard items.contains(where: { $0.name == ContentEncoder.id && $0.isEmbedded }) else { return nil }
        let fields = items.indices.filter {
            items[$0].name == ContentEncoder.id || items[$0].name.hasPrefix(ContentEncoder.id + ".")
        }
        return FieldDropout(
            fields: fields, rate: dropout.rate, highShare: dropout.highShare, highRate: dropout.highRate)
    }
}
