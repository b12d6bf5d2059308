import CMetarec

/// Which indices a sum runs over.
enum Axis: Int32 {
    /// `[r, c] -> [1, c]`
    case rows = 0
    /// `[r, c] -> [r, 1]`
    case columns = 1
    /// `[r, c] -> [1, 1]`
    case all = 2
}

/// The sum over rows, over columns, or over all. Its adjoint is broadcasting.
struct Sum: Operation {
    let axis: Axis

    func shape(of operands: [Shape]) -> Shape {
        switch axis {
        case .rows: Shape(1, operands[0].columns)
        case .columns: Shape(operands[0].rows, 1)
        case .all: .scalar
        }
    }

    func adjoint(of index: Int, operands: [Value], value: Value, gradient: Value) -> Value? {
        gradient.broadcast(to: operands[0].shape)
    }

    func lower(_ node: Int, in lowering: Lowering) { lowering.emitSum(node, axis) }

    func simplified(_ operands: [Value], in graph: Graph) -> Value? {
        let x = operands[0]
        switch axis {
        case .rows where x.shape.rows == 1, .columns where x.shape.columns == 1, .all where x.shape == .scalar:
            return x
        case .all where x.shape.columns == 1: return x.sum(.rows)
        case .all where x.shape.rows == 1: return x.sum(.columns)
        default: break
        }
        if let s = x.operation as? Scale { return x.operands[0].sum(axis).scaled(by: s.coefficient) }
        guard x.operation is Broadcast || x.operation is Constant else { return nil }
        // The sum of a broadcast is a multiple: each broadcast side that is summed counts its size.
        let source = x.operation is Constant ? nil : x.operands[0]
        var factor = x.constant ?? .one
        var rest = source
        if axis != .columns {
            if source?.shape.rows ?? 1 == 1 { factor = factor * .size(x.shape.rows) } else { rest = rest?.sum(.rows) }
        }
        if axis != .rows {
            if source?.shape.columns ?? 1 == 1 {
                factor = factor * .size(x.shape.columns)
            } else {
                rest = rest?.sum(.columns)
            }
        }
        let shape = shape(of: [x.shape])
        return rest?.scaled(by: factor).broadcast(to: shape) ?? graph.constant(factor, shape: shape)
    }
}

/// One row, one column or one number repeated to a larger shape. Its adjoint is summing.
struct Broadcast: Operation {
    let target: Shape

    func shape(of operands: [Shape]) throws(MetarecError) -> Shape {
        for side in [\Shape.rows, \Shape.columns]
        where operands[0][keyPath: side] != 1 && operands[0][keyPath: side] != target[keyPath: side] {
            throw MetarecError.value("broadcast: \(operands[0]) does not fit \(target)")
        }
        return target
    }

    func adjoint(of index: Int, operands: [Value], value: Value, gradient: Value) -> Value? {
        gradient.summed(to: operands[0].shape)
    }

    func lower(_ node: Int, in lowering: Lowering) { lowering.emitBroadcast(node) }

    func simplified(_ operands: [Value], in graph: Graph) -> Value? {
        let x = operands[0]
        if x.shape == target { return x }
        if let constant = x.constant { return graph.constant(constant, shape: target) }
        if let s = x.operation as? Scale { return x.operands[0].broadcast(to: target).scaled(by: s.coefficient) }
        if x.operation is Broadcast { return x.operands[0].broadcast(to: target) }
        return nil
    }
}

extension Value {
    func sum(_ axis: Axis) -> Value { graph.append(Sum(axis: axis), self) }

    /// Repeated to `shape`; itself where it has that shape.
    public func broadcast(to shape: Shape) -> Value {
        shape == self.shape ? self : graph.append(Broadcast(target: shape), self)
    }

    /// Summed over the sides along which a value of `shape` was broadcast to this one.
    func summed(to shape: Shape) -> Value {
        if shape == self.shape { return self }
        if shape == .scalar { return sum }
        if shape.rows == 1, self.shape.rows != 1 { return sumOverRows.summed(to: shape) }
        if shape.columns == 1, self.shape.columns != 1 { return sumOverColumns.summed(to: shape) }
        return self  // after a misfit, which compiling reports
    }
}
