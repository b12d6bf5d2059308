import Graph
import Kernels

/// Stochastic gradient descent: x ← x − η g.
public struct SGD: Optimizer {
    /// η.
    public let learningRate: Double
    private let schedule: any Schedule

    /// Errors: a learning rate that is not finite and positive.
    public init(learningRate: Double, schedule: any Schedule = Constant()) throws {
        guard learningRate.isFinite, learningRate > 0 else {
            throw MetarecError.value("lr: \(learningRate), wanted a positive number")
        }
        self.learningRate = learningRate
        self.schedule = schedule
    }

    /// "sgd".
    public var name: String { "sgd" }
    /// None.
    public var stateNames: [String] { [] }
    /// η, as the schedule has it.
    public func learningRate(at step: Int) -> Double { learningRate * schedule.factor(at: step) }

    /// η.
    public func numbers(of step: Int) -> StepNumbers { StepNumbers(repeating: learningRate(at: step)) }

    /// x ← x − η g; without a gradient nothing moves.
    public func advance(
        _ parameter: Parameter, _ elements: Range<Int>, through steps: Steps, gradient: UnsafeRawPointer?
    ) {
        guard let gradient else { return }
        let x = parameter.address(of: elements.lowerBound, in: parameter.values)
        parameter.precision.kernels.pointee.axpy(Int64(elements.count), -steps.numbers[steps.count - 1].x, gradient, x)
    }
}
