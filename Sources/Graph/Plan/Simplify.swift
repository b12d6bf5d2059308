/// Rebuilds the part of a graph that `outputs` need, simplified: dead nodes go, equal nodes merge, constants fold,
/// factors float out of linear operations, stopped gradients open up. The rules are the operations' own, then those of
/// `rewrites`; `narrowProducts` and `productsByValue` follow, and after each once more what it makes possible.
///
/// Only finished graphs may be simplified; see `Graph.init(simplifying:)`.
func simplify(
    _ outputs: [Value], _ rewrites: [Rewrite] = Rewrite.allCases, _ expected: [Symbol: Int] = [:]
) -> [Value] {
    let others = rewrites.filter { $0 != .upperGram }
    let plain = byRow(outputs, others)
    guard rewrites.contains(.upperGram) else { return byValue(plain, expected, others) }
    // Whether a product that becomes several is spared shows only as a whole. Those are narrow, at half the speed of
    // others: so not for little.
    let upper = byRow(outputs, rewrites)
    return Double(nominalMultiplyAdds(upper)) < 0.95 * Double(nominalMultiplyAdds(plain))
        ? byValue(upper, expected, rewrites) : byValue(plain, expected, others)
}

private func byRow(_ outputs: [Value], _ rewrites: [Rewrite]) -> [Value] {
    narrowed(fixedPoint(outputs, rewrites), rewrites)
}

private func byValue(_ outputs: [Value], _ expected: [Symbol: Int], _ rewrites: [Rewrite]) -> [Value] {
    let products = rewrites.contains(.byValue) ? productsByValue(outputs, expected, rewrites) : nil
    return rebuild(products.map { narrowed($0, rewrites) } ?? outputs, in: Graph())
}

private func narrowed(_ outputs: [Value], _ rewrites: [Rewrite]) -> [Value] {
    fixedPoint(rewrites.contains(.narrowing) ? narrowProducts(outputs, rewrites) : outputs, rewrites)
}

/// Each pass can enable the next; a handful reaches the fixed point.
private func fixedPoint(_ outputs: [Value], _ rewrites: [Rewrite]) -> [Value] {
    var outputs = outputs
    var count = Int.max
    for _ in 0..<8 {
        outputs = rebuild(outputs, in: Graph(simplifying: rewrites))
        let reached = reachable(from: outputs).count
        if reached == count { break }
        count = reached
    }
    return outputs
}

/// Copies what `outputs` need to another graph. `replace` may give another value for a node, of its copied operands.
func rebuild(
    _ outputs: [Value], in target: Graph,
    replace: (_ node: Graph.Node, _ id: Int, _ operands: [Value]) -> Value? = { _, _, _ in nil }
) -> [Value] {
    guard let source = outputs.first?.graph else { return [] }
    var copies: [Int: Value] = [:]
    for id in reachable(from: outputs) {
        let node = source.nodes[id]
        let operands = node.operands.compactMap { copies[$0] }
        copies[id] = replace(node, id, operands) ?? target.append(node.operation, operands)
    }
    return outputs.compactMap { copies[$0.id] }
}

extension Graph {
    /// Several computations in one graph: what they have in common, such as an equal output, is one node of it.
    public static func merging(_ computations: [[Value]]) -> [[Value]] {
        let graph = Graph()
        return computations.map { rebuild($0, in: graph) }
    }
}

/// The nodes that `outputs` need, operands before users.
func reachable(from outputs: [Value]) -> [Int] {
    guard let graph = outputs.first?.graph else { return [] }
    var needed = [Bool](repeating: false, count: graph.nodes.count)
    for output in outputs { needed[output.id] = true }
    for id in needed.indices.reversed() where needed[id] {
        for operand in graph.nodes[id].operands { needed[operand] = true }
    }
    return needed.indices.filter { needed[$0] }
}
