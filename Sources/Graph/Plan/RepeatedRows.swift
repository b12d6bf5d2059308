/// Products of matrices of which some rows repeat: all rows of a task share one user, so with `[items | user] W`
/// the user's part is one row times half of `W`, computed once instead of for every row.
///
///     [X | 1 u] [W₁; W₂]  = X W₁ + 1 (u W₂)
///     [X | 1 u]ᵀ G        = [Xᵀ G; uᵀ (1ᵀ G)]
///     1ᵀ (G Wᵀ)           = (1ᵀ G) Wᵀ
///
/// The two parts of an adapted `W - α [X | 1 u]ᵀ G` are computed apart and never put together.
///
/// - Returns: the same value in a cheaper form, nil where the structure is another.
func exploitRepeatedRows(_ operation: any Operation, _ operands: [Value], in graph: Graph) -> Value? {
    switch operation {
    case is Concatenate: gatheredBroadcasts(operands)
    case let product as MatMul: splitProduct(product, operands[0], operands[1])
    case let sum as Sum where sum.axis == .rows: sumOfProductRows(operands[0])
    case let binary as Binary:
        withoutBroadcast(binary, operands[0], operands[1], in: graph)
            ?? rowsAddedFirst(binary, operands[0], operands[1])
    default: nil
    }
}

/// `[a | b | 1 u | 1 v]` as `[[a | b] | 1 [u | v]]`: one part that differs by row and one that repeats, if both exist.
private func gatheredBroadcasts(_ parts: [Value]) -> Value? {
    guard parts.count > 2, let first = parts.firstIndex(where: { repeatedRow($0) != nil }), first > 0 else {
        return nil
    }
    let rows = parts[first...].compactMap(repeatedRow)
    guard rows.count == parts.count - first else { return nil }
    let user = concatenate(rows)
    return concatenate([
        concatenate(Array(parts[..<first])), user.broadcast(to: Shape(parts[0].shape.rows, user.shape.columns)),
    ])
}

/// The one row that a matrix repeats.
private func repeatedRow(_ value: Value) -> Value? {
    guard value.operation is Broadcast, value.operands[0].shape.columns == value.shape.columns else { return nil }
    return value.operands[0]
}

private func splitProduct(_ product: MatMul, _ a: Value, _ b: Value) -> Value? {
    if let row = repeatedRow(a) {
        if product.transposeA { return row.matmul(b.sumOverRows, transposed: true, false) }
        let one = row.matmul(b, transposed: false, product.transposeB)
        return one.broadcast(to: Shape(a.shape.rows, one.shape.columns))
    }
    guard a.operation is Concatenate, a.operands.contains(where: { repeatedRow($0) != nil }), !product.transposeB
    else { return nil }
    if product.transposeA { return stack(a.operands.map { $0.matmul(b, transposed: true, false) }) }
    var start = 0
    let terms = a.operands.map { part in
        let end = start + (part.shape.columns.fixedValue ?? 0)
        defer { start = end }
        return part.matmul(b.slice(rows: start..<end))
    }
    return terms.dropFirst().reduce(terms[0], +)
}

private func sumOfProductRows(_ value: Value) -> Value? {
    if let slice = value.operation as? Slice { return value.operands[0].sumOverRows.slice(columns: slice.columns) }
    guard isSumOfProducts(value) else { return nil }
    let operands = value.operands
    switch value.operation {
    case let product as MatMul:
        return operands[0].sumOverRows.matmul(operands[1], transposed: false, product.transposeB)
    case is Scale: return nil  // floats out of the sum by itself
    case Binary.add as Binary: return operands[0].sumOverRows + operands[1].sumOverRows
    default: return operands[0].sumOverRows - operands[1].sumOverRows
    }
}

/// Sums deeper than `depth` count as opaque, here and below: compiling stays linear in their length.
private func isSumOfProducts(_ value: Value, depth: Int = 16) -> Bool {
    switch value.operation {
    case let product as MatMul: !product.transposeA
    case is Scale: isSumOfProducts(value.operands[0], depth: depth)
    case Binary.add as Binary, Binary.subtract as Binary:
        depth > 0 && value.operands.allSatisfy { $0.shape == value.shape && isSumOfProducts($0, depth: depth - 1) }
    default: false
    }
}

/// `(X + 1 u) + 1 v = X + 1 (u + v)`: one row to add, which fits into the product before it.
private func rowsAddedFirst(_ binary: Binary, _ a: Value, _ b: Value) -> Value? {
    guard binary == .add else { return nil }
    func isRow(_ x: Value) -> Bool { x.shape.rows == 1 && a.shape != b.shape }
    let (sum, row) = isRow(b) ? (a, b) : (b, a)
    guard isRow(row), sum.operation as? Binary == .add, let inner = sum.operands.first(where: isRow),
        let rest = sum.operands.first(where: { $0.shape == sum.shape }), inner.shape == row.shape
    else { return nil }
    return rest + (inner + row)
}

/// Element-wise functions broadcast a row by themselves.
private func withoutBroadcast(_ binary: Binary, _ a: Value, _ b: Value, in graph: Graph) -> Value? {
    if a.operation is Broadcast, a.shape == b.shape, !(b.operation is Broadcast) {
        return graph.append(binary, a.operands[0], b)
    }
    if b.operation is Broadcast, a.shape == b.shape, !(a.operation is Broadcast) {
        return graph.append(binary, a, b.operands[0])
    }
    return nil
}

// MARK: Stacks

/// Sums of stacks part by part, and rows of them.
///
/// - Returns: the same value in a cheaper form, nil where there is none.
func exploitStacks(_ operation: any Operation, _ operands: [Value]) -> Value? {
    switch operation {
    case let slice as RowSlice: distributed(slice, over: operands[0])
    case let binary as Binary: stackOfSums(binary, operands[0], operands[1])
    default: nil
    }
}

/// Rows of a sum of which a term is a stack are the sum of the terms' rows.
private func distributed(_ slice: RowSlice, over value: Value) -> Value? {
    guard let binary = value.operation as? Binary, binary == .add || binary == .subtract, hasStack(value),
        value.operands.allSatisfy({ $0.shape == value.shape })
    else { return nil }
    let (a, b) = (value.operands[0].slice(rows: slice.rows), value.operands[1].slice(rows: slice.rows))
    return binary == .add ? a + b : a - b
}

private func hasStack(_ value: Value, depth: Int = 16) -> Bool {
    switch value.operation {
    case is Stack: true
    case is Scale: hasStack(value.operands[0], depth: depth)
    case Binary.add as Binary, Binary.subtract as Binary:
        depth > 0 && value.operands.contains { hasStack($0, depth: depth - 1) }
    default: false
    }
}

/// `[A; u] + [B; v] = [A + B; u + v]`: part by part, products can share a factor or take a sum as their addend.
private func stackOfSums(_ binary: Binary, _ a: Value, _ b: Value) -> Value? {
    guard binary == .add || binary == .subtract, let above = stackedParts(a), let below = stackedParts(b),
        above.map(\.shape) == below.map(\.shape)
    else { return nil }
    return stack(zip(above, below).map { binary == .add ? $0 + $1 : $0 - $1 })
}
