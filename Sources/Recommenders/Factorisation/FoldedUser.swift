import CMetarec
public import Graph
import Kernels

/// Items for `FoldedUser`, in the caller's memory: depends on the factorisation alone, not on users.
public struct ItemColumns: @unchecked Sendable {
    /// [S, D + 1, stride]: of every item (b_i, 1, q_i), a column.
    public let values: UnsafePointer<Float>
    /// At least the items, the unknown one among them, and 16.
    public let stride: Int

    /// The array and its last axis.
    public init(values: UnsafePointer<Float>, stride: Int) { (self.values, self.stride) = (values, stride) }
}

/// One user folded in, who then scores any number of items by products of matrices in single precision.
///
/// Of every sample a matrix [D + 1, D + 1] over an item's (b_i, 1, q_i): its first row (1, w) gives the mean, the others
/// (0, L⁻¹), P = L Lᵀ, a vector whose squared length is the variance that P leaves. See `FoldIn`.
///
/// Cost: to fold in, that of `FoldIn` and D³ a sample; D² / 2 a sample and item, most of it multiply-adds of 32 bits.
public struct FoldedUser: @unchecked Sendable {
    private let fold: FoldIn
    /// [S, D + 1, D + 1]
    private let matrices: UnsafeMutablePointer<Float>

    /// Items of which one product is taken: what is known of them stays in a processor's cache.
    private static let block = 256
    /// Rows of the factor that are multiplied together, the zeros above its diagonal left out.
    private static let rows = 6
    /// Blocks from which on, and samples, another thread is worth waking.
    private static let (blocksPerThread, samplesPerThread) = (2, 16)

    /// A user whose matrices are in the caller's memory, or will be after `load`.
    public init(_ fold: FoldIn, matrices: UnsafeMutablePointer<Float>) {
        (self.fold, self.matrices) = (fold, matrices)
    }

    /// Folds in the user of the only task; its query is not looked at.
    ///
    /// - Throws: items or features that do not fit, a precision that is not positive definite, or interrupted.
    public func load(_ tasks: TaskSet, threads: Int, poll: Poll) throws {
        let factors = fold.factors
        guard tasks.items.rows == factors.items, tasks.count == 1 else {
            throw MetarecError.value(
                "tasks: \(tasks.count) of \(tasks.items.rows) items, wanted one of \(factors.items)")
        }
        let extent = try tasks.extent(of: 0)
        let rows = try FoldIn.Rows(tasks, extent)
        let targets = try fold.targets(tasks, [extent])
        let d = factors.dimension
        let threads = min(threads, max(1, factors.samples / FoldedUser.samplesPerThread))
        let memory = (0..<threads).map { _ in (NormalEquations(dimension: d), DenseMatrix(d, d)) }
        try parallel(count: factors.samples, threads: threads, poll: poll) { sample, thread, tick in
            try tick(0)
            let (system, inverse) = memory[thread]
            try fold.solve(sample, rows, target: UnsafePointer(targets[sample].row(0)), in: system)
            inverse.pointer.update(repeating: 0, count: d * d)
            for k in 0..<d { inverse[k, k] = 1 }
            system.factor.solveLower(inverse, transposed: false)
            let matrix = matrices + sample * (d + 1) * (d + 1)
            matrix[0] = 1
            for k in 0..<d { matrix[1 + k] = Float(system.solution.pointer[k]) }
            for row in 0..<d {
                let out = matrix + (1 + row) * (d + 1)
                out[0] = 0
                for k in 0..<d { out[1 + k] = k > row ? 0 : Float(inverse[row, k]) }
            }
        }
    }

    /// One thread's memory: matrices of a block's width.
    private final class Memory {
        /// Of a block's items (b_i, 1, q_i), a row each, and as columns.
        let gathered, columns: UnsafeMutablePointer<Float>
        /// [S, block]: the means by sample; [D, block]: L⁻¹ a and the sum over the samples of its squares.
        let means, product, squares: UnsafeMutablePointer<Float>
        /// [block]
        let mean, spread, length: UnsafeMutablePointer<Float>
        private let buffer: Buffer

        init(samples: Int, dimension d: Int) {
            let rows = [d + 1, d + 1, samples, d, d, 1, 1, 1]
            let buffer = Buffer(count: rows.reduce(0, +) * FoldedUser.block, .float)
            self.buffer = buffer
            let first = buffer.pointer.assumingMemoryBound(to: Float.self)
            func part(_ number: Int) -> UnsafeMutablePointer<Float> {
                first + rows[..<number].reduce(0, +) * FoldedUser.block
            }
            (gathered, columns, means, product, squares) = (part(0), part(1), part(2), part(3), part(4))
            (mean, spread, length) = (part(5), part(6), part(7))
        }
    }

    /// The moments of the ratings of rows of the item table, −1: an unknown item.
    ///
    /// Each by itself: they are the same whatever the other items are, and however many threads.
    public func predict(
        _ items: UnsafeBufferPointer<Int32>, _ columns: ItemColumns, means: UnsafeMutablePointer<Double>,
        variances: UnsafeMutablePointer<Double>, threads: Int, poll: Poll
    ) throws {
        let factors = fold.factors
        guard columns.stride >= factors.items + 17 else {
            throw MetarecError.value("item_columns: \(columns.stride) a row, wanted \(factors.items + 17)")
        }
        // A copy: what is borrowed may change after it was checked.
        let places = try items.enumerated().map { index, item in
            guard item >= -1, Int(item) < factors.items else {
                throw MetarecError.index("items[\(index)] = \(item): outside -1 ..< \(factors.items)")
            }
            return item < 0 ? factors.items : Int(item)
        }
        let size = FoldedUser.block
        let blocks = (places.count + size - 1) / size
        let threads = min(threads, max(1, blocks / FoldedUser.blocksPerThread))
        let memory = (0..<threads).map { _ in Memory(samples: factors.samples, dimension: factors.dimension) }
        nonisolated(unsafe) let (means, variances) = (means, variances)
        try parallel(count: blocks, threads: threads, poll: poll) { block, thread, tick in
            try tick(0)
            let first = block * size
            predict(
                places[first..<min(first + size, places.count)], columns, memory[thread], means + first,
                variances + first)
        }
    }

    private func predict(
        _ places: ArraySlice<Int>, _ columns: ItemColumns, _ memory: Memory, _ means: UnsafeMutablePointer<Double>,
        _ variances: UnsafeMutablePointer<Double>
    ) {
        let (factors, size) = (fold.factors, FoldedUser.block)
        let (d, width) = (factors.dimension, (places.count + 15) & ~15)
        let first = places[places.startIndex]
        let isRun = zip(places, first...).allSatisfy { $0 == $1 }
        let kernels = Precision.float.kernels.pointee
        kernels.fill(1, Int64(d * size), 0, memory.squares, Int64(d * size))
        for sample in 0..<factors.samples {
            let matrix = matrices + sample * (d + 1) * (d + 1)
            var (known, row) = (columns.values + sample * (d + 1) * columns.stride + first, columns.stride)
            if !isRun {
                gather(places, sample, memory)
                (known, row) = (UnsafePointer(memory.columns), size)
            }
            multiply(matrix, known, row, into: memory.means + sample * size, (1, width, d + 1))
            for start in stride(from: 0, to: d, by: FoldedUser.rows) {
                let end = min(start + FoldedUser.rows, d)
                multiply(
                    matrix + (1 + start) * (d + 1) + 1, known + row, row, into: memory.product + start * size,
                    (end - start, width, end))
            }
            addSquares(memory.product, to: memory.squares, rows: d, width)
        }
        reduce(memory, width)
        let share = 1 / Double(factors.samples)
        let (noise, content) = (total(factors.noise) * share, total(factors.contentNoise) * share)
        for (index, place) in places.enumerated() {
            means[index] = fold.mean + Double(memory.mean[index])
            variances[index] =
                Double(memory.spread[index]) + Double(memory.length[index]) + noise
                + Double(factors.itemNovelty[place]) * content
        }
    }

    /// (b_i, 1, q_i) of the items in one sample, as columns.
    private func gather(_ places: ArraySlice<Int>, _ sample: Int, _ memory: Memory) {
        let (factors, d) = (fold.factors, fold.factors.dimension)
        let items = factors.itemFactors + sample * (factors.items + 1) * d
        for (index, place) in places.enumerated() {
            let (row, z) = (memory.gathered + index * (d + 1), items + place * d)
            (row[0], row[1]) = (z[0], 1)
            (row + 2).update(from: z + 1, count: d - 1)
        }
        Precision.float.kernels.pointee.transpose(
            Int64(places.count), Int64(d + 1), memory.gathered, Int64(d + 1), memory.columns, Int64(FoldedUser.block))
    }

    /// c = a b, of sizes (m, n, k); a is a part of a sample's matrix, c of a block's width.
    private func multiply(
        _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ bRow: Int, into c: UnsafeMutablePointer<Float>,
        _ size: (m: Int, n: Int, k: Int)
    ) {
        var product = mr_gemm(
            m: Int64(size.m), n: Int64(size.n), k: Int64(size.k), a: a, a_row: Int64(fold.factors.dimension + 1),
            a_column: 1, b: b, b_row: Int64(bRow), c: c, c_row: Int64(FoldedUser.block), d: nil, d_row: 0, mask: nil,
            mask_row: 0, alpha: 1, epilogue: Int32(bitPattern: MR_EPILOGUE_NONE.rawValue))
        Precision.float.kernels.pointee.gemm(&product)
    }

    /// sums += x², over rows of a block.
    private func addSquares(
        _ x: UnsafePointer<Float>, to sums: UnsafeMutablePointer<Float>, rows: Int, _ width: Int
    ) {
        let step = Int64(FoldedUser.block)
        run(
            rows, width, into: sums,
            [
                mr_chain_input(data: x, row: step, column: 1), mr_chain_input(data: sums, row: step, column: 1),
            ], MR_SQUARE, 0, MR_ADD, (2, 1))
    }

    /// From the samples' means and the sums of squares to the mean, its spread and the mean length, a row each.
    private func reduce(_ memory: Memory, _ width: Int) {
        let (kernels, step) = (Precision.float.kernels.pointee, Int64(FoldedUser.block))
        let (samples, d) = (fold.factors.samples, fold.factors.dimension)
        let share = 1 / Double(samples)
        func sum(_ rows: Int, _ x: UnsafePointer<Float>, into out: UnsafeMutablePointer<Float>) {
            kernels.sum(Int32(bitPattern: MR_OVER_ROWS.rawValue), Int64(rows), Int64(width), x, step, share, out, step)
        }
        sum(samples, memory.means, into: memory.mean)
        sum(d, memory.squares, into: memory.length)
        run(
            samples, width, into: memory.means,
            [
                mr_chain_input(data: memory.means, row: step, column: 1),
                mr_chain_input(data: memory.mean, row: 0, column: 1),
            ], MR_SUBTRACT, 1, MR_SQUARE, (2, 0))
        sum(samples, memory.means, into: memory.spread)
    }

    /// A chain of two steps over rows of a block: the first of the inputs 0 and `second`, then another of `operands`.
    private func run(
        _ rows: Int, _ width: Int, into out: UnsafeMutablePointer<Float>, _ inputs: [mr_chain_input],
        _ first: mr_function, _ second: Int32, _ last: mr_function, _ operands: (Int32, Int32)
    ) {
        let steps = [
            mr_chain_step(function: Int32(bitPattern: first.rawValue), a: 0, b: second, c: 0, value: 0),
            mr_chain_step(function: Int32(bitPattern: last.rawValue), a: operands.0, b: operands.1, c: 0, value: 0),
        ]
        inputs.withUnsafeBufferPointer { inputs in
            steps.withUnsafeBufferPointer { steps in
                guard let inputs = inputs.baseAddress, let steps = steps.baseAddress else { return }
                withUnsafePointer(to: 0.0) { values in
                    var chain = mr_chain(
                        rows: Int64(rows), columns: Int64(width), input_count: 2, step_count: 2, inputs: inputs,
                        steps: steps, values: values, out: out, out_row: Int64(FoldedUser.block))
                    Precision.float.kernels.pointee.chain(&chain)
                }
            }
        }
    }

    private func total(_ values: UnsafePointer<Double>) -> Double {
        (0..<fold.factors.samples).reduce(0) { $0 + values[$1] }
    }
}
