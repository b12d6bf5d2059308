import CMetarec

/// An operation that a fused chain can take as one of its steps.
protocol ChainOperation: Operation {
    var function: mr_function { get }
    var coefficient: Coefficient { get }
}

extension ChainOperation {
    var coefficient: Coefficient { .one }
    func lower(_ node: Int, in lowering: Lowering) { lowering.emitChain(node) }
}

/// A function of one matrix, element by element.
enum Unary: ChainOperation, CaseIterable {
    case relu, sigmoid, tanh, softplus, exp, log, sqrt, square, abs, sign, reciprocal

    var function: mr_function {
        switch self {
        case .relu: MR_RELU
        case .sigmoid: MR_SIGMOID
        case .tanh: MR_TANH
        case .softplus: MR_SOFTPLUS
        case .exp: MR_EXP
        case .log: MR_LOG
        case .sqrt: MR_SQRT
        case .square: MR_SQUARE
        case .abs: MR_ABS
        case .sign: MR_SIGN
        case .reciprocal: MR_RECIPROCAL
        }
    }

    func shape(of operands: [Shape]) -> Shape { operands[0] }

    func adjoint(of index: Int, operands: [Value], value y: Value, gradient g: Value) -> Value? {
        let x = operands[0]
        return switch self {
        case .relu: g.masked(by: y)
        case .sigmoid: g * (y * (1 - y))
        case .tanh: g * (1 - y.square)
        case .softplus: g * x.sigmoid
        case .exp: g * y
        case .log: g / x
        case .sqrt: g / (2 * y)
        case .square: g * (2 * x)
        case .abs: g * x.sign
        case .sign: nil
        case .reciprocal: -(g * y.square)
        }
    }

    func simplified(_ operands: [Value], in graph: Graph) -> Value? {
        guard let x = operands[0].constant?.number else { return nil }
        let y: Double? =
            switch self {
            case .relu: max(x, 0)
            case .square: x * x
            case .sqrt: x.squareRoot()
            case .abs: Swift.abs(x)
            case .sign: x == 0 ? 0 : (x > 0 ? 1 : -1)
            case .reciprocal: 1 / x
            case .sigmoid, .tanh, .softplus, .exp, .log: nil  // the kernels' own rounding is the reference
            }
        return y.map { graph.constant($0, shape: operands[0].shape) }
    }
}

/// A function of two matrices, element by element. One row, one column or one number is broadcast to the other's shape.
enum Binary: ChainOperation, CaseIterable {
    case add, subtract, multiply, divide, maximum, minimum
    /// `b > 0 ? a : 0`; constant in `b`. The derivative of relu, and its own.
    case mask
    /// `a == b ? 1 : 0`; constant in both.
    case equal

    var function: mr_function {
        switch self {
        case .add: MR_ADD
        case .subtract: MR_SUBTRACT
        case .multiply: MR_MULTIPLY
        case .divide: MR_DIVIDE
        case .maximum: MR_MAXIMUM
        case .minimum: MR_MINIMUM
        case .mask: MR_MASK
        case .equal: MR_EQUAL
        }
    }

    func shape(of operands: [Shape]) throws(MetarecError) -> Shape {
        try broadcastShape(operands, for: "\(self)")
    }

    func adjoint(of index: Int, operands: [Value], value y: Value, gradient g: Value) -> Value? {
        let (a, b) = (operands[0], operands[1])
        let first = index == 0
        let full: Value? =
            switch self {
            case .add: g
            case .subtract: first ? g : -g
            case .multiply: g * (first ? b : a)
            case .divide: first ? g / b : -(g * y / b)
            // Ties share: each side of `maximum(x, x)` has derivative 1/2.
            case .maximum, .minimum: g * (0.5 * (y.equals(first ? a : b) + 1 - y.equals(first ? b : a)))
            case .mask: first ? g.masked(by: b) : nil
            case .equal: nil
            }
        return full?.summed(to: operands[index].shape)
    }

    func simplified(_ operands: [Value], in graph: Graph) -> Value? {
        simplifiedBinary(self, operands[0], operands[1], in: graph)
    }
}

/// `condition > 0 ? a : b`, element by element, all of one shape; constant in the condition.
struct Select: ChainOperation {
    var function: mr_function { MR_SELECT }

    func shape(of operands: [Shape]) throws(MetarecError) -> Shape { try broadcastShape(operands, for: "select") }

    func adjoint(of index: Int, operands: [Value], value: Value, gradient g: Value) -> Value? {
        guard index > 0 else { return nil }
        let zero = g.graph.constant(0, shape: g.shape)
        let full = index == 1 ? operands[0].select(g, zero) : operands[0].select(zero, g)
        return full.summed(to: operands[index].shape)
    }
}

/// `coefficient * x`.
struct Scale: ChainOperation {
    let coefficient: Coefficient
    var function: mr_function { MR_SCALE }

    func shape(of operands: [Shape]) -> Shape { operands[0] }
    func adjoint(of index: Int, operands: [Value], value: Value, gradient: Value) -> Value? {
        gradient.scaled(by: coefficient)
    }

    func simplified(_ operands: [Value], in graph: Graph) -> Value? {
        let x = operands[0]
        if coefficient.isOne { return x }
        if coefficient.isZero { return graph.constant(0, shape: x.shape) }
        if let constant = x.constant { return graph.constant(coefficient * constant, shape: x.shape) }
        if let inner = x.operation as? Scale { return x.operands[0].scaled(by: coefficient * inner.coefficient) }
        return nil
    }
}

/// `coefficient + x`.
struct Offset: ChainOperation {
    let coefficient: Coefficient
    var function: mr_function { MR_OFFSET }

    func shape(of operands: [Shape]) -> Shape { operands[0] }
    func adjoint(of index: Int, operands: [Value], value: Value, gradient: Value) -> Value? { gradient }
    func simplified(_ operands: [Value], in graph: Graph) -> Value? { coefficient.isZero ? operands[0] : nil }
}

/// The common shape of operands of which some may be one row, one column or one number.
private func broadcastShape(_ shapes: [Shape], for name: String) throws(MetarecError) -> Shape {
    var result = shapes[0]
    for shape in shapes.dropFirst() {
        for side in [\Shape.rows, \Shape.columns] where result[keyPath: side] != shape[keyPath: side] {
            if result[keyPath: side] == 1 {
                result[keyPath: side] = shape[keyPath: side]
            } else if shape[keyPath: side] != 1 {
                throw MetarecError.value("\(name): shapes \(shapes[0]) and \(shape) do not broadcast")
            }
        }
    }
    return result
}

/// Arithmetic with constants becomes `Scale` or `Offset`; scales float out.
private func simplifiedBinary(_ function: Binary, _ a: Value, _ b: Value, in graph: Graph) -> Value? {
    let shape = (try? function.shape(of: [a.shape, b.shape])) ?? a.shape
    func wide(_ x: Value) -> Value { x.broadcast(to: shape) }
    func offset(_ x: Value, by c: Coefficient) -> Value { wide(graph.append(Offset(coefficient: c), x)) }
    let (ca, cb) = (a.constant, b.constant)
    switch function {
    case .add:
        if let ca { return ca.isZero ? wide(b) : offset(b, by: ca) }
        if let cb { return cb.isZero ? wide(a) : offset(a, by: cb) }
        if a == b { return a.scaled(by: Coefficient(2)) }
        // a + (-c) x = a - c x: the form that fuses into the product that made x.
        if let s = b.operation as? Scale, s.coefficient.isMinusOne { return a - b.operands[0] }
        if let s = a.operation as? Scale, s.coefficient.isMinusOne { return b - a.operands[0] }
    case .subtract:
        if let cb { return cb.isZero ? wide(a) : offset(a, by: -cb) }
        if let ca { return ca.isZero ? wide(-b) : offset(-b, by: ca) }
        if a == b { return graph.constant(0, shape: shape) }
    case .multiply:
        if let ca { return wide(b.scaled(by: ca)) }
        if let cb { return wide(a.scaled(by: cb)) }
        if let s = a.operation as? Scale { return (a.operands[0] * b).scaled(by: s.coefficient) }
        if let s = b.operation as? Scale { return (a * b.operands[0]).scaled(by: s.coefficient) }
        if a == b { return a.square }
    case .divide:
        if let number = cb?.number { return wide(a.scaled(by: Coefficient(1 / number))) }
        if let ca { return wide(b.reciprocal.scaled(by: ca)) }
        if let s = a.operation as? Scale { return (a.operands[0] / b).scaled(by: s.coefficient) }
    case .mask:
        if ca?.isZero == true { return graph.constant(0, shape: shape) }
        if let s = a.operation as? Scale { return a.operands[0].masked(by: b).scaled(by: s.coefficient) }
        if a.operation as? Binary == .mask, a.operands[1] == b { return a }
        if a == b, b.operation as? Unary == .relu { return a }
    case .maximum, .minimum, .equal:
        break
    }
    return nil
}

extension Coefficient {
    fileprivate var isMinusOne: Bool { number == -1 }
}
