/// The components of this layer that users choose by name.
public enum Registry {
    /// The meta-algorithms.
    public static let algorithms: [any MetaAlgorithm.Type] = [
        MAML.self, ANIL.self, MetaSGD.self, Reptile.self, JointTraining.self, Ridge.self, BayesianLinear.self,
    ]
}
