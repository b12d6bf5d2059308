/// Replaces `A Bᵀ` by `A (Bᵀ)` with a transpose node of its own, so that products with the same `B` share it and a
/// parameter's transpose moves into the prologue. Vectors stay: their transpose is a view.
func packTransposes(_ outputs: [Value]) -> [Value] {
    let target = Graph()
    return rebuild(outputs, in: target) { node, _, operands in
        guard let product = node.operation as? MatMul, product.transposeB else { return nil }
        return target.append(MatMul(transposeA: product.transposeA), [operands[0], operands[1].transposed])
    }
}
