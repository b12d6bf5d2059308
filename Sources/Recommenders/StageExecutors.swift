import Graph
import Kernels

/// The stages of adapting and scoring, ready to run, and what the item stage has given so far.
final class StageExecutors {
    let plans: Stages
    let user: Executor
    let items: Executor?
    private(set) var scores: [Score: Executor] = [:]
    private let interface: Executor.Interface
    private let precision: Precision
    private var catalogue: Catalogue?

    init(_ plans: Stages, _ model: Model, _ precision: Precision) {
        self.plans = plans
        self.precision = precision
        let interface = plans.interface(model)
        self.interface = interface
        user = Executor(plans.user, precision, interface)
        items = plans.items.map { Executor($0, precision, interface) }
    }

    /// The last stage. Errors: the model has no such score.
    func scores(_ score: Score) throws -> Executor {
        if let known = scores[score] { return known }
        guard let plan = try plans.plan(of: score) else {
            throw MetarecError.state("score: this model says no \(score) of an item")
        }
        let executor = Executor(plan, precision, interface)
        scores[score] = executor
        return executor
    }

    /// The item stage's values for `items`, those of other parameters forgotten; nil for a table that is too large.
    func catalogue(_ items: FeatureTable, _ version: Learner.Version) -> Catalogue? {
        if catalogue?.items !== items {
            catalogue = Catalogue(items, columns: plans.itemColumns, precision)
        }
        catalogue?.update(to: version)
        return catalogue
    }
}
