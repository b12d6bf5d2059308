import Graph
public import Kernels

/// Bounds on the outer gradient g: first each element to −value ... value, then g ← g · min(1, norm / ‖g‖₂), where
/// ‖g‖₂ is over all parameters together.
public struct GradientClipping: Hashable, Sendable {
    /// Bound on the norm over all parameters.
    public let norm: Double?
    /// Bound on each element.
    public let value: Double?

    /// No bound where nil. Errors: a bound that is not positive.
    public init(norm: Double? = nil, value: Double? = nil) throws {
        for (name, bound) in [("clip_norm", norm), ("clip_value", value)] {
            guard let bound, !(bound.isFinite && bound > 0) else { continue }
            throw MetarecError.value("\(name): \(bound), wanted a positive number")
        }
        self.norm = norm
        self.value = value
    }

    /// Clips `gradients` in place, and returns the norm before the second bound.
    ///
    /// A norm that is not finite is returned and nothing is scaled: the caller decides what to do with such a step.
    @discardableResult
    public func apply(to gradients: [ParameterGradient], _ precision: Precision) -> Double {
        let kernels = precision.kernels.pointee
        if let value {
            for (pointer, count) in gradients.lazy.map(\.elements) {
                kernels.clamp(Int64(count), -value, value, pointer)
            }
        }
        let length = GradientClipping.norm(of: gradients, precision)
        if let norm, length.isFinite, length > norm {
            for (pointer, count) in gradients.lazy.map(\.elements) {
                kernels.scale(Int64(count), norm / length, pointer)
            }
        }
        return length
    }

    /// ‖g‖₂ over all gradients together, summed in double and in their order.
    public static func norm(of gradients: [ParameterGradient], _ precision: Precision) -> Double {
        var sum = 0.0
        for (pointer, count) in gradients.lazy.map(\.elements) {
            sum += precision.kernels.pointee.sum_of_squares(Int64(count), pointer)
        }
        return sum.squareRoot()
    }
}
