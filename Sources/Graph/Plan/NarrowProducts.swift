/// Computes only those columns of products, of their sums and of matrices side by side that somebody reads: of the
/// gradient with respect to `[items | user]` the user's columns are needed summed over rows alone, and that is a cheaper
/// product of its own.
func narrowProducts(_ outputs: [Value], _ rewrites: [Rewrite]) -> [Value] {
    let read = readColumns(outputs)
    return rebuild(outputs, in: Graph(simplifying: rewrites)) { node, id, operands in
        guard let range = read[id], let width = node.shape.columns.fixedValue, !range.isEmpty, range.count < width
        else { return nil }
        let narrow: Value
        if let product = node.operation as? MatMul {
            let b = product.transposeB ? operands[1].slice(rows: range) : operands[1].slice(columns: range)
            narrow = operands[0].matmul(b, transposed: product.transposeA, product.transposeB)
        } else if node.operation is Concatenate {
            narrow = concatenate(sliced(operands, range))
        } else {
            narrow = operands[0].graph.append(node.operation, operands.map { $0.slice(columns: range) })
        }
        func zeros(_ count: Int) -> [Value] {
            count == 0 ? [] : [narrow.graph.constant(0, shape: Shape(narrow.shape.rows, .fixed(count)))]
        }
        // Readers slice within `range`, and a slice of a concatenation is a slice of its part.
        return concatenate(zeros(range.lowerBound) + [narrow] + zeros(width - range.upperBound))
    }
}

/// Some columns of matrices side by side.
private func sliced(_ parts: [Value], _ range: Range<Int>) -> [Value] {
    var start = 0
    return parts.compactMap { part in
        let columns = range.clamped(to: start..<start + (part.shape.columns.fixedValue ?? 0))
        defer { start += part.shape.columns.fixedValue ?? 0 }
        return columns.isEmpty ? nil : part.slice(columns: columns.lowerBound - start..<columns.upperBound - start)
    }
}

/// For products, sums of products and concatenations: the columns that their readers look at, as one range.
private func readColumns(_ outputs: [Value]) -> [Int: Range<Int>] {
    guard let graph = outputs.first?.graph else { return [:] }
    func passesOn(_ node: Graph.Node) -> Bool {
        let isSum =
            node.operation as? Binary == .add || node.operation as? Binary == .subtract || node.operation is Scale
        return isSum && node.operands.allSatisfy { graph.nodes[$0].shape == node.shape }
    }
    var read: [Int: Range<Int>] = [:]
    for output in outputs { read[output.id] = 0..<(output.shape.columns.fixedValue ?? 0) }
    for id in reachable(from: outputs).reversed() {
        let node = graph.nodes[id]
        for operand in node.operands {
            guard let width = graph.nodes[operand].shape.columns.fixedValue else { continue }
            let range = (node.operation as? Slice)?.columns ?? (passesOn(node) ? read[id] : nil) ?? 0..<width
            let known = read[operand] ?? range
            read[operand] = min(known.lowerBound, range.lowerBound)..<max(known.upperBound, range.upperBound)
        }
    }
    return read.filter {
        let node = graph.nodes[$0.key]
        return node.operation is MatMul || node.operation is Concatenate || passesOn(node)
    }
}
