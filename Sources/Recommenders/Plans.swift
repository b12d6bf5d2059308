import Graph
import MetaLearning

/// The four programs of a learner, compiled from one model.
struct Plans {
    /// Outputs: the meta-loss, then the gradient of every parameter.
    let training: Plan
    /// Outputs: predictions of the query after adaptation.
    let prediction: Plan
    /// Outputs: every adapted parameter after the inner loop, then the support losses.
    let adaptation: Plan
    /// Outputs: predictions of the query with the parameters as they are.
    let scoring: Plan

    init(_ model: Model) throws {
        func compile(_ outputs: (Model.Trace) -> [Value]) throws -> Plan { try Plan(outputs(model.trace())) }
        training = try compile { trace in
            let objective = model.algorithm.metaObjective(trace.task)
            return [objective.loss] + objective.gradients
        }
        prediction = try compile { [$0.predictions(model.algorithm.adapt($0.task).parameters)] }
        adaptation = try compile { trace in
            let result = model.algorithm.adapt(trace.task)
            return result.parameters[trace.task.adapted] + result.losses
        }
        scoring = try compile { [$0.predictions($0.task.θ)] }
    }
}
