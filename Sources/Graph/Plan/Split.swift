/// A computation in two parts: what can be computed before some inputs are known, and the rest.
///
/// An adapted model is such a first part. What it hands over is found, not declared: of a graph that adapts and
/// predicts, the values that no item to be predicted enters and that a prediction reads.
public struct Split {
    /// The values kept, then those that the late part reads; of one graph.
    public let early: [Value]
    /// The outputs, computed from an input for each of the early values that they read, numbered on from `firstInput`.
    public let late: [Value]

    /// Splits the finished computation of `outputs`.
    ///
    /// - Parameters:
    ///   - kept: further values of the graph, to be computed early. They must not depend on what is late.
    ///   - symbols: sizes that are known late. What has such a size is late, and all that depends on it.
    ///   - inputs: further inputs that are known late.
    ///   - common: inputs that the late part reads where they are, such as tables that are looked up in.
    ///   - expected: what is known of sizes, as of a `Plan`.
    ///   - firstInput: the number of the first input of the late part.
    ///   - leftOut: rewrites that are not done. Without `gram` and `factoring` the late part reads an adapted weight, with
    ///     them its factors.
    /// - Throws: the first misfit of shapes met while the graph was traced.
    public init(
        _ outputs: [Value], keeping kept: [Value] = [], late symbols: Set<Symbol>, inputs: Range<Int> = 0..<0,
        common: Set<Int> = [], firstInput: Int, expecting expected: [Symbol: Int] = [:],
        without leftOut: Set<Rewrite> = []
    ) throws(MetarecError) {
        if let error = outputs.lazy.compactMap(\.graph.error).first { throw error }
        let finished = try simplify(
            kept + outputs, Rewrite.standard.get().filter { $0 != .upperGram && !leftOut.contains($0) }, expected)
        let (kept, outputs) = (Array(finished[..<kept.count]), Array(finished[kept.count...]))
        let frontier = Split.frontier(of: outputs, symbols, inputs, common)
        early = kept + frontier

        let target = Graph()
        var places: [Int: Value] = [:]
        for (number, value) in frontier.enumerated() {
            places[value.id] = target.input(firstInput + number, value.shape)
        }
        late = rebuild(outputs, in: target) { _, id, _ in places[id] }
    }

    /// What is early, is not made of parameters alone nor common, and is read by something late or is an output.
    private static func frontier(
        of outputs: [Value], _ symbols: Set<Symbol>, _ inputs: Range<Int>, _ common: Set<Int>
    ) -> [Value] {
        guard let graph = outputs.first?.graph else { return [] }
        var (isLate, isShared) = (Set<Int>(), Set<Int>())
        let order = reachable(from: outputs)
        for id in order {
            let node = graph.nodes[id]
            let sizes = node.symbols
            let input = (node.operation as? Input)?.number
            if let input, common.contains(input) {
                isShared.insert(id)
            } else if node.operands.contains(where: isLate.contains) || !symbols.isDisjoint(with: sizes)
                || input.map(inputs.contains) == true
            {
                isLate.insert(id)
            } else if input == nil, sizes.isEmpty, !(node.operation is Bag),
                node.operands.allSatisfy(isShared.contains)
            {
                isShared.insert(id)
            }
        }
        var read = Set(outputs.map(\.id))
        for id in isLate { read.formUnion(graph.nodes[id].operands) }
        return order.filter { read.contains($0) && !isLate.contains($0) && !isShared.contains($0) }
            .map { Value(graph: graph, id: $0) }
    }
}

extension Graph.Node {
    /// The sizes of tasks that the node's shape and factor depend on.
    fileprivate var symbols: [Symbol] {
        let coefficient = (operation as? Constant)?.coefficient ?? (operation as? any ChainOperation)?.coefficient
        let sizes = [shape.rows, shape.columns].compactMap { dimension -> Symbol? in
            if case .symbol(let symbol) = dimension { symbol } else { nil }
        }
        return sizes + (coefficient?.numerator ?? []) + (coefficient?.denominator ?? [])
    }
}
