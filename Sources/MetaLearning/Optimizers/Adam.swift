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
/// at, each with the corrections and the rate of its own step: the bits are those of the dense update.
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
    private let restAbove: (float: Double, double: Double)
    /// A smaller ε would vanish in single precision.
    static let smallestEpsilon = 1e-30

    /// Errors: a learning rate that is not positive, a decay outside 0 ..< 1, an epsilon below 1e-30.
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
        guard epsilon.isFinite, epsilon >= Adam.smallestEpsilon else {
            throw MetarecError.value("epsilon: \(epsilon), wanted at least \(Adam.smallestEpsilon)")
        }
        self.learningRate = learningRate
        self.schedule = schedule
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        powers1 = PowerTable(beta1)
        powers2 = PowerTable(beta2)
        restAbove = Adam.restAbove(learningRate, beta1, epsilon)
    }

    /// "adam".
    public var name: String { "adam" }
    /// The means m and v.
    public var stateNames: [String] { ["m", "v"] }
    /// η, as the schedule has it.
    public func learningRate(at step: Int) -> Double { learningRate * schedule.factor(at: step) }

    /// η / (1 − β₁ᵗ), 1 / (1 − β₂ᵗ), the largest that the first can still be, with room for rounding, and 1 where moves
    /// shrink from this step on.
    public func numbers(of step: Int) -> StepNumbers {
        let correction1 = 1 - powers1[step]
        return StepNumbers(
            learningRate(at: step) / correction1, 1 / (1 - powers2[step]), 1.001 * learningRate / correction1,
            movesShrink(after: step) ? 1 : 0)
    }

    /// The three equations, once for each step.
    public func advance(
        _ parameter: Parameter, _ elements: Range<Int>, through steps: Steps, gradient: UnsafeRawPointer?
    ) {
        let isFloat = parameter.precision == .float
        let first = elements.lowerBound
        steps.numbers.withMemoryRebound(to: Double.self, capacity: 4 * steps.count) { numbers in
            var options = mr_adam(
                beta1: beta1, beta2: beta2, epsilon: epsilon, steps: numbers,
                missed: Int64(gradient == nil ? steps.count : steps.count - 1),
                rest_above: isFloat ? restAbove.float : restAbove.double)
            parameter.precision.kernels.pointee.adam(
                Int64(elements.count), &options, parameter.address(of: first, in: parameter.values),
                parameter.address(of: first, in: parameter.state[0]),
                parameter.address(of: first, in: parameter.state[1]), gradient)
        }
    }

    /// Whether m / √(v / (1 − β₂ᵗ)) shrinks from step `step` on, with a gradient of zero.
    ///
    /// m shrinks by β₁. The root shrinks by √(β₂ (1 − β₂ᵗ) / (1 − β₂ᵗ⁺¹)), which grows with t: so this step decides for
    /// all later ones. A v so small that it is rounded coarsely must not show beside ε.
    private func movesShrink(after step: Int) -> Bool {
        guard epsilon >= 1e-12 else { return false }
        let root = beta2 * (1 - powers2[step]) / (1 - powers2[step + 1])
        return beta1 * beta1 < 0.999 * root
    }

    /// Rounding stops the decay of m at about 1 / (1 − β₁) of the smallest numbers. It takes an |x| of at least 2⁵⁴ (2²⁵)
    /// times the move by such an m, which is at most η m / ((1 − β₁) ε), not to be changed by it.
    private static func restAbove(_ learningRate: Double, _ beta1: Double, _ epsilon: Double) -> (
        float: Double, double: Double
    ) {
        let move = learningRate / ((1 - beta1) * (1 - beta1) * epsilon)
        return (
            max(Double(Float.leastNormalMagnitude), 0x1p26 * move * Double(Float.leastNonzeroMagnitude)),
            max(Double.leastNormalMagnitude, 0x1p55 * move * Double.leastNonzeroMagnitude)
        )
    }
}
