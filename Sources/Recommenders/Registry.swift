import MetaLearning

/// The components of this layer that users choose by name.
extension Registry {
    /// The backbones.
    public static let backbones: [any Backbone.Type] = [FeatureMLP.self, ContentEncoder.self]
    /// The losses.
    public static let losses: [any Loss.Type] = [
        SquaredError.self, Logistic.self, Softmax.self, BPR.self, Gaussian.self, Ordinal.self,
    ]

    /// All components as JSON, from which Python makes its classes.
    public static var json: String {
        func list(_ schemas: [ComponentSchema]) -> String { "[" + schemas.map(\.json).joined(separator: ",") + "]" }
        return "{\"algorithm\":\(list(algorithms.map { $0.schema })),\"backbone\":\(list(backbones.map { $0.schema })),"
            + "\"loss\":\(list(losses.map { $0.schema })),\"optimizer\":\(list(optimizers.map { $0.schema })),"
            + "\"schedule\":\(list(schedules.map { $0.schema })),"
            + "\"learner\":\(list([Learner.schema]))}"
    }
}
