/// A compiled graph: a list of kernel calls over slots of an arena, valid for tasks of any size.
///
/// Compiling simplifies the finished graph, gives transposed factors a node of their own, fuses element-wise chains and
/// what follows a product into it, hoists what no task changes, and lets values share memory when their lives do not
/// overlap.
public struct Plan: Sendable {
    /// Who owns the memory of a slot.
    enum Owner: Hashable, Sendable {
        /// A parameter, read by all tasks.
        case parameter(Int)
        /// A matrix that the task brings.
        case input(Int)
        /// Computed once per run, read by all tasks.
        case shared
        /// Computed for each task in its worker's arena.
        case arena
    }

    struct Slot: Sendable {
        var owner: Owner
        var rows: Dimension
        var columns: Dimension
    }

    struct Output: Sendable {
        var operand: Operand
        var rows: Int32
        var columns: Int32
    }

    let dimensions: [Dimension]
    let coefficients: [Coefficient]
    let slots: [Slot]
    let chains: [Chain]
    /// Run once per run.
    let prologue: [Instruction]
    /// Run for each task.
    let instructions: [Instruction]
    let outputs: [Output]
    /// By output: the parts of its sum over the tasks, where it is not summed as it is.
    let summands: [Int: [Summand]]
    /// How many sizes a task must bring: one more than the largest symbol in use.
    let symbolCount: Int

    /// The slot of the arena that an output fills all alone, contiguously; nil where it shares memory.
    func ownSlot(ofOutput number: Int) -> Int? {
        let output = outputs[number]
        let slot = slots[Int(output.operand.slot)]
        func isAlone(_ other: Output) -> Bool { other.operand.slot != output.operand.slot }
        guard slot.owner == .arena, output.operand.offset == 0, slot.rows == dimensions[Int(output.rows)],
            slot.columns == dimensions[Int(output.columns)], slot.columns == dimensions[Int(output.operand.stride)],
            outputs[..<number].allSatisfy(isAlone), outputs[(number + 1)...].allSatisfy(isAlone)
        else { return nil }
        return Int(output.operand.slot)
    }

    /// Kernel calls per task.
    public var instructionCount: Int { instructions.count }
    /// Kernel calls per run, for all tasks together.
    public var prologueCount: Int { prologue.count }
    /// Number of outputs.
    public var outputCount: Int { outputs.count }
    /// Columns of an output, where they are the same for every task; else 0.
    public func outputColumns(_ number: Int) -> Int { dimensions[Int(outputs[number].columns)].fixedValue ?? 0 }

    /// Whether it reads input `number`.
    public func reads(input number: Int) -> Bool { slots.contains { $0.owner == .input(number) } }

    /// Multiply-adds of the products for a task with these sizes, indexed by symbol.
    public func multiplyAdds(sizes: [Int]) -> Int {
        func size(_ index: Int32) -> Int {
            switch dimensions[Int(index)] {
            case .fixed(let value): value
            case .symbol(let symbol): sizes[symbol.id]
            }
        }
        return instructions.filter { $0.kernel == .gemm }
            .reduce(0) { $0 + size($1.rows) * size($1.columns) * size($1.inner) }
    }

    /// Compiles the graph that computes `outputs`, `without` some rewrites: unless it is said, those that the
    /// environment variable `METAREC_WITHOUT` names.
    ///
    /// - Parameters:
    ///   - summed: the outputs of which nothing but their sum over the tasks is wanted. Where there are some, the plan
    ///     trains, on queries of some ten rows.
    ///   - expected: what is known of sizes: how many rows a table has, by the symbol of how many a task touches, and how
    ///     long segments are that are not those of an ordinary task. So what is cheaper is decided, and no result.
    /// - Throws: the first misfit of shapes met while the graph was traced, outputs of different graphs, or an unknown
    ///   name in `METAREC_WITHOUT`.
    /// - Complexity: O(nodes), a few milliseconds for thousands of nodes.
    public init(
        _ outputs: [Value], summed: Set<Int> = [], expecting expected: [Symbol: Int] = [:],
        without leftOut: Set<Rewrite>? = nil
    ) throws(MetarecError) {
        if let error = outputs.lazy.compactMap(\.graph.error).first { throw error }
        guard outputs.allSatisfy({ $0.graph === outputs[0].graph }) else {
            throw MetarecError.value("outputs: they belong to different graphs")
        }
        let standard = try Rewrite.standard.get()
        let rewrites = leftOut.map { leftOut in Rewrite.allCases.filter { !leftOut.contains($0) } } ?? standard
        // Where sums are wanted the query is an episode's, short; what is predicted may be many.
        let suitable = summed.isEmpty ? rewrites.filter { $0 != .upperGram } : rewrites
        let (separated, summands) = separateOuterProducts(
            simplify(outputs, suitable, expected), summed: rewrites.contains(.outerProducts) ? summed : [])
        self = Lowering(packTransposes(separated), rewrites).plan(summands)
    }

    init(
        dimensions: [Dimension], coefficients: [Coefficient], slots: [Slot], chains: [Chain], prologue: [Instruction],
        instructions: [Instruction], outputs: [Output], summands: [Int: [Summand]]
    ) {
        self.dimensions = dimensions
        self.coefficients = coefficients
        self.slots = slots
        self.chains = chains
        self.prologue = prologue
        self.instructions = instructions
        self.outputs = outputs
        self.summands = summands
        var symbols: [Symbol] = coefficients.flatMap { $0.numerator + $0.denominator }
        for case .symbol(let symbol) in dimensions { symbols.append(symbol) }
        symbolCount = (symbols.map(\.id).max() ?? -1) + 1
    }
}
