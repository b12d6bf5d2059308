/// Replaces `A Bᵀ` by `A (Bᵀ)` with a transpose node of its own, so that products with the same `B` share it and a
/// parameter's transpose moves into the prologue. Vectors stay: their transpose is a view.
func packTransposes(_ outputs: [Value]) -> [Value] {
    guard let source = outputs.first?.graph else { return [] }
    let target = Graph()
    var copies: [Int: Value] = [:]
    for id in reachable(from: outputs) {
        let node = source.nodes[id]
        let operands = node.operands.compactMap { copies[$0] }
        if let product = node.operation as? MatMul, product.transposeB {
            let packed = target.append(MatMul(transposeA: product.transposeA), [operands[0], operands[1].transposed])
            copies[id] = packed
        } else {
            copies[id] = target.append(node.operation, operands)
        }
    }
    return outputs.compactMap { copies[$0.id] }
}
