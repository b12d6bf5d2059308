import CMetarec

/// Where a step finds an operand: `stride` elements lie between its vectors, none if all are the same.
private struct Operand<E: KernelElement> {
    var pointer: UnsafePointer<E>
    var stride: Int

    @inline(__always) subscript(vector: Int) -> E.Vector { load(pointer + vector * stride) }
}

/// How an input reaches over the result.
private enum Reach {
    /// One value for all.
    case scalar
    /// One row for all rows.
    case row
    /// One value per row.
    case column
    /// A value per element.
    case whole
}

/// `mr_chain`, evaluated tile by tile: each step runs over a whole tile before the next, in memory that stays in the
/// first cache, so that choosing the function costs little.
struct Chain<E: KernelElement> {
    private typealias Scratch = UnsafeMutablePointer<E>

    private let chain: mr_chain
    private let rows, columns, inputs, steps: Int
    private let out: UnsafeMutablePointer<E>
    /// Elements of a tile.
    private var tile: Int { 16 * width(E.self) }

    init(_ p: UnsafePointer<mr_chain>) {
        chain = p.pointee
        (rows, columns) = (Int(chain.rows), Int(chain.columns))
        (inputs, steps) = (Int(chain.input_count), Int(chain.step_count))
        out = chain.out.assumingMemoryBound(to: E.self)
    }

    @inline(__always) private func reach(_ input: mr_chain_input) -> Reach {
        let hasRows = rows > 1 && input.row != 0
        let hasColumns = columns > 1 && input.column != 0
        if hasRows && (hasColumns || columns == 1 && input.row == 1) { return .whole }
        return hasRows ? .column : hasColumns ? .row : .scalar
    }

    /// How many rows are evaluated as one: all, if every operand is one run of memory; as many as fill a tile, if only
    /// rows and columns have to be repeated for that; else one.
    private var rowsTogether: Int {
        if rows > 1 && Int(chain.out_row) != columns { return 1 }
        var isFlat = true
        for i in 0..<inputs {
            switch reach(chain.inputs[i]) {
            case .scalar: break
            case .whole: if Int(chain.inputs[i].row) != columns { return 1 }
            case .row, .column: isFlat = isFlat && rows == 1
            }
        }
        return isFlat ? rows : max(1, tile / columns)
    }

    func run() {
        if rows == 0 || columns == 0 { return }
        // The results of the steps; a vector for the end of the last one; the inputs that are repeated.
        let scratch = mr_scratch().assumingMemoryBound(to: E.self)
        let end = scratch + steps * tile
        let together = rowsTogether

        withUnsafeTemporaryAllocation(of: Operand<E>.self, capacity: Int(MR_CHAIN_INPUTS + MR_CHAIN_STEPS)) {
            guard let operands = $0.baseAddress else { return }
            for s in 0..<steps {
                operands[inputs + s] = Operand(pointer: UnsafePointer(scratch + s * tile), stride: width(E.self))
            }
            var first = 0
            while first < rows {
                let count = min(together, rows - first)
                for i in 0..<inputs {
                    let copy = end + width(E.self) + i * (tile + width(E.self))
                    prepare(&operands[i], chain.inputs[i], first, count, together, copy)
                }
                let row = out + first * Int(chain.out_row)
                let length = count * columns
                var j = 0
                while j < length {
                    run(operands, min(tile, length - j), row + j, end)
                    for i in 0..<inputs where operands[i].stride != 0 { operands[i].pointer += tile }
                    j += tile
                }
                first += together
            }
        }
    }

    /// Points an operand to its part of `count` rows from `first` on, repeated in `copy` where memory lacks it.
    @inline(__always) private func prepare(
        _ operand: inout Operand<E>, _ input: mr_chain_input, _ first: Int, _ count: Int, _ together: Int,
        _ copy: Scratch
    ) {
        let data = input.data.assumingMemoryBound(to: E.self)
        let row = data + first * Int(input.row)
        switch reach(input) {
        case .scalar:
            store(E.Vector(repeating: data.pointee), copy)
            operand = Operand(pointer: UnsafePointer(copy), stride: 0)
        case .column where together == 1:
            store(E.Vector(repeating: row.pointee), copy)
            operand = Operand(pointer: UnsafePointer(copy), stride: 0)
        case .row where together > 1 && rows > 1:
            if first == 0 { repeatRows(count, copy) { j in load(data + j) } }
            operand = Operand(pointer: UnsafePointer(copy), stride: width(E.self))
        case .column:
            for i in 0..<count {
                let value = E.Vector(repeating: row[i * Int(input.row)])
                repeatRows(1, copy + i * columns) { _ in value }
            }
            operand = Operand(pointer: UnsafePointer(copy), stride: width(E.self))
        case .row, .whole:
            operand = Operand(pointer: row, stride: width(E.self))
        }
    }

    /// Writes `count` rows f, each a little over its end, where the next one starts.
    @inline(__always) private func repeatRows(_ count: Int, _ copy: Scratch, _ f: (Int) -> E.Vector) {
        for i in 0..<count {
            var j = 0
            while j < columns {
                store(f(j), copy + i * columns + j)
                j += width(E.self)
            }
        }
    }

    /// One tile of `count` elements.
    @inline(__always) private func run(
        _ operands: UnsafeMutablePointer<Operand<E>>, _ count: Int, _ out: UnsafeMutablePointer<E>,
        _ end: UnsafeMutablePointer<E>
    ) {
        let width = width(E.self)
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
