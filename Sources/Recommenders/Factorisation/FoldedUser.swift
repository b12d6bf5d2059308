import CMetarec
public import Graph
import Kernels

/// Items for `FoldedUser`, in the caller's memory: depends on the factorisation alone, not on users.
///
/// [blocks, S, D + 1, `block`]: of every item (1, q_i, b_i), a column; of so many items after each other, the unknown one
/// last, what is read together lies together.
public struct ItemColumns: @unchecked Sendable {
    /// Items whose columns lie together: what is known of them in a sample stays in a processor's cache.
    public static let block = 192

    let values: UnsafePointer<Float>

    /// An array of the shape given above; errors: one of another number of `blocks`, for so many `items`.
    public init(values: UnsafePointer<Float>, blocks: Int, items: Int) throws {
        let wanted = items / ItemColumns.block + 1
        guard blocks == wanted else {
            throw MetarecError.value("item_columns: \(blocks) blocks of items, wanted \(wanted)")
        }
        self.values = values
    }
}

/// One user folded in, who then scores any number of items by products of matrices in single precision.
///
/// Of every sample a matrix [D + 1, D + 1] over an item's (1, q_i, b_i): (L⁻¹, 0), P = L Lᵀ, gives a vector whose squared
/// length is the variance that P leaves, and the last row (w, 1) the mean. See `FoldIn`.
///
/// Cost: to fold in, that of `FoldIn` and D³ a sample; D² / 2 a sample and item, most of it multiply-adds of 32 bits.
public struct FoldedUser: @unchecked Sendable {
    private let fold: FoldIn
    /// [S, D + 1, D + 1]
    private let matrices: UnsafeMutablePointer<Float>

    /// Items of which one product is taken.
    private static let block = ItemColumns.block
    /// Rows of a matrix that are multiplied together, the zeros to the right of them left out.
    private static let rows = 6
    /// Blocks, and samples, that a thread is worth waking for.
    private static let (blocksPerThread, samplesPerThread) = (4, 32)

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
            for row in 0..<d {
                for k in 0...d { matrix[row * (d + 1) + k] = k > row ? 0 : Float(inverse[row, k]) }
            }
            for k in 0..<d { matrix[d * (d + 1) + k] = Float(system.solution.pointer[k]) }
            matrix[d * (d + 1) + d] = 1
        }
    }

    /// One thread's memory: matrices of a block's width.
    private final class Memory {
        /// Of a block's items (1, q_i, b_i), a row each, and as columns; [D + 1, block]: a matrix times them.
        let gathered, columns, product: UnsafeMutablePointer<Float>
        /// [S, block]: the means by sample; [block]: over all samples the mean, its spread, the sum of squared lengths.
        let means, mean, spread, squares: UnsafeMutablePointer<Float>
        private let buffer: Buffer

        init(samples: Int, dimension d: Int) {
            let rows = [d + 1, d + 1, d + 1, samples, 1, 1, 1]
            let buffer = Buffer(count: rows.reduce(0, +) * FoldedUser.block, .float)
            self.buffer = buffer
            let first = buffer.pointer.assumingMemoryBound(to: Float.self)
            func part(_ number: Int) -> UnsafeMutablePointer<Float> {
                first + rows[..<number].reduce(0, +) * FoldedUser.block
            }
            (gathered, columns, product) = (part(0), part(1), part(2))
            (means, mean, spread, squares) = (part(3), part(4), part(5), part(6))
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
            let some = block * size..<min((block + 1) * size, places.count)
            predict(
                places[some], columns, memory[thread], means + some.lowerBound, variances + some.lowerBound)
            guard some.allSatisfy({ means[$0].isFinite && variances[$0].isFinite }) else {
                throw MetarecError(.arithmetic, "a prediction is not finite: ratings may be too large")
            }
        }
    }

    private func predict(
        _ places: ArraySlice<Int>, _ columns: ItemColumns, _ memory: Memory, _ means: UnsafeMutablePointer<Double>,
        _ variances: UnsafeMutablePointer<Double>
    ) {
        let (factors, size) = (fold.factors, FoldedUser.block)
        let (d, width) = (factors.dimension, (places.count + 15) & ~15)
        let first = places[places.startIndex]
        let isBlock = first % size == 0 && zip(places, first...).allSatisfy { $0 == $1 }
        let kernels = Precision.float.kernels.pointee
        memory.squares.update(repeating: 0, count: size)
        for sample in 0..<factors.samples {
            let matrix = matrices + sample * (d + 1) * (d + 1)
            var known = columns.values + (first / size * factors.samples + sample) * (d + 1) * size
            if !isBlock {
                gather(places, sample, memory)
                known = UnsafePointer(memory.columns)
            }
            for start in stride(from: 0, through: d, by: FoldedUser.rows) {
                let end = min(start + FoldedUser.rows, d + 1)
                multiply(
                    matrix + start * (d + 1), known, into: memory.product + start * size, (end - start, width, end))
            }
            kernels.add_squares(Int64(d), Int64(width), memory.product, Int64(size), memory.squares)
            (memory.means + sample * size).update(from: memory.product + d * size, count: width)
        }
        averageMeans(memory, width)
        let share = 1 / Double(factors.samples)
        let (noise, content) = (total(factors.noise) * share, total(factors.contentNoise) * share)
        for (index, place) in places.enumerated() {
            means[index] = fold.mean + Double(memory.mean[index])
            variances[index] =
                Double(memory.spread[index]) + Double(memory.squares[index]) * share + noise
                + Double(factors.itemNovelty[place]) * content
        }
    }

    /// (1, q_i, b_i) of the items in one sample, as columns.
    private func gather(_ places: ArraySlice<Int>, _ sample: Int, _ memory: Memory) {
        let (factors, d) = (fold.factors, fold.factors.dimension)
        let items = factors.itemFactors + sample * (factors.items + 1) * d
        for (index, place) in places.enumerated() {
            let (row, z) = (memory.gathered + index * (d + 1), items + place * d)
            (row[0], row[d]) = (1, z[0])
            (row + 1).update(from: z + 1, count: d - 1)
        }
        Precision.float.kernels.pointee.transpose(
            Int64(places.count), Int64(d + 1), memory.gathered, Int64(d + 1), memory.columns, Int64(FoldedUser.block))
    }

    /// c = a b, of sizes (m, n, k); a is a part of a sample's matrix, b and c are of a block's width.
    private func multiply(
        _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>,
        _ size: (m: Int, n: Int, k: Int)
    ) {
        var product = mr_gemm(
            m: Int64(size.m), n: Int64(size.n), k: Int64(size.k), a: a, a_row: Int64(fold.factors.dimension + 1),
            a_column: 1, b: b, b_row: Int64(FoldedUser.block), c: c, c_row: Int64(FoldedUser.block), d: nil, d_row: 0,
            mask: nil, mask_row: 0, bias: nil, alpha: 1, gamma: 1, delta: 1,
            epilogue: Int32(bitPattern: MR_EPILOGUE_NONE.rawValue))
        Precision.float.kernels.pointee.gemm(&product)
    }

    /// The mean of the samples' means, and that of the squared distances from it.
    private func averageMeans(_ memory: Memory, _ width: Int) {
        let (samples, size) = (fold.factors.samples, FoldedUser.block)
        let kernels = Precision.float.kernels.pointee
        kernels.sum(
            Int32(bitPattern: MR_OVER_ROWS.rawValue), Int64(samples), Int64(width), memory.means, Int64(size),
            1 / Double(samples), memory.mean, Int64(size))
        for sample in 0..<samples { kernels.axpy(Int64(width), -1, memory.mean, memory.means + sample * size) }
        memory.spread.update(repeating: 0, count: size)
        kernels.add_squares(Int64(samples), Int64(width), memory.means, Int64(size), memory.spread)
        kernels.scale(Int64(width), 1 / Double(samples), memory.spread)
    }

    private func total(_ values: UnsafePointer<Double>) -> Double {
        (0..<fold.factors.samples).reduce(0) { $0 + values[$1] }
    }
}
