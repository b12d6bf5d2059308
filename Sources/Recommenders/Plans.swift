import Graph
import MetaLearning

/// The programs of a learner that run over tasks, compiled from one model.
struct Plans {
    /// Outputs: the meta-loss, then the gradient of every parameter.
    let training: Plan
    /// Outputs: predictions of the query after adaptation.
    let prediction: Plan
    /// Outputs: the distribution of the query over the loss's levels, after adaptation; nil where it has none.
    let distribution: Plan?
    /// Outputs: every adapted parameter after the inner loop.
    let adaptation: Plan
    /// Outputs: the support loss before and after each inner step.
    let supportLosses: Plan

    init(_ model: Model) throws {
        func compile(_ outputs: (Model.Trace) -> [Value]) throws -> Plan {
            try Plan(outputs(model.trace()), expecting: model.tableRows)
        }
        let objective = model.algorithm.metaObjective(model.trace(training: true).task)
        let layers = model.specs.indices.filter { !model.specs[$0].isTable }
        training = try Plan(
            [objective.loss] + objective.gradients, summed: Set(layers.map { 1 + $0 }), expecting: model.tableRows)
        prediction = try compile { trace in
            let output = model.algorithm.output(trace.task)
            return [trace.predictions(output, trace.task.θ)]
        }
        distribution =
            model.loss.levels.isEmpty
            ? nil
            : try compile { trace in
                let output = model.algorithm.output(trace.task)
                return [trace.distribution(output, trace.task.θ)].compactMap { $0 }
            }
        adaptation = try compile { model.algorithm.adapt($0.task).parameters[$0.task.adapted] }
        supportLosses = try compile { model.algorithm.adapt($0.task).losses }
    }
}
