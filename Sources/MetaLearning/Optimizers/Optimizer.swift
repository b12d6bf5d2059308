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
    /// Updates `elements` of a parameter; `gradient` holds theirs only.
    func update(_ parameter: Parameter, _ elements: Range<Int>, gradient: UnsafeRawPointer, step: Int)
    /// Gives `elements` the very bits that an update with a gradient of zeros in each of the `missed` steps gives them.
    func catchUp(_ parameter: Parameter, _ elements: Range<Int>, missed: ClosedRange<Int>)
}
