import Graph
import MetaLearning

/// The programs of a learner that run over tasks, compiled from one model.
struct Plans {
    /// Outputs: the meta-loss, then the gradient of every parameter.
    let training: Plan
    /// Outputs: predictions of the query after adaptation.
    let prediction: Plan
    /// Outputs: every adapted parameter after the inner loop.
    let adaptation: Plan
    /// Outputs: the support loss before and after each inner step.
    let supportLosses: Plan

    init(_ model: Model) throws {
        func compile(_ outputs: (Model.Trace) -> [Value]) throws -> Plan { try Plan(outputs(model.trace())) }
        training = try compile { trace in
            let objective = model.algorithm.metaObjective(trace.task)
            return [objective.loss] + objective.gradients
        }
        prediction = try compile { [$0.predictions(model.algorithm.adapt($0.task).parameters)] }
        adaptation = try compile { model.algorithm.adapt($0.task).parameters[$0.task.adapted] }
        supportLosses = try compile { model.algorithm.adapt($0.task).losses }
    }
}
