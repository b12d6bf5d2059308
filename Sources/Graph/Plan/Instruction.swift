/// The kernels that instructions call.
enum Kernel: UInt8, Sendable {
    case gemm, chain, sum, transpose, copy, fill, bag, bagTransposed, rowMax, softmax, logSumExp
    case cholesky, solve, logDeterminant, identity
}

/// Where a matrix lies while a task runs: in a slot, some elements from its start, with a row stride.
struct Operand: Hashable, Sendable {
    var slot: Int32
    var offset: Int32 = 0
    /// Index of the stride among the plan's dimensions.
    var stride: Int32
}

/// One kernel call. Sizes and strides are indices into the plan's dimensions, resolved when a task arrives.
struct Instruction: Sendable {
    var kernel: Kernel
    var epilogue: Int32 = 0
    var transposesA = false
    /// Size of the result, and the inner dimension of a product. Reductions and copies: size of the operand.
    var rows: Int32 = 0
    var columns: Int32 = 0
    var inner: Int32 = 0
    var out: Operand
    var a: Operand?
    var b: Operand?
    var d: Operand?
    var mask: Operand?
    var bias: Operand?
    /// Index among the plan's coefficients.
    var coefficient: Int32 = 0
    /// Of a product: the factor of it and its addend together, and that of its bias.
    var gamma: Int32?
    var delta: Int32 = 0
    /// The axis of a sum, the number of a chain or of an index input.
    var detail: Int32 = 0
}

/// A fused chain of element-wise operations: `mr_chain` before its pointers are known.
struct Chain: Sendable {
    struct Input: Hashable, Sendable {
        var operand: Operand
        /// 0 where one column is broadcast, else 1.
        var columnStride: Int32
    }
    struct Step: Sendable {
        var function: UInt32
        var operands: [Int32]
        var coefficient: Int32
    }

    /// In the order of `mr_function`.
    static let functionNames = [
        "add", "subtract", "multiply", "divide", "maximum", "minimum", "mask", "equal", "select", "scale", "offset",
        "relu", "sigmoid", "tanh", "softplus", "exp", "log", "sqrt", "square", "abs", "sign", "reciprocal",
    ]

    var inputs: [Input]
    var steps: [Step]
}
