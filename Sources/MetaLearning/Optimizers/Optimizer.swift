/// A rule that turns the gradient of the outer loss into a change of the parameters.
///
/// Element-wise: an element's new value depends on its own value, state and gradient, and on the step's number, so
/// that a table's rows may be updated one by one and at different times.
public protocol Optimizer: Sendable {
    /// Its name in options and saved models, for example "adam".
    var name: String { get }
    /// What it keeps for each element between steps, for example ["m", "v"]. Starts at zero.
    var stateNames: [String] { get }
    /// The rate of step number `step`; the first step is 1.
    func learningRate(at step: Int) -> Double
    /// What `advance` needs to know of a step, the same for all elements.
    func numbers(of step: Int) -> StepNumbers
    /// Takes `elements` of a parameter through steps in which their gradient is zero, except in the last, where it is
    /// `gradient`, if there is one: the bits of one call for each step.
    func advance(
        _ parameter: Parameter, _ elements: Range<Int>, through steps: Steps, gradient: UnsafeRawPointer?)
}

/// Four numbers that an optimizer derives from the number of a step.
public typealias StepNumbers = SIMD4<Double>

/// Consecutive outer steps.
public struct Steps {
    /// How many, at least one.
    public let count: Int
    /// Each one's numbers.
    public let numbers: UnsafePointer<StepNumbers>
}
