/// The largest element of each row, `[r, c] -> [r, 1]`. Ties share the derivative.
struct RowMax: Operation {
    func shape(of operands: [Shape]) -> Shape { Shape(operands[0].rows, 1) }

    func adjoint(of index: Int, operands: [Value], value: Value, gradient: Value) -> Value? {
        let ties = operands[0].equals(value)
        return ties * (gradient / ties.sumOverColumns)
    }

    func lower(_ node: Int, in lowering: Lowering) {
        lowering.emit(.rowMax, node, a: lowering.operands(node)[0])
    }
}

/// `exp(x_j) / sum_k exp(x_k)` along each row, without overflow.
struct Softmax: Operation {
    func shape(of operands: [Shape]) -> Shape { operands[0] }

    func adjoint(of index: Int, operands: [Value], value y: Value, gradient g: Value) -> Value? {
        y * (g - (g * y).sumOverColumns)
    }

    func lower(_ node: Int, in lowering: Lowering) {
        lowering.emit(.softmax, node, a: lowering.operands(node)[0])
    }
}

/// `log(sum_k exp(x_k))` along each row, without overflow, `[r, c] -> [r, 1]`.
struct LogSumExp: Operation {
    func shape(of operands: [Shape]) -> Shape { Shape(operands[0].rows, 1) }

    func adjoint(of index: Int, operands: [Value], value: Value, gradient: Value) -> Value? {
        gradient * operands[0].softmax
    }

    func lower(_ node: Int, in lowering: Lowering) {
        lowering.emit(.logSumExp, node, a: lowering.operands(node)[0])
    }
}

extension Value {
    /// The largest element of each row, `[r, c] -> [r, 1]`.
    public var rowMax: Value { graph.append(RowMax(), self) }
    /// `exp(x) / sum(exp(x))` along each row.
    public var softmax: Value { graph.append(Softmax(), self) }
    /// `log(sum(exp(x)))` along each row, `[r, c] -> [r, 1]`.
    public var logSumExp: Value { graph.append(LogSumExp(), self) }
}
