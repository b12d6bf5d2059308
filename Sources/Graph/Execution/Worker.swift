import CMetarec
import Kernels

/// A matrix in memory: `rows * columns` elements, rows `stride` elements apart.
public struct MatrixView {
    /// The first element.
    public let pointer: UnsafeMutableRawPointer
    /// Row count.
    public let rows: Int
    /// Column count.
    public let columns: Int
    /// Elements from one row to the next; 0 repeats one row.
    public let stride: Int
}

/// One thread's memory for running a plan: the sizes and inputs of the task at hand, and the arena of its values.
///
/// Nothing here is allocated per task: the arena grows when a larger task than ever comes, and stays.
public final class Worker {
    private let layout: TaskLayout
    private let outputs: UnsafeMutableBufferPointer<Plan.Output>
    private let precision: Precision
    private let slotOfInput: UnsafeMutableBufferPointer<Int>
    /// The slots that outputs have for themselves, or -1, and where the task's outputs are wanted.
    private let slotOfOutput: UnsafeMutableBufferPointer<Int>
    private let wantedAt: UnsafeMutableBufferPointer<UnsafeMutableRawPointer?>
    let sizes: UnsafeMutablePointer<Int>
    let dimensions: UnsafeMutablePointer<Int>
    let coefficients: UnsafeMutablePointer<Double>
    let bases: UnsafeMutablePointer<UnsafeMutableRawPointer>
    let indices: UnsafeMutablePointer<mr_bag>
    let chainInputs: UnsafeMutablePointer<mr_chain_input>
    private var arena: Buffer
    /// How often the arena had to grow: constant once the largest task has been seen.
    public private(set) var growthCount = 0

    init(_ plan: Plan, _ layout: TaskLayout, _ precision: Precision, _ shape: Executor.Interface) {
        self.layout = layout
        self.precision = precision
        var slotOfInput = [Int](repeating: -1, count: shape.inputCount)
        for (slot, declared) in plan.slots.enumerated() {
            if case .input(let number) = declared.owner { slotOfInput[number] = slot }
        }
        self.slotOfInput = .copy(slotOfInput)
        outputs = .copy(plan.outputs)
        slotOfOutput = .copy(plan.outputs.indices.map { plan.ownSlot(ofOutput: $0) ?? -1 })
        wantedAt = .copy(plan.outputs.map { _ in nil })
        arena = Buffer(byteCount: 0)
        sizes = .allocate(capacity: max(plan.symbolCount, shape.symbolCount) + 1)
        sizes.initialize(repeating: 0, count: max(plan.symbolCount, shape.symbolCount) + 1)
        dimensions = .allocate(capacity: plan.dimensions.count + 1)
        dimensions.initialize(repeating: 0, count: plan.dimensions.count + 1)
        coefficients = .allocate(capacity: plan.coefficients.count + 1)
        coefficients.initialize(repeating: 0, count: plan.coefficients.count + 1)
        bases = .allocate(capacity: plan.slots.count + 1)
        bases.initialize(repeating: arena.pointer, count: plan.slots.count + 1)
        indices = .allocate(capacity: shape.indexCount + 1)
        indices.initialize(
            repeating: mr_bag(rows: 0, columns: 0, ids: Worker.noIds, offsets: nil, weights: nil, alpha: 1),
            count: shape.indexCount + 1)
        chainInputs = .allocate(capacity: Int(MR_CHAIN_INPUTS))
    }

    deinit {
        sizes.deallocate()
        dimensions.deallocate()
        coefficients.deallocate()
        bases.deallocate()
        indices.deallocate()
        chainInputs.deallocate()
        slotOfInput.deallocate()
        outputs.deallocate()
        slotOfOutput.deallocate()
        wantedAt.deallocate()
    }

    private nonisolated(unsafe) static let noIds: UnsafePointer<Int32> = {
        let pointer = UnsafeMutablePointer<Int32>.allocate(capacity: 1)
        pointer.initialize(to: -1)
        return UnsafePointer(pointer)
    }()

    // MARK: What a task brings

    /// Sets a size of the task.
    public func setSize(_ symbol: Symbol, _ size: Int) { sizes[symbol.id] = size }

    /// Sets input `number`: contiguous rows, padded as `Buffer` is, alive until the task has run.
    public func setInput(_ number: Int, _ pointer: UnsafeRawPointer) {
        let slot = slotOfInput[number]
        if slot >= 0 { bases[slot] = UnsafeMutableRawPointer(mutating: pointer) }
    }

    /// Sets index input `number`: `rows` rows of local ids, alive until the task has run.
    public func setIndices(
        _ number: Int, rows: Int, ids: UnsafePointer<Int32>, offsets: UnsafePointer<Int32>? = nil,
        weights: UnsafeRawPointer? = nil
    ) {
        indices[number] = mr_bag(
            rows: Int64(rows), columns: 0, ids: ids, offsets: offsets, weights: weights, alpha: 1)
    }

    /// Asks for output `number` of the task at `pointer`: contiguous memory, padded as `Buffer` is, alive until the task
    /// has run. `copyOutput` to the same place then costs nothing.
    public func setOutput(_ number: Int, _ pointer: UnsafeMutableRawPointer) {
        if slotOfOutput[number] >= 0 { wantedAt[number] = pointer }
    }

    // MARK: What it gives back

    /// Output `number` of the task that has just run; valid until the next one.
    public func output(_ number: Int) -> MatrixView {
        let output = outputs[number]
        return MatrixView(
            pointer: address(output.operand), rows: dimensions[Int(output.rows)],
            columns: dimensions[Int(output.columns)], stride: dimensions[Int(output.operand.stride)])
    }

    /// Copies output `number` to contiguous memory.
    public func copyOutput(_ number: Int, to target: UnsafeMutableRawPointer) {
        let view = output(number)
        guard view.pointer != target else { return }
        precision.kernels.pointee.copy(
            Int64(view.rows), Int64(view.columns), view.pointer, Int64(view.stride), target, Int64(view.columns))
    }

    /// The one element of output `number`.
    public func scalarOutput(_ number: Int) -> Double {
        let pointer = output(number).pointer
        return precision == .float
            ? Double(pointer.load(as: Float.self)) : pointer.load(as: Double.self)
    }

    // MARK: Resolving

    func address(_ operand: Operand) -> UnsafeMutableRawPointer {
        bases[Int(operand.slot)] + Int(operand.offset) * precision.elementSize
    }

    /// Turns sizes into dimensions, coefficients and addresses.
    func resolve() {
        layout.resolve(dimensions: dimensions, sizes: sizes)
        layout.resolve(coefficients: coefficients, sizes: sizes)
        let byteCount = layout.arenaByteCount(sizes: sizes)
        if byteCount > arena.byteCount {
            arena = Buffer(byteCount: byteCount + byteCount / 4)
            growthCount += 1
        }
        layout.place(bases, in: arena.pointer, sizes: sizes)
        for number in wantedAt.indices {
            guard let pointer = wantedAt[number] else { continue }
            bases[slotOfOutput[number]] = pointer
            wantedAt[number] = nil
        }
    }
}
