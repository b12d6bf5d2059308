/// A matrix that all tasks share: a parameter of the model.
struct Parameter: Operation {
    let number: Int
    let declared: Shape

    func shape(of operands: [Shape]) -> Shape { declared }
    func adjoint(of index: Int, operands: [Value], value: Value, gradient: Value) -> Value? { nil }
    func lower(_ node: Int, in lowering: Lowering) { lowering.bind(node, to: .parameter(number)) }
}

/// A matrix that each task brings: targets, gathered rows of a table, dense features.
struct Input: Operation {
    let number: Int
    let declared: Shape

    func shape(of operands: [Shape]) -> Shape { declared }
    func adjoint(of index: Int, operands: [Value], value: Value, gradient: Value) -> Value? { nil }
    func lower(_ node: Int, in lowering: Lowering) { lowering.bind(node, to: .input(number)) }
}

/// A matrix filled with one number.
struct Constant: Operation {
    let coefficient: Coefficient
    let declared: Shape

    func shape(of operands: [Shape]) -> Shape { declared }
    func adjoint(of index: Int, operands: [Value], value: Value, gradient: Value) -> Value? { nil }

    func lower(_ node: Int, in lowering: Lowering) {
        lowering.emit(.fill, node, coefficient: coefficient)
    }
}

/// The same value, but a constant to derivatives. Compiling drops it.
struct StopGradient: Operation {
    func shape(of operands: [Shape]) -> Shape { operands[0] }
    func adjoint(of index: Int, operands: [Value], value: Value, gradient: Value) -> Value? { nil }
    func lower(_ node: Int, in lowering: Lowering) { lowering.emit(.copy, node, a: lowering.operands(node)[0]) }
    func simplified(_ operands: [Value], in graph: Graph) -> Value? { operands[0] }
}

extension Graph {
    /// Parameter `number` of the plan, shared by all tasks.
    public func parameter(_ number: Int, _ shape: Shape) -> Value {
        append(Parameter(number: number, declared: shape))
    }

    /// Input `number` of the plan, brought by each task.
    public func input(_ number: Int, _ shape: Shape) -> Value { append(Input(number: number, declared: shape)) }

    /// A matrix filled with `number`.
    public func constant(_ number: Double, shape: Shape) -> Value { constant(Coefficient(number), shape: shape) }

    func constant(_ coefficient: Coefficient, shape: Shape) -> Value {
        append(Constant(coefficient: coefficient, declared: shape))
    }
}

extension Value {
    /// The same value, but a constant to derivatives.
    public var stopGradient: Value { graph.append(StopGradient(), self) }

    /// What the matrix is filled with, if it is a constant.
    var constant: Coefficient? { (operation as? Constant)?.coefficient }
}
