/// Terms of a sum that share a factor are summed first: `Xᵀ G + Xᵀ H = Xᵀ (G + H)`, `M X + Mᵀ X = (M + Mᵀ) X`.
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
struct Term {
    var coefficient: Coefficient
    var value: Value

    var signed: Value { value.scaled(by: coefficient) }
}

/// The terms of a sum of values of one shape; nil for more than a few, which would make long sums costly to compile.
func terms(_ value: Value, _ coefficient: Coefficient = .one) -> [Term]? {
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

func sum(_ terms: [Value]) -> Value { terms.dropFirst().reduce(terms[0], +) }

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

/// The product that a term is: `op(a) op(b)`, a transposed one as the product of the transposed factors.
private struct Factors {
    var a: Value
    var b: Value
    var transposeA: Bool
    var transposeB: Bool

    init?(_ value: Value) {
        let isTransposed = value.operation is Transpose
        let inner = isTransposed ? value.operands[0] : value
        guard let product = inner.operation as? MatMul else { return nil }
        (a, b, transposeA, transposeB) = (inner.operands[0], inner.operands[1], product.transposeA, product.transposeB)
        if isTransposed { (a, b, transposeA, transposeB) = (b, a, !transposeB, !transposeA) }
    }

    var left: Value { transposeA ? a.transposed : a }
    var right: Value { transposeB ? b.transposed : b }
}

private func commonFactor(_ p: Term, _ q: Term) -> Value? {
    guard let f = Factors(p.value), let g = Factors(q.value) else { return nil }
    func added(_ x: KeyPath<Factors, Value>) -> Value? {
        guard f[keyPath: x].shape == g[keyPath: x].shape else { return nil }
        return f[keyPath: x].scaled(by: p.coefficient) + g[keyPath: x].scaled(by: q.coefficient)
    }
    if f.a == g.a, f.transposeA == g.transposeA {
        let isSame = f.transposeB == g.transposeB
        return added(isSame ? \.b : \.right).map {
            f.a.matmul($0, transposed: f.transposeA, isSame && f.transposeB)
        }
    }
    if f.b == g.b, f.transposeB == g.transposeB {
        let isSame = f.transposeA == g.transposeA
        return added(isSame ? \.a : \.left).map {
            $0.matmul(f.b, transposed: isSame && f.transposeA, f.transposeB)
        }
    }
    return nil
}
