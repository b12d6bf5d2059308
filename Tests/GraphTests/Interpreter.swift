import Glibc
import TestSupport

@testable import Graph

/// The values of `outputs` by definition: the graph as it was traced, node by node, with plain loops over doubles. No
/// simplification, no plan, no kernels.
func interpret(_ outputs: [Value], parameters: [Matrix] = [], task: TestTask = TestTask()) -> [Matrix] {
    guard let graph = outputs.first?.graph else { return [] }
    func size(_ dimension: Dimension) -> Int {
        switch dimension {
        case .fixed(let size): size
        case .symbol(let symbol): task.sizes[symbol] ?? 0
        }
    }
    var values: [Int: Matrix] = [:]
    for id in reachable(from: outputs) {
        let node = graph.nodes[id]
        let x = node.operands.compactMap { values[$0] }
        let (rows, columns) = (size(node.shape.rows), size(node.shape.columns))
        /// Operand `number` where one row, column or number stands for all.
        func wide(_ number: Int, _ row: Int, _ column: Int) -> Double {
            x[number][x[number].rows == 1 ? 0 : row, x[number].columns == 1 ? 0 : column]
        }
        func number(_ coefficient: Coefficient) -> Double {
            guard coefficient.denominator.allSatisfy({ size(.symbol($0)) > 0 }) else { return 0 }
            let over = coefficient.numerator.map { Double(size(.symbol($0))) }.reduce(1, *)
            return coefficient.value * over / coefficient.denominator.map { Double(size(.symbol($0))) }.reduce(1, *)
        }
        values[id] =
            switch node.operation {
            case let leaf as Parameter: parameters[leaf.number]
            case let leaf as Input: task.inputs[leaf.number]
            case let constant as Constant: Matrix(rows, columns) { _, _ in number(constant.coefficient) }
            case is StopGradient: x[0]
            case let product as MatMul:
                (product.transposeA ? x[0].transposed : x[0]).times(product.transposeB ? x[1].transposed : x[1])
            case is Transpose: x[0].transposed
            case let sum as Sum:
                switch sum.axis {
                case .rows: Matrix(1, columns) { _, column in (0..<x[0].rows).reduce(0) { $0 + x[0][$1, column] } }
                case .columns: Matrix(rows, 1) { row, _ in (0..<x[0].columns).reduce(0) { $0 + x[0][row, $1] } }
                case .all: Matrix(1, 1, [x[0].elements.reduce(0, +)])
                }
            case is Broadcast: Matrix(rows, columns) { wide(0, $0, $1) }
            case is Concatenate:
                Matrix(rows, columns) { row, column in
                    var (part, place) = (0, column)
                    while place >= x[part].columns { (part, place) = (part + 1, place - x[part].columns) }
                    return x[part][row, place]
                }
            case let slice as Slice: Matrix(rows, columns) { x[0][$0, slice.columns.lowerBound + $1] }
            case is Reshape: Matrix(rows, columns, x[0].elements)
            case let function as Unary: x[0].map { value(of: function, $0) }
            case let function as Binary:
                Matrix(rows, columns) { value(of: function, wide(0, $0, $1), wide(1, $0, $1)) }
            case is Select: Matrix(rows, columns) { wide(0, $0, $1) > 0 ? wide(1, $0, $1) : wide(2, $0, $1) }
            case let scale as Scale: number(scale.coefficient) * x[0]
            case let offset as Offset: x[0].map { number(offset.coefficient) + $0 }
            case let bag as Bag: gathered(x[0], task.indices[bag.indices.number])
            case let bag as BagTransposed: scattered(x[0], task.indices[bag.indices.number], rows: rows)
            case is RowMax: Matrix(rows, 1) { row, _ in (0..<x[0].columns).map { x[0][row, $0] }.max() ?? -.infinity }
            case is Softmax:
                Matrix(rows, columns) { row, column in
                    exp(x[0][row, column]) / (0..<columns).reduce(0) { $0 + exp(x[0][row, $1]) }
                }
            case is LogSumExp:
                Matrix(rows, 1) { row, _ in log((0..<x[0].columns).reduce(0) { $0 + exp(x[0][row, $1]) }) }
            case is Identity: Matrix(rows, rows) { $0 == $1 ? 1 : 0 }
            case is Cholesky: x[0]
            case is Solve: eliminated(x[0], x[2]).solution
            case is LogDeterminant: Matrix(1, 1, [eliminated(x[0], Matrix(x[0].rows, 0, [])).logDeterminant])
            default: preconditionFailure("the interpreter does not know \(node.operation)")
            }
    }
    return outputs.compactMap { values[$0.id] }
}

/// Gauss and Jordan's elimination, which needs no pivoting for positive definite matrices.
private func eliminated(_ a: Matrix, _ b: Matrix) -> (solution: Matrix, logDeterminant: Double) {
    var (a, x, logDeterminant) = (a, b, 0.0)
    for k in 0..<a.rows {
        let pivot = a[k, k]
        logDeterminant += log(pivot)
        for j in 0..<a.columns { a[k, j] /= pivot }
        for j in 0..<x.columns { x[k, j] /= pivot }
        for i in 0..<a.rows where i != k {
            let factor = a[i, k]
            for j in 0..<a.columns { a[i, j] -= factor * a[k, j] }
            for j in 0..<x.columns { x[i, j] -= factor * x[k, j] }
        }
    }
    return (x, logDeterminant)
}

private func gathered(_ table: Matrix, _ indices: IndexRows) -> Matrix {
    Matrix(indices.count, table.columns) { row, column in
        let sum = indices.row(row).filter { $0 >= 0 }.reduce(0) { $0 + table[Int($1), column] }
        return (indices.weights?[row] ?? 1) * sum
    }
}

private func scattered(_ gradient: Matrix, _ indices: IndexRows, rows: Int) -> Matrix {
    var result = Matrix(rows, gradient.columns) { _, _ in 0 }
    for row in 0..<indices.count {
        for id in indices.row(row) where id >= 0 {
            for column in 0..<gradient.columns {
                result[Int(id), column] += (indices.weights?[row] ?? 1) * gradient[row, column]
            }
        }
    }
    return result
}

private func value(of function: Unary, _ x: Double) -> Double {
    switch function {
    case .relu: x > 0 ? x : 0
    case .sigmoid: 1 / (1 + exp(-x))
    case .tanh: tanh(x)
    case .softplus: log1p(exp(-abs(x))) + max(x, 0)
    case .exp: exp(x)
    case .log: log(x)
    case .sqrt: sqrt(x)
    case .square: x * x
    case .abs: abs(x)
    case .sign: x > 0 ? 1 : x < 0 ? -1 : 0
    case .reciprocal: 1 / x
    }
}

private func value(of function: Binary, _ a: Double, _ b: Double) -> Double {
    switch function {
    case .add: a + b
    case .subtract: a - b
    case .multiply: a * b
    case .divide: a / b
    case .maximum: max(a, b)
    case .minimum: min(a, b)
    case .mask: b > 0 ? a : 0
    case .equal: a == b ? 1 : 0
    }
}
