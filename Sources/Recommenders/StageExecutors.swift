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
    private(set) var scores: [Score: ScoreStage] = [:]
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
    func scores(_ score: Score) throws -> ScoreStage {
        if let known = scores[score] { return known }
        guard let plan = try plans.plan(of: score) else {
            throw MetarecError.state("score: this model says no \(score) of an item")
        }
        let interface = model.stageInterface(reads: plans.userValueCount + itemReads.count)
        let tables = model.tables.indices.filter { plan.reads(input: model.candidateTableInput($0)) }
        let stage = ScoreStage(executor: Executor(plan, precision, interface), tables: tables)
        scores[score] = stage
        return stage
    }
}

/// What is left once user and items have been represented, ready to run.
struct ScoreStage {
    let executor: Executor
    /// The tables of items in which it looks up candidates itself: those of few values, by which it multiplies.
    let tables: [Int]
}
