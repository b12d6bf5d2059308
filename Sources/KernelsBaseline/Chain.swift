import CMetarec

/// Where a step finds an operand: `stride` elements lie between its vectors, none if all are the same.
private struct Operand<E: KernelElement> {
    var pointer: UnsafePointer<E>
    var stride: Int

    @inline(__always) subscript(vector: Int) -> E.Vector { load(pointer + vector * stride) }
}

/// `mr_chain`, evaluated tile by tile: each step runs over a whole tile before the next, in memory that stays in the
/// first cache, so that choosing the function costs little.
struct Chain<E: KernelElement> {
    private static var tileVectors: Int { 16 }

    private var rows, columns: Int
    private let chain: mr_chain
    private let out: UnsafeMutablePointer<E>
    /// Whether all full-shaped operands lie in memory as one row.
    private var isFlat = true

    init(_ p: UnsafePointer<mr_chain>) {
        chain = p.pointee
        (rows, columns) = (Int(chain.rows), Int(chain.columns))
        out = chain.out.assumingMemoryBound(to: E.self)
        isFlat = rows == 1 || chain.out_row == chain.columns
        for i in 0..<Int(chain.input_count) where isFlat {
            let input = chain.inputs[i]
            let isScalar = isSplat(input) && (input.row == 0 || rows == 1)
            let isWhole = !isSplat(input) && input.row == chain.columns || columns == 1 && input.row == 1
            isFlat = isScalar || isWhole || rows == 1
        }
    }

    /// Whether a row of the input is one value.
    @inline(__always) private func isSplat(_ input: mr_chain_input) -> Bool { input.column == 0 || columns == 1 }

    func run() {
        if rows == 0 || columns == 0 { return }
        let steps = Int(chain.step_count)
        let inputs = Int(chain.input_count)
        let width = width(E.self)
        let tile = Chain.tileVectors * width
        let scratch = mr_scratch().assumingMemoryBound(to: E.self)
        // Behind the results: one vector for the end of the last one, then one for each splat.
        let end = scratch + steps * tile
        let splats = end + width

        withUnsafeTemporaryAllocation(of: Operand<E>.self, capacity: Int(MR_CHAIN_INPUTS + MR_CHAIN_STEPS)) {
            guard let operands = $0.baseAddress else { return }
            for s in 0..<steps {
                operands[inputs + s] = Operand(pointer: UnsafePointer(scratch + s * tile), stride: width)
            }
            let (lineCount, lineLength) = isFlat ? (1, rows * columns) : (rows, columns)
            for line in 0..<lineCount {
                for i in 0..<inputs {
                    let input = chain.inputs[i]
                    let data = input.data.assumingMemoryBound(to: E.self) + line * Int(input.row)
                    if isFlat ? isSplat(input) && (input.row == 0 || rows == 1) : isSplat(input) {
                        store(E.Vector(repeating: data.pointee), splats + i * width)
                        operands[i] = Operand(pointer: UnsafePointer(splats + i * width), stride: 0)
                    } else {
                        operands[i] = Operand(pointer: data, stride: width)
                    }
                }
                let row = out + line * Int(chain.out_row)
                var j = 0
                while j < lineLength {
                    let count = min(tile, lineLength - j)
                    run(operands, count, row + j, end)
                    for i in 0..<inputs where operands[i].stride != 0 { operands[i].pointer += tile }
                    j += tile
                }
            }
        }
    }

    /// One tile of `count` elements.
    @inline(__always) private func run(
        _ operands: UnsafeMutablePointer<Operand<E>>, _ count: Int, _ out: UnsafeMutablePointer<E>,
        _ end: UnsafeMutablePointer<E>
    ) {
        let width = width(E.self)
        let steps = Int(chain.step_count)
        let inputs = Int(chain.input_count)
        for s in 0..<(steps - 1) {
            let result = UnsafeMutablePointer(mutating: operands[inputs + s].pointer)
            evaluate(chain.steps[s], operands, 0, (count + width - 1) / width, result)
        }
        let last = chain.steps[steps - 1]
        let whole = count / width
        if whole > 0 { evaluate(last, operands, 0, whole, out) }
        if whole * width < count {
            evaluate(last, operands, whole, 1, end)
            (load(end) as E.Vector).store(out + whole * width, first: count - whole * width)
        }
    }

    /// One step over `count` vectors of its operands, from number `first` on.
    @inline(never) private func evaluate(
        _ step: mr_chain_step, _ operands: UnsafeMutablePointer<Operand<E>>, _ first: Int, _ count: Int,
        _ out: UnsafeMutablePointer<E>
    ) {
        typealias V = E.Vector
        let width = width(E.self)
        let one = V(repeating: 1)
        let zero = V(repeating: 0)

        @inline(__always) func operand(_ number: Int32) -> Operand<E> {
            var operand = operands[Int(number)]
            operand.pointer += first * operand.stride
            return operand
        }
        @inline(__always) func map(_ f: (V) -> V) {
            let a = operand(step.a)
            for i in 0..<count { store(f(a[i]), out + i * width) }
        }
        @inline(__always) func map2(_ f: (V, V) -> V) {
            let (a, b) = (operand(step.a), operand(step.b))
            for i in 0..<count { store(f(a[i], b[i]), out + i * width) }
        }

        switch mr_function(UInt32(bitPattern: step.function)) {
        case MR_ADD: map2 { $0 + $1 }
        case MR_SUBTRACT: map2 { $0 - $1 }
        case MR_MULTIPLY: map2 { $0 * $1 }
        case MR_DIVIDE: map2 { $0 / $1 }
        case MR_MAXIMUM: map2 { V.maximum($0, $1) }
        case MR_MINIMUM: map2 { V.minimum($0, $1) }
        case MR_MASK: map2 { $0.kept(where: $1) }
        case MR_EQUAL: map2 { V.ifEqual($0, $1, one, else: zero) }
        case MR_SELECT:
            let c = operand(step.c)
            let (a, b) = (operand(step.a), operand(step.b))
            for i in 0..<count {
                store(V.ifLess(zero, a[i], b[i], else: c[i]), out + i * width)
            }
        case MR_SCALE:
            let value = V(repeating: E(chain.values[Int(step.value)]))
            map { value * $0 }
        case MR_OFFSET:
            let value = V(repeating: E(chain.values[Int(step.value)]))
            map { value + $0 }
        case MR_RELU: map { $0.rectified }
        case MR_SIGMOID: map { V.sigmoid($0) }
        case MR_TANH: map { V.tanh($0) }
        case MR_SOFTPLUS: map { V.softplus($0) }
        case MR_EXP: map { V.exp($0) }
        case MR_LOG: map { V.log($0) }
        case MR_SQRT: map { V.squareRoot($0) }
        case MR_SQUARE: map { $0 * $0 }
        case MR_ABS: map { V.maximum($0, zero - $0) }
        case MR_SIGN:
            map { V.ifLess(zero, $0, one, else: V.ifLess($0, zero, zero - one, else: $0)) }
        default: map { one / $0 }
        }
    }
}
