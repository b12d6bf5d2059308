/// The gradient of a scalar with respect to some values, as further nodes of the same graph.
///
/// Reverse accumulation: with `v` running backwards from the loss, `adjoint(operand) += adjoint(v) * dv/d(operand)`.
/// The result is a graph like any other, so gradients of gradients are the same call again, exact to any order.
/// A value that the loss does not depend on has gradient zero.
///
/// - Parameters:
///   - loss: a `[1, 1]` value.
///   - values: what to differentiate with respect to.
/// - Returns: one value per element of `values`, of its shape.
/// - Complexity: O(nodes of the graph).
public func gradients(of loss: Value, with values: [Value]) -> [Value] {
    let graph = loss.graph
    var depends = [Bool](repeating: false, count: loss.id + 1)
    for value in values where value.id <= loss.id { depends[value.id] = true }
    for id in depends.indices where graph.nodes[id].operands.contains(where: { depends[$0] }) { depends[id] = true }

    var adjoints: [Int: Value] = [loss.id: graph.constant(1, shape: loss.shape)]
    for id in depends.indices.reversed() where depends[id] {
        guard let gradient = adjoints[id] else { continue }
        let value = Value(graph: graph, id: id)
        let operands = value.operands
        for (index, operand) in operands.enumerated() where depends[operand.id] {
            let term = value.operation.adjoint(of: index, operands: operands, value: value, gradient: gradient)
            guard let term else { continue }
            adjoints[operand.id] = adjoints[operand.id].map { $0 + term } ?? term
        }
    }
    return values.map { adjoints[$0.id] ?? graph.constant(0, shape: $0.shape) }
}
