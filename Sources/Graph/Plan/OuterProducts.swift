/// Some rows of what an output adds up to over the tasks.
struct Summand: Sendable {
    /// The first of these rows.
    var row: Int
    /// The number of the output that is added, or of the left factor, one row.
    var output: Int
    /// The number of the right factor, one row; nil where a matrix is added as it is.
    var right: Int?
}

/// Sums over the tasks of outer products, `Σₜ uₜᵀ dₜ = Uᵀ D`: a task gives two rows instead of a matrix, and the rows
/// of all tasks are one product. The user's half of a first layer has such a gradient.
///
/// - Returns: the outputs, of which the first part of such a sum takes the place and the others follow at the end; and
///   by number the parts of those that have several or are a product.
func separateOuterProducts(_ outputs: [Value], summed: Set<Int>) -> (outputs: [Value], summands: [Int: [Summand]]) {
    var (separated, summands) = (outputs, [Int: [Summand]]())
    for number in summed.sorted() {
        let whole = outputs[number]
        let parts = stackedParts(whole) ?? [whole]
        guard parts.contains(where: { outerProduct($0) != nil }) else { continue }
        var row = 0
        var isFirst = true
        func give(_ value: Value) -> Int {
            defer { isFirst = false }
            if isFirst { separated[number] = value } else { separated.append(value) }
            return isFirst ? number : separated.count - 1
        }
        for part in parts {
            let factors = outerProduct(part)
            let output = give(factors?.left ?? part)
            summands[number, default: []].append(
                Summand(row: row, output: output, right: factors.map { give($0.right) }))
            row += part.shape.rows.fixedValue ?? 0
        }
    }
    return (separated, summands)
}

/// The two rows whose outer product a value is, where they are smaller than it.
private func outerProduct(_ value: Value) -> (left: Value, right: Value)? {
    if let scale = value.operation as? Scale {
        return outerProduct(value.operands[0]).map { ($0.left, $0.right.scaled(by: scale.coefficient)) }
    }
    guard let product = value.operation as? MatMul, let rows = value.shape.rows.fixedValue,
        let columns = value.shape.columns.fixedValue, rows * columns > rows + columns
    else { return nil }
    let left = product.transposeA ? value.operands[0] : value.operands[0].transposed
    let right = product.transposeB ? value.operands[1].transposed : value.operands[1]
    return left.shape.rows == 1 ? (left, right) : nil
}
