/// Rows of indices that each task brings: for every row of a value, which rows of a table it sums.
public struct Indices: Hashable, Sendable {
    /// Number among the plan's index inputs.
    public let number: Int
    /// Rows of indices.
    public let rows: Dimension

    /// Index input `number`, one row of indices for each of `rows`.
    public init(_ number: Int, rows: Dimension) {
        self.number = number
        self.rows = rows
    }
}

/// `out[r] = weight_r * sum over i in indices[r] of table[i]`: gather, and mean or sum of several.
///
/// A product with a sparse matrix, so linear; its adjoint scatters and adds.
struct Bag: Operation {
    let indices: Indices

    func shape(of operands: [Shape]) -> Shape { Shape(indices.rows, operands[0].columns) }

    func adjoint(of index: Int, operands: [Value], value: Value, gradient: Value) -> Value? {
        gradient.graph.append(BagTransposed(indices: indices, tableRows: operands[0].shape.rows), gradient)
    }

    func lower(_ node: Int, in lowering: Lowering) {
        lowering.emitBag(.bag, node, indices)
    }

    func simplified(_ operands: [Value], in graph: Graph) -> Value? {
        let x = operands[0]
        if x.constant?.isZero == true { return graph.constant(0, shape: shape(of: [x.shape])) }
        if let s = x.operation as? Scale { return x.operands[0].bag(indices).scaled(by: s.coefficient) }
        return nil
    }
}

/// The adjoint of `Bag`: `out[i] = sum over rows r with i in indices[r] of weight_r * g[r]`.
struct BagTransposed: Operation {
    let indices: Indices
    let tableRows: Dimension

    func shape(of operands: [Shape]) throws(MetarecError) -> Shape {
        guard operands[0].rows == indices.rows else {
            throw MetarecError.value("bag: \(operands[0]) does not have one row for each of \(indices.rows) index rows")
        }
        return Shape(tableRows, operands[0].columns)
    }

    func adjoint(of index: Int, operands: [Value], value: Value, gradient: Value) -> Value? { gradient.bag(indices) }

    func lower(_ node: Int, in lowering: Lowering) {
        lowering.emitBag(.bagTransposed, node, indices)
    }

    func simplified(_ operands: [Value], in graph: Graph) -> Value? {
        let x = operands[0]
        if x.constant?.isZero == true { return graph.constant(0, shape: Shape(tableRows, x.shape.columns)) }
        if let s = x.operation as? Scale {
            return graph.append(self, x.operands[0]).scaled(by: s.coefficient)
        }
        return nil
    }
}

extension Value {
    /// Rows of this table, gathered and summed: `[table rows, d] -> [index rows, d]`.
    public func bag(_ indices: Indices) -> Value { graph.append(Bag(indices: indices), self) }
}
