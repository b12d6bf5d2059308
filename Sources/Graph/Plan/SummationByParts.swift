/// Summation by parts, `Σₖ Aₖ (Σ_{j<k} Gⱼ)ᵀ = Σⱼ (Σ_{k>j} Aₖ) Gⱼᵀ`: the derivative of a Gram matrix that all inner steps
/// share is `M + Nᵀ`, M being the first of these sums and N the second. So it is `M + Mᵀ`.
///
/// - Returns: the same value in a cheaper form, nil where there is none.
func sumByParts(_ operation: any Operation, _ operands: [Value]) -> Value? {
    guard operation as? Binary == .add || operation as? Binary == .subtract,
        operands[0].shape == operands[1].shape, operands[0].shape.rows.fixedValue == nil,
        operands[0].shape.columns.fixedValue == nil, let first = terms(operands[0]),
        let second = terms(operands[1], Coefficient(operation as? Binary == .add ? 1 : -1))
    else { return nil }
    var plain: [Term] = []
    var transposed: [Term] = []
    for term in first + second {
        if term.value.operation is Transpose {
            transposed.append(Term(coefficient: term.coefficient, value: term.value.operands[0]))
        } else {
            plain.append(term)
        }
    }
    guard plain.count > 1, transposed.count > 1, let form = bilinearForm(plain), form == bilinearForm(transposed)
    else { return nil }
    let half = sum((plain.count <= transposed.count ? plain : transposed).map(\.signed))
    return half + half.transposed
}

private struct Pair: Hashable {
    var a: Int
    var b: Int
    var sizes: Coefficient
}

/// What a sum of products `A Bᵀ` is, whatever the order: the coefficient of every pair of terms of the factors.
private func bilinearForm(_ products: [Term]) -> [Pair: Double]? {
    var form: [Pair: Double] = [:]
    for product in products {
        guard product.value.operation as? MatMul == MatMul(transposeB: true),
            let left = terms(product.value.operands[0]), let right = terms(product.value.operands[1])
        else { return nil }
        for a in left {
            for b in right {
                let coefficient = product.coefficient * a.coefficient * b.coefficient
                form[Pair(a: a.value.id, b: b.value.id, sizes: coefficient.sizes), default: 0] += coefficient.value
            }
        }
    }
    // Adding in another order changes the last bits.
    return form.mapValues { Double(bitPattern: ($0.bitPattern &+ 0x8000) & ~0xFFFF) }
}
