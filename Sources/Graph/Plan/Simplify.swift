/// Rebuilds the part of a graph that `outputs` need, simplified: dead nodes go, equal nodes merge, constants fold,
/// factors float out of linear operations, stopped gradients open up. The rules are the operations' own, then those of
/// `rewrites`; `narrowProducts` follows, and once more what it makes possible.
///
/// Only finished graphs may be simplified; see `Graph.init(simplifying:)`.
func simplify(_ outputs: [Value], _ rewrites: [Rewrite] = Rewrite.allCases) -> [Value] {
    let plain = simplified(outputs, rewrites.filter { $0 != .upperGram })
    guard rewrites.contains(.upperGram) else { return plain }
    // Whether a product that becomes several is spared shows only as a whole. Those are narrow, at half the speed of
    // others: so not for little.
    let upper = simplified(outputs, rewrites)
    return Double(nominalMultiplyAdds(upper)) < 0.95 * Double(nominalMultiplyAdds(plain)) ? upper : plain
}

private func simplified(_ outputs: [Value], _ rewrites: [Rewrite]) -> [Value] {
    var outputs = fixedPoint(outputs, rewrites)
    if rewrites.contains(.narrowing) { outputs = fixedPoint(narrowProducts(outputs, rewrites), rewrites) }
    return rebuild(outputs, in: Graph())
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
