/// Some rows of a matrix: a view. Its adjoint puts them back among zeros.
struct RowSlice: Operation {
    let rows: Range<Int>

    func shape(of operands: [Shape]) throws(MetarecError) -> Shape {
        guard let height = operands[0].rows.fixedValue, rows.lowerBound >= 0, rows.upperBound <= height else {
            throw MetarecError.value("slice: rows \(rows) of \(operands[0])")
        }
        return Shape(.fixed(rows.count), operands[0].columns)
    }

    func adjoint(of index: Int, operands: [Value], value: Value, gradient: Value) -> Value? {
        let height = operands[0].shape.rows.fixedValue ?? 0
        func zeros(_ count: Int) -> [Value] {
            count == 0 ? [] : [gradient.graph.constant(0, shape: Shape(.fixed(count), gradient.shape.columns))]
        }
        return stack(zeros(rows.lowerBound) + [gradient] + zeros(height - rows.upperBound))
    }

    func lower(_ node: Int, in lowering: Lowering) { lowering.emit(.copy, node, a: lowering.operands(node)[0]) }

    func simplified(_ operands: [Value], in graph: Graph) -> Value? {
        let x = operands[0]
        if x.shape.rows == .fixed(rows.count) { return x }
        if let constant = x.constant {
            return graph.constant(constant, shape: Shape(.fixed(rows.count), x.shape.columns))
        }
        if let s = x.operation as? Scale { return x.operands[0].slice(rows: rows).scaled(by: s.coefficient) }
        guard x.operation is Stack else { return nil }
        var start = 0
        for part in x.operands {
            let end = start + (part.shape.rows.fixedValue ?? 0)
            if rows.lowerBound >= start && rows.upperBound <= end {
                return part.slice(rows: rows.lowerBound - start..<rows.upperBound - start)
            }
            start = end
        }
        return whole(x.operands)
    }

    /// The rows, where they are several parts of a stack and nothing else.
    private func whole(_ parts: [Value]) -> Value? {
        var start = 0
        let covered = parts.filter { part in
            let end = start + (part.shape.rows.fixedValue ?? 0)
            defer { start = end }
            return start >= rows.lowerBound && end <= rows.upperBound
        }
        return covered.reduce(0) { $0 + ($1.shape.rows.fixedValue ?? 0) } == rows.count ? stack(covered) : nil
    }
}

/// Matrices of equally many columns, one above the other. Its adjoint slices.
struct Stack: Operation {
    func shape(of operands: [Shape]) throws(MetarecError) -> Shape {
        var rows = 0
        for shape in operands {
            guard let height = shape.rows.fixedValue, shape.columns == operands[0].columns else {
                throw MetarecError.value("stack: \(shape) above \(operands[0])")
            }
            rows += height
        }
        return Shape(.fixed(rows), operands[0].columns)
    }

    func adjoint(of index: Int, operands: [Value], value: Value, gradient: Value) -> Value? {
        let heights = operands.map { $0.shape.rows.fixedValue ?? 0 }
        let start = heights[..<index].reduce(0, +)
        return gradient.slice(rows: start..<start + heights[index])
    }

    func lower(_ node: Int, in lowering: Lowering) { lowering.emitStack(node) }

    func simplified(_ operands: [Value], in graph: Graph) -> Value? {
        if operands.count == 1 { return operands[0] }
        if operands.allSatisfy({ $0.constant?.isZero == true }), let shape = try? shape(of: operands.map(\.shape)) {
            return graph.constant(0, shape: shape)
        }
        let parts = operands.map { stackedParts($0) ?? [$0] }
        return parts.count < parts.joined().count ? stack(Array(parts.joined())) : nil
    }
}

/// Matrices of equally many columns, one above the other: `[r1, c], [r2, c], ... -> [r1 + r2 + ..., c]`.
public func stack(_ parts: [Value]) -> Value {
    parts.count == 1 ? parts[0] : parts[0].graph.append(Stack(), parts)
}

/// The parts of a stack, or of a multiple of one.
func stackedParts(_ value: Value) -> [Value]? {
    if let scale = value.operation as? Scale {
        return stackedParts(value.operands[0])?.map { $0.scaled(by: scale.coefficient) }
    }
    return value.operation is Stack ? value.operands : nil
}

extension Value {
    /// Some of the rows.
    public func slice(rows: Range<Int>) -> Value { graph.append(RowSlice(rows: rows), self) }
}
