import Graph
import Kernels

/// The stages of adapting and scoring, ready to run.
final class StageExecutors {
    let plans: Stages
    let user: Executor
    /// What they share with others; nil where there is no item stage.
    let items: ItemStage?
    /// Which of its values the scores read.
    let itemReads: [Int]
    private(set) var scores: [Score: Executor] = [:]
    private let model: Model
    private let precision: Precision

    init(_ plans: Stages, _ items: ItemStage?, reads: [Int], _ model: Model, _ precision: Precision) {
        self.plans = plans
        self.items = reads.isEmpty ? nil : items
        itemReads = reads
        self.model = model
        self.precision = precision
        user = Executor(plans.user, precision, model.stageInterface())
    }

    /// The last stage. Errors: the model has no such score.
    func scores(_ score: Score) throws -> Executor {
        if let known = scores[score] { return known }
        guard let plan = try plans.plan(of: score) else {
            throw MetarecError.state("score: this model says no \(score) of an item")
        }
        let interface = model.stageInterface(reads: plans.userValueCount + itemReads.count)
        let executor = Executor(plan, precision, interface)
        scores[score] = executor
        return executor
    }
}
