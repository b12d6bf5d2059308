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

/// Terms of a sum that share a factor are summed first: `Xᵀ G + Xᵀ H = Xᵀ (G + H)`.
///
/// - Returns: the same value in a cheaper form, nil where there is none.
func factor(_ operation: any Operation, _ operands: [Value]) -> Value? {
    switch operation {
    case Binary.add as Binary: factored(operands[0], operands[1], sign: 1)
    case Binary.subtract as Binary: factored(operands[0], operands[1], sign: -1)
    default: nil
    }
}

/// One term of a sum.
private struct Term {
    var coefficient: Coefficient
    var value: Value

    var signed: Value { value.scaled(by: coefficient) }
}

/// The terms of a sum of values of one shape; nil for more than a few, which would make long sums costly to compile.
private func terms(_ value: Value, _ coefficient: Coefficient = .one) -> [Term]? {
    var found: [Term] = []
    var open = [Term(coefficient: coefficient, value: value)]
    while let term = open.popLast() {
        let operands = term.value.operands
        let isUniform = operands.allSatisfy { $0.shape == term.value.shape }
        switch term.value.operation {
        case let scale as Scale:
            open.append(Term(coefficient: term.coefficient * scale.coefficient, value: operands[0]))
        case Binary.add as Binary where isUniform:
            open.append(Term(coefficient: term.coefficient, value: operands[1]))
            open.append(Term(coefficient: term.coefficient, value: operands[0]))
        case Binary.subtract as Binary where isUniform:
            open.append(Term(coefficient: -term.coefficient, value: operands[1]))
            open.append(Term(coefficient: term.coefficient, value: operands[0]))
        default: found.append(term)
        }
        if found.count + open.count > 16 { return nil }
    }
    return found
}

private func sum(_ terms: [Value]) -> Value { terms.dropFirst().reduce(terms[0], +) }

// MARK: Factoring

/// `p + sign q`, where a product of `q` shares a factor with one of `p`.
private func factored(_ p: Value, _ q: Value, sign: Double) -> Value? {
    guard p.shape == q.shape, let left = terms(p), let right = terms(q, Coefficient(sign)) else { return nil }
    for (i, a) in left.enumerated() {
        for (j, b) in right.enumerated() {
            guard let together = commonFactor(a, b) else { continue }
            var rest = left.map(\.signed) + right.map(\.signed)
            rest.remove(at: left.count + j)
            rest[i] = together
            return sum(rest)
        }
    }
    return nil
}

private func commonFactor(_ a: Term, _ b: Term) -> Value? {
    guard let product = a.value.operation as? MatMul, b.value.operation as? MatMul == product else { return nil }
    let (p, q) = (a.value.operands, b.value.operands)
    func added(_ index: Int) -> Value? {
        guard p[index].shape == q[index].shape else { return nil }
        return p[index].scaled(by: a.coefficient) + q[index].scaled(by: b.coefficient)
    }
    if p[0] == q[0], let sum = added(1) {
        return p[0].matmul(sum, transposed: product.transposeA, product.transposeB)
    }
    if p[1] == q[1], let sum = added(0) {
        return sum.matmul(p[1], transposed: product.transposeA, product.transposeB)
    }
    return nil
}

// MARK: Distributing

/// `A Bᵀ` and `B Aᵀ` of two matrices with a row for each of a task's rows are one product and its transpose.
private func canonicalGram(_ product: MatMul, _ a: Value, _ b: Value) -> Value? {
    guard product.transposeB, !product.transposeA, a.id > b.id, a.shape.rows.fixedValue == nil,
        b.shape.rows.fixedValue == nil
    else { return nil }
    return b.matmul(a, transposed: false, true).transposed
}

private func distributed(_ product: MatMul, _ a: Value, _ b: Value) -> Value? {
    guard !product.transposeA, isTaskRows(a.shape.rows), b.shape.rows.fixedValue != nil, let terms = terms(b)
    else { return nil }
    var whole: [Value] = []
    var parts: [Value] = []
    for term in terms {
        guard let low = lowRank(term.value), pays(a, low.x, low.g) else {
            whole.append(term.signed)
            continue
        }
        let part =
            product.transposeB
            ? a.matmul(low.g, transposed: false, true).matmul(low.x)
            : a.matmul(low.x, transposed: false, true).matmul(low.g)
        parts.append(part.scaled(by: term.coefficient))
    }
    guard !parts.isEmpty else { return nil }
    let rest = whole.isEmpty ? [] : [a.matmul(sum(whole), transposed: false, product.transposeB)]
    return sum(rest + parts)
}

/// X and G of `Xᵀ G`, X being the same in every step: made of the task's inputs alone.
private func lowRank(_ value: Value) -> (x: Value, g: Value)? {
    guard let product = value.operation as? MatMul, product.transposeA, !product.transposeB,
        isTaskRows(value.operands[0].shape.rows), isMadeOfInputs(value.operands[0])
    else { return nil }
    return (value.operands[0], value.operands[1])
}

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
    func nominal(_ dimension: Dimension) -> Int { dimension.fixedValue ?? (dimension == .query ? 10 : 36) }
    let (m, n) = (nominal(a.shape.rows), nominal(x.shape.rows))
    let (k, columns) = (nominal(x.shape.columns), nominal(g.shape.columns))
    return 2 * m * n * columns < k * n * columns + m * k * columns
}
