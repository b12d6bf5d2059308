/// What a node computes from its operands. One file each in `Operations/`: shape, derivative and value together.
///
/// A derivative rule builds nodes and never calls kernels, so a derivative is a graph like any other and can be
/// differentiated again.
public protocol Operation: Hashable, Sendable {
    /// The shape of the result. Throws where the operands do not fit.
    func shape(of operands: [Shape]) throws(MetarecError) -> Shape

    /// The adjoint of operand number `index`: `gradient * d(value) / d(operand)`, of the operand's shape.
    /// Nil where the value does not depend on it differentiably.
    func adjoint(of index: Int, operands: [Value], value: Value, gradient: Value) -> Value?

    /// The instruction that computes the value.
    func lower(_ node: Int, in lowering: Lowering)

    /// The same value, simpler, for operands that are simplified already; nil where there is nothing to gain.
    func simplified(_ operands: [Value], in graph: Graph) -> Value?
}

extension Operation {
    /// Nothing to gain.
    public func simplified(_ operands: [Value], in graph: Graph) -> Value? { nil }

    func same(as other: any Operation) -> Bool { (other as? Self) == self }
}
