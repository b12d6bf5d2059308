/// Matrices of equally many rows side by side. Its adjoint slices.
struct Concatenate: Operation {
    func shape(of operands: [Shape]) throws(MetarecError) -> Shape {
        var columns = 0
        for shape in operands {
            guard let width = shape.columns.fixedValue, shape.rows == operands[0].rows else {
                throw MetarecError.value("concatenate: \(shape) beside \(operands[0])")
            }
            columns += width
        }
        return Shape(operands[0].rows, .fixed(columns))
    }

    func adjoint(of index: Int, operands: [Value], value: Value, gradient: Value) -> Value? {
        let widths = operands.map { $0.shape.columns.fixedValue ?? 0 }
        let start = widths[..<index].reduce(0, +)
        return gradient.slice(columns: start..<start + widths[index])
    }

    func lower(_ node: Int, in lowering: Lowering) { lowering.emitConcatenation(node) }

    func simplified(_ operands: [Value], in graph: Graph) -> Value? {
        if operands.count == 1 { return operands[0] }
        if operands.allSatisfy({ $0.constant?.isZero == true }), let shape = try? shape(of: operands.map(\.shape)) {
            return graph.constant(0, shape: shape)
        }
        return nil
    }
}

/// Some columns of a matrix: a view. Its adjoint puts them back among zeros.
struct Slice: Operation {
    let columns: Range<Int>

    func shape(of operands: [Shape]) throws(MetarecError) -> Shape {
        guard let width = operands[0].columns.fixedValue, columns.lowerBound >= 0, columns.upperBound <= width else {
            throw MetarecError.value("slice: columns \(columns) of \(operands[0])")
        }
        return Shape(operands[0].rows, .fixed(columns.count))
    }

    func adjoint(of index: Int, operands: [Value], value: Value, gradient: Value) -> Value? {
        let width = operands[0].shape.columns.fixedValue ?? 0
        func zeros(_ count: Int) -> [Value] {
            count == 0 ? [] : [gradient.graph.constant(0, shape: Shape(gradient.shape.rows, .fixed(count)))]
        }
        return concatenate(zeros(columns.lowerBound) + [gradient] + zeros(width - columns.upperBound))
    }

    func lower(_ node: Int, in lowering: Lowering) {
        lowering.emit(.copy, node, a: lowering.operands(node)[0])
    }

    func simplified(_ operands: [Value], in graph: Graph) -> Value? {
        let x = operands[0]
        if x.shape.columns == .fixed(columns.count) { return x }
        if let constant = x.constant {
            return graph.constant(constant, shape: Shape(x.shape.rows, .fixed(columns.count)))
        }
        if let s = x.operation as? Scale { return x.operands[0].slice(columns: columns).scaled(by: s.coefficient) }
        if let outer = x.operation as? Slice {
            let start = outer.columns.lowerBound
            return x.operands[0].slice(columns: start + columns.lowerBound..<start + columns.upperBound)
        }
        guard x.operation is Concatenate else { return nil }
        var start = 0
        for part in x.operands {
            let end = start + (part.shape.columns.fixedValue ?? 0)
            if columns.lowerBound >= start && columns.upperBound <= end {
                return part.slice(columns: columns.lowerBound - start..<columns.upperBound - start)
            }
            start = end
        }
        return nil
    }
}

/// The same elements in row order under another shape of fixed size.
struct Reshape: Operation {
    let target: Shape

    func shape(of operands: [Shape]) throws(MetarecError) -> Shape {
        guard let rows = operands[0].rows.fixedValue, let columns = operands[0].columns.fixedValue,
            let newRows = target.rows.fixedValue, let newColumns = target.columns.fixedValue,
            rows * columns == newRows * newColumns
        else { throw MetarecError.value("reshape: \(operands[0]) to \(target)") }
        return target
    }

    func adjoint(of index: Int, operands: [Value], value: Value, gradient: Value) -> Value? {
        gradient.reshaped(to: operands[0].shape)
    }

    func lower(_ node: Int, in lowering: Lowering) { lowering.emitReshape(node) }

    func simplified(_ operands: [Value], in graph: Graph) -> Value? {
        let x = operands[0]
        if x.shape == target { return x }
        if let constant = x.constant { return graph.constant(constant, shape: target) }
        if x.operation is Reshape { return x.operands[0].reshaped(to: target) }
        if let s = x.operation as? Scale { return x.operands[0].reshaped(to: target).scaled(by: s.coefficient) }
        return nil
    }
}

/// Matrices of equally many rows side by side: `[r, c1], [r, c2], ... -> [r, c1 + c2 + ...]`.
public func concatenate(_ parts: [Value]) -> Value {
    parts.count == 1 ? parts[0] : parts[0].graph.append(Concatenate(), parts)
}

extension Value {
    /// Some of the columns.
    public func slice(columns: Range<Int>) -> Value { graph.append(Slice(columns: columns), self) }
    /// The same elements in row order under another shape.
    public func reshaped(to shape: Shape) -> Value {
        shape == self.shape ? self : graph.append(Reshape(target: shape), self)
    }
}
