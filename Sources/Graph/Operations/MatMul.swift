/// The product `op(A) op(B)`, op being nothing or a transpose.
///
/// The derivative rules stay within the forms NN, NT and TN.
struct MatMul: Operation {
    var transposeA = false
    var transposeB = false

    func shape(of operands: [Shape]) throws(MetarecError) -> Shape {
        let a = transposeA ? operands[0].transposed : operands[0]
        let b = transposeB ? operands[1].transposed : operands[1]
        guard a.columns == b.rows else {
            throw MetarecError.value("matmul: \(a) times \(b): the inner dimensions differ")
        }
        return Shape(a.rows, b.columns)
    }

    func adjoint(of index: Int, operands: [Value], value: Value, gradient g: Value) -> Value? {
        let (a, b) = (operands[0], operands[1])
        return if index == 0 {
            transposeA
                ? b.matmul(g, transposed: transposeB, true)
                : g.matmul(b, transposed: false, !transposeB)
        } else {
            transposeB
                ? g.matmul(a, transposed: true, transposeA)
                : a.matmul(g, transposed: !transposeA, false)
        }
    }

    func lower(_ node: Int, in lowering: Lowering) { lowering.emitProduct(node, self) }

    func simplified(_ operands: [Value], in graph: Graph) -> Value? {
        let (a, b) = (operands[0], operands[1])
        if let shape = try? shape(of: [a.shape, b.shape]), a.constant?.isZero == true || b.constant?.isZero == true {
            return graph.constant(0, shape: shape)
        }
        if let s = a.operation as? Scale {
            return a.operands[0].matmul(b, transposed: transposeA, transposeB).scaled(by: s.coefficient)
        }
        if let s = b.operation as? Scale {
            return a.matmul(b.operands[0], transposed: transposeA, transposeB).scaled(by: s.coefficient)
        }
        if a.operation is Transpose { return a.operands[0].matmul(b, transposed: !transposeA, transposeB) }
        if b.operation is Transpose { return a.matmul(b.operands[0], transposed: transposeA, !transposeB) }
        if transposeA && transposeB { return b.matmul(a).transposed }
        return nil
    }
}

/// Rows and columns exchanged.
struct Transpose: Operation {
    func shape(of operands: [Shape]) -> Shape { operands[0].transposed }

    func adjoint(of index: Int, operands: [Value], value: Value, gradient: Value) -> Value? { gradient.transposed }

    func lower(_ node: Int, in lowering: Lowering) { lowering.emitTranspose(node) }

    func simplified(_ operands: [Value], in graph: Graph) -> Value? {
        let x = operands[0]
        if x.operation is Transpose { return x.operands[0] }
        if let constant = x.constant { return graph.constant(constant, shape: x.shape.transposed) }
        if let s = x.operation as? Scale { return x.operands[0].transposed.scaled(by: s.coefficient) }
        return nil
    }
}

extension Value {
    /// The product `op(self) op(other)`: `[m, k] [k, n] -> [m, n]`.
    public func matmul(_ other: Value, transposed a: Bool = false, _ b: Bool = false) -> Value {
        graph.append(MatMul(transposeA: a, transposeB: b), self, other)
    }

    /// Rows and columns exchanged.
    public var transposed: Value { graph.append(Transpose(), self) }
}
