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
    public func apply(to gradients: [ParameterGradient], _ precision: Precision, _ team: Team = .alone) throws -> Double
    {
        let kernels = precision.kernels.pointee
        if let value {
            try GradientClipping.forEachPiece(of: gradients, precision, team) { _, pointer, count in
                kernels.clamp(Int64(count), -value, value, pointer)
            }
        }
        let length = try GradientClipping.norm(of: gradients, precision, team)
        if let norm, length.isFinite, length > norm {
            try GradientClipping.forEachPiece(of: gradients, precision, team) { _, pointer, count in
                kernels.scale(Int64(count), norm / length, pointer)
            }
        }
        return length
    }

    /// ‖g‖₂ over all gradients together, summed in double, piece by piece and then in their order.
    public static func norm(of gradients: [ParameterGradient], _ precision: Precision, _ team: Team = .alone) throws
        -> Double
    {
        let squares = precision.kernels.pointee.sum_of_squares
        var sums = [Double](repeating: 0, count: ParameterGradient.pieces(of: gradients).count)
        try sums.withUnsafeMutableBufferPointer { sums in
            nonisolated(unsafe) let sums = sums
            try GradientClipping.forEachPiece(of: gradients, precision, team) { index, pointer, count in
                sums[index] = squares(Int64(count), pointer)
            }
        }
        return sums.reduce(0, +).squareRoot()
    }

    private static func forEachPiece(
        of gradients: [ParameterGradient], _ precision: Precision, _ team: Team,
        _ body: (_ index: Int, _ pointer: UnsafeMutableRawPointer, _ count: Int) -> Void
    ) throws {
        let pieces = ParameterGradient.pieces(of: gradients)
        try team.parallel(count: pieces.count) { index, _, _ in
            let elements = pieces[index].elements
            let start = gradients[pieces[index].gradient].elements.pointer
            body(index, start + elements.lowerBound * precision.elementSize, elements.count)
        }
    }
}
