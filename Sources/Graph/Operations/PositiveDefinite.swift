/// The lower factor L of a symmetric positive definite A = L Lᵀ; NaN where A is none.
///
/// Only `Solve` and `LogDeterminant` read it, beside A: their derivatives are with respect to A and know its inverse, so
/// the factor itself is a constant to derivatives. Equal nodes are one, so a matrix is factored once.
struct Cholesky: Operation {
    func shape(of operands: [Shape]) throws(MetarecError) -> Shape {
        guard operands[0].rows == operands[0].columns else {
            throw MetarecError.value("Cholesky: \(operands[0]) is not square")
        }
        return operands[0]
    }

    func adjoint(of index: Int, operands: [Value], value: Value, gradient: Value) -> Value? { nil }

    func lower(_ node: Int, in lowering: Lowering) {
        lowering.emit(.cholesky, node, a: lowering.operands(node)[0])
    }
}

/// X = A⁻¹ B of A, its factor and B, for a symmetric positive definite A.
///
/// dX = A⁻¹ (dB − dA X), so the adjoint of B is A⁻¹ G and that of A is −(A⁻¹ G) Xᵀ: solves and products again.
struct Solve: Operation {
    func shape(of operands: [Shape]) throws(MetarecError) -> Shape {
        guard operands[0].rows == operands[2].rows else {
            throw MetarecError.value("solve: \(operands[0]) and \(operands[2]) differ in rows")
        }
        return operands[2]
    }

    func adjoint(of index: Int, operands: [Value], value x: Value, gradient g: Value) -> Value? {
        switch index {
        case 0: -operands[0].solve(g).matmul(x, transposed: false, true)
        case 2: operands[0].solve(g)
        default: nil
        }
    }

    func lower(_ node: Int, in lowering: Lowering) { lowering.emitSolve(node) }

    func simplified(_ operands: [Value], in graph: Graph) -> Value? {
        let b = operands[2]
        if b.constant?.isZero == true { return graph.constant(0, shape: b.shape) }
        if let s = b.operation as? Scale {
            return graph.append(self, operands[0], operands[1], b.operands[0]).scaled(by: s.coefficient)
        }
        return nil
    }
}

/// log |A| of A and its factor, for a symmetric positive definite A. d log |A| = tr(A⁻¹ dA).
struct LogDeterminant: Operation {
    func shape(of operands: [Shape]) -> Shape { .scalar }

    func adjoint(of index: Int, operands: [Value], value: Value, gradient: Value) -> Value? {
        guard index == 0 else { return nil }
        let a = operands[0]
        return a.solve(a.graph.identity(a.shape.rows)) * gradient
    }

    func lower(_ node: Int, in lowering: Lowering) {
        lowering.emit(.logDeterminant, node, a: lowering.operands(node)[1])
    }
}

/// Ones on the diagonal, zeros elsewhere.
struct Identity: Operation {
    let size: Dimension

    func shape(of operands: [Shape]) -> Shape { Shape(size, size) }
    func adjoint(of index: Int, operands: [Value], value: Value, gradient: Value) -> Value? { nil }
    func lower(_ node: Int, in lowering: Lowering) { lowering.emit(.identity, node) }
}

extension Graph {
    /// The identity matrix, `[size, size]`.
    public func identity(_ size: Dimension) -> Value { append(Identity(size: size), []) }
}

extension Value {
    /// `A⁻¹ B` of this symmetric positive definite matrix, `[n, n], [n, m] -> [n, m]`; NaN where it is none.
    ///
    /// Cost: n³ / 6 multiply-adds for the factor, once for all that is solved with it, and n² m.
    public func solve(_ b: Value) -> Value { graph.append(Solve(), self, graph.append(Cholesky(), self), b) }

    /// `log |A|` of this symmetric positive definite matrix, `[n, n] -> [1, 1]`; 0 for n = 0, NaN where it is none.
    public var logDeterminant: Value { graph.append(LogDeterminant(), self, graph.append(Cholesky(), self)) }
}
