import CMetarec
import Graph
import Kernels

/// Adam (Kingma and Ba, ICLR 2015), for step t, gradient g and every element on its own:
///
///     m ← β₁ m + (1 − β₁) g
///     v ← β₂ v + (1 − β₂) g²
///     x ← x − η (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε)
///
/// An element with momentum moves without a gradient too. Rows of a table get those moves when they are next looked
/// at (`catchUp`), each with the corrections and the rate of its own step: the bits are those of the dense update.
public struct Adam: Optimizer {
    /// η, the largest rate of any step.
    public let learningRate: Double
    /// Decay of the mean m.
    public let beta1: Double
    /// Decay of the mean square v.
    public let beta2: Double
    /// Added to the root, so that it can divide.
    public let epsilon: Double
    private let schedule: any Schedule
    private let powers1: PowerTable
    private let powers2: PowerTable

    /// Errors: a learning rate that is not positive, a decay outside 0 ..< 1, an epsilon below 1e-30 (it must not
    /// vanish in single precision).
    public init(
        learningRate: Double, beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8,
        schedule: any Schedule = Constant()
    ) throws {
        guard learningRate.isFinite, learningRate > 0 else {
            throw MetarecError.value("lr: \(learningRate), wanted a positive number")
        }
        for (name, beta) in [("beta1", beta1), ("beta2", beta2)] where !(0..<1).contains(beta) {
            throw MetarecError.value("\(name): \(beta), wanted 0 <= \(name) < 1")
        }
        guard epsilon.isFinite, epsilon >= 1e-30 else {
            throw MetarecError.value("epsilon: \(epsilon), wanted at least 1e-30")
        }
        self.learningRate = learningRate
        self.schedule = schedule
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        powers1 = PowerTable(beta1)
        powers2 = PowerTable(beta2)
    }

    /// "adam".
    public var name: String { "adam" }
    /// The means m and v.
    public var stateNames: [String] { ["m", "v"] }
    /// η, as the schedule has it.
    public func learningRate(at step: Int) -> Double { learningRate * schedule.factor(at: step) }

    /// The three equations above.
    public func update(_ parameter: Parameter, _ elements: Range<Int>, gradient: UnsafeRawPointer, step: Int) {
        apply(parameter, elements, gradient: gradient, step: step)
    }

    /// 1 − β₁ᵗ.
    func correction1(at step: Int) -> Double { 1 - powers1[step] }

    /// One step; without a gradient, g = 0.
    func apply(_ parameter: Parameter, _ elements: Range<Int>, gradient: UnsafeRawPointer?, step: Int) {
        var options = mr_adam(
            learning_rate: learningRate(at: step), beta1: beta1, beta2: beta2, epsilon: epsilon,
            correction1: correction1(at: step), correction2: 1 - powers2[step])
        let first = elements.lowerBound
        parameter.precision.kernels.pointee.adam(
            Int64(elements.count), &options, parameter.address(of: first, in: parameter.values),
            parameter.address(of: first, in: parameter.state[0]),
            parameter.address(of: first, in: parameter.state[1]), gradient)
    }
}
