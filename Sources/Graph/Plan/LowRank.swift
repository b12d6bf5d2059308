/// Products with an adapted weight. After inner steps a first layer's weight is `W - α Xᵀ G`, with few rows in X and G:
///
///     A (W - α Xᵀ G)   = A W - α (A Xᵀ) G
///     A (W - α Xᵀ G)ᵀ  = A Wᵀ - α (A Gᵀ) X
///
/// `A W` and the Gram matrix `A Xᵀ` are the same in every step and computed once; the adapted weight is never formed.
///
/// - Returns: the same value in a cheaper form, nil where there is none.
func exploitLowRank(_ operation: any Operation, _ operands: [Value]) -> Value? {
    guard let product = operation as? MatMul else { return nil }
    return canonicalGram(product, operands[0], operands[1]) ?? distributed(product, operands[0], operands[1])
}

/// `A Bᵀ` and `B Aᵀ` of two matrices with a row for each of a task's rows are one product and its transpose.
private func canonicalGram(_ product: MatMul, _ a: Value, _ b: Value) -> Value? {
    guard product.transposeB, !product.transposeA, a.id > b.id, a.shape.rows.fixedValue == nil,
        b.shape.rows.fixedValue == nil
    else { return nil }
    return b.matmul(a, transposed: false, true).transposed
}

private func distributed(_ product: MatMul, _ a: Value, _ b: Value) -> Value? {
    guard !product.transposeA, isTaskRows(a.shape.rows), b.shape.rows.fixedValue != nil, let terms = rowTerms(b)
    else { return nil }
    var whole: [Value] = []
    var parts: [Value] = []
    for term in terms {
        guard let low = lowRank(term.value), pays(a, low.x, low.g) else {
            whole.append(term.signed)
            continue
        }
        parts.append(throughGram(a, low, isTransposed: product.transposeB).scaled(by: term.coefficient))
    }
    guard !parts.isEmpty else { return nil }
    let rest = whole.isEmpty ? [] : [a.matmul(sum(whole), transposed: false, product.transposeB)]
    return sum(rest + parts)
}

/// The terms of a sum, or of some of its rows.
private func rowTerms(_ value: Value) -> [Term]? {
    guard let slice = value.operation as? RowSlice else { return terms(value) }
    return terms(value.operands[0])?.map {
        Term(coefficient: $0.coefficient, value: $0.value.slice(rows: slice.rows))
    }
}

/// `A Xᵀ G`, or `A (Xᵀ G)ᵀ`.
private func throughGram(_ a: Value, _ low: (x: Value, g: Value), isTransposed: Bool) -> Value {
    let (first, second) = isTransposed ? (low.g, low.x) : (low.x, low.g)
    return a.matmul(first, transposed: false, true).matmul(second)
}

/// X and G of `Xᵀ G`, X being the same in every step: made of the task's inputs alone.
private func lowRank(_ value: Value) -> (x: Value, g: Value)? {
    factors(value).flatMap { isMadeOfInputs($0.x) ? $0 : nil }
}

/// X and G of `Xᵀ G`, which have a row for each of a task's rows; of some of its rows those columns of X.
private func factors(_ value: Value) -> (x: Value, g: Value)? {
    if let slice = value.operation as? RowSlice {
        return factors(value.operands[0]).map { ($0.x.slice(columns: slice.rows), $0.g) }
    }
    guard let product = value.operation as? MatMul, product.transposeA, !product.transposeB,
        isTaskRows(value.operands[0].shape.rows)
    else { return nil }
    return (value.operands[0], value.operands[1])
}

/// A layer above the first, `A (W - α Hᵀ G)`: H, the activations, is another matrix in every step, so that no Gram matrix
/// serves several. One step's term is cheaper by its own, where A has few rows: `A W - α (A Hᵀ) G`. Also the way back,
/// `A Hᵀ G` for the gradient `Hᵀ G` of a weight.
///
/// - Returns: the same value in a form that is cheaper if nobody else reads `Hᵀ G`, nil where there is none.
func exploitUpperLowRank(_ operation: any Operation, _ operands: [Value]) -> Value? {
    guard let product = operation as? MatMul, !product.transposeA else { return nil }
    let (a, b) = (operands[0], operands[1])
    guard isTaskRows(a.shape.rows), b.shape.rows.fixedValue != nil, let terms = terms(b) else { return nil }
    let formed = terms.filter { !($0.value.operation is Parameter) }
    guard formed.count == 1, let low = factors(formed[0].value) else { return nil }
    let (m, n) = (nominal(a.shape.rows), nominal(low.x.shape.rows))
    let (k, columns) = (nominal(low.x.shape.columns), nominal(low.g.shape.columns))
    // With W, `A W` remains and `Hᵀ G` is not formed; without, `Hᵀ G` is a gradient that is formed all the same.
    let spared = terms.count > 1 ? n * k * columns : m * k * columns
    guard m * n * (k + columns) < spared else { return nil }
    let part = throughGram(a, low, isTransposed: product.transposeB)
    let rest = terms.filter { $0.value.operation is Parameter }
        .map { a.matmul($0.signed, transposed: false, product.transposeB) }
    return sum(rest + [part.scaled(by: formed[0].coefficient)])
}

/// Multiply-adds of a task's products, for a task of ordinary size.
func nominalMultiplyAdds(_ outputs: [Value]) -> Int {
    guard let graph = outputs.first?.graph else { return 0 }
    return reachable(from: outputs).reduce(0) { total, id in
        let node = graph.nodes[id]
        guard let product = node.operation as? MatMul else { return total }
        let a = graph.nodes[node.operands[0]].shape
        return total + nominal(node.shape.rows) * nominal(node.shape.columns)
            * nominal(product.transposeA ? a.rows : a.columns)
    }
}

/// A size of a task of ordinary size: 36 support and 10 query rows.
func nominal(_ dimension: Dimension) -> Int { dimension.fixedValue ?? (dimension == .query ? 10 : 36) }

private func isTaskRows(_ rows: Dimension) -> Bool { rows == 1 || rows.fixedValue == nil }

private func isMadeOfInputs(_ value: Value) -> Bool {
    switch value.operation {
    case is Input: true
    case is Bag, is Concatenate, is Broadcast, is Slice: value.operands.allSatisfy(isMadeOfInputs)
    default: false
    }
}

/// Whether the Gram form costs less than forming `Xᵀ G` and multiplying by it, for a task of ordinary size. The Gram
/// matrix itself is shared by the inner steps.
private func pays(_ a: Value, _ x: Value, _ g: Value) -> Bool {
    let (m, n) = (nominal(a.shape.rows), nominal(x.shape.rows))
    let (k, columns) = (nominal(x.shape.columns), nominal(g.shape.columns))
    return 2 * m * n * columns < k * n * columns + m * k * columns
}
