import CMetarec
import Kernels

/// The sums over the tasks that a run of a plan leaves.
///
/// Matrices add up within a run in task order and over the runs in run order. Of outer products every task leaves its
/// two rows, and those of all tasks are one product.
final class TaskSums {
    /// An output to be added up: where in a run's memory, and where to at the end.
    private struct Matrix {
        var output: Int
        var count: Int
        var offset: Int
        var target: UnsafeMutableRawPointer
        var scale: Double
    }

    /// An output of one row that all tasks leave, `stride` bytes apart.
    private struct Rows {
        var output: Int
        var count: Int
        var stride: Int
        var offset: Int
    }

    /// Places of the factors among the rows.
    private struct Product {
        var left: Int
        var right: Int
        var target: UnsafeMutableRawPointer
        var scale: Double
    }

    private enum Piece {
        case matrix(Int, elements: Range<Int>)
        case product(Int, rows: Range<Int>)
    }

    /// Elements of a sum that one thread computes at a time: they stay in its nearest cache.
    private static let pieceLength = 4096

    private let plan: Plan
    private let precision: Precision
    private var matrices: [Matrix] = []
    private var rows: [Rows] = []
    private var products: [Product] = []
    /// Bytes of a run.
    private var stride = 0
    private var partialSums = Buffer(byteCount: 0)
    private var rowsOfTasks = Buffer(byteCount: 0)

    init(_ plan: Plan, _ precision: Precision) {
        self.plan = plan
        self.precision = precision
    }

    /// Begins `sums` over `count` tasks in so many `runs`.
    func begin(_ sums: [Executor.TaskSum], count: Int, runs: Int) {
        (matrices, rows, products, stride) = ([], [], [], 0)
        var byteCount = 0
        func leave(_ output: Int) -> Int {
            let columns = plan.columns(output)
            let stride = Buffer.padded(columns * precision.elementSize)
            rows.append(Rows(output: output, count: columns, stride: stride, offset: byteCount))
            byteCount += stride * count
            return rows.count - 1
        }
        for sum in sums {
            for summand in plan.summands[sum.output] ?? [Summand(row: 0, output: sum.output)] {
                let columns = plan.columns(summand.right ?? summand.output)
                let target = sum.target + summand.row * columns * precision.elementSize
                if let right = summand.right {
                    products.append(
                        Product(left: leave(summand.output), right: leave(right), target: target, scale: sum.scale))
                } else {
                    let count = plan.rows(summand.output) * columns
                    matrices.append(
                        Matrix(output: summand.output, count: count, offset: stride, target: target, scale: sum.scale))
                    stride += Buffer.padded(count * precision.elementSize)
                }
            }
        }
        // Runs on different threads do not share a cache line, nor the line fetched beside it.
        stride = (stride + 127) & ~127
        if partialSums.byteCount < stride * runs { partialSums = Buffer(byteCount: stride * runs) }
        if rowsOfTasks.byteCount < byteCount { rowsOfTasks = Buffer(byteCount: byteCount) }
    }

    /// Asks a worker that has loaded a task for its outputs where they are wanted.
    func request(from worker: Worker, task: Int, run: Int, isFirst: Bool) {
        for index in matrices.indices where isFirst {
            worker.setOutput(matrices[index].output, partialSum(index, run))
        }
        for index in rows.indices { worker.setOutput(rows[index].output, row(index, of: task)) }
    }

    /// Adds what a worker has computed.
    func take(from worker: Worker, task: Int, run: Int, isFirst: Bool) {
        for index in matrices.indices {
            if isFirst {
                worker.copyOutput(matrices[index].output, to: partialSum(index, run))
            } else {
                add(worker.output(matrices[index].output), to: partialSum(index, run))
            }
        }
        for index in rows.indices { worker.copyOutput(rows[index].output, to: row(index, of: task)) }
    }

    /// Adds the sums over all tasks to their targets.
    func end(count: Int, runs: Int, _ team: Team) throws {
        func pieces(_ count: Int, _ length: Int) -> [Range<Int>] {
            Swift.stride(from: 0, to: count, by: length).map { $0..<min($0 + length, count) }
        }
        let sums = matrices.indices.flatMap { index in
            pieces(matrices[index].count, TaskSums.pieceLength).map { Piece.matrix(index, elements: $0) }
        }
        let productsOfRows = products.indices.flatMap { index in
            let (left, right) = (rows[products[index].left], rows[products[index].right])
            return pieces(left.count, max(1, TaskSums.pieceLength / right.count)).map {
                Piece.product(index, rows: $0)
            }
        }
        let all = sums + productsOfRows
        try team.parallel(count: all.count) { number, _, _ in
            switch all[number] {
            case .matrix(let index, let elements): add(elements, of: matrices[index], runs: runs)
            case .product(let index, let rows): add(rows, of: products[index], tasks: count)
            }
        }
    }

    // MARK: Adding

    private func partialSum(_ index: Int, _ run: Int) -> UnsafeMutableRawPointer {
        partialSums.pointer + run * stride + matrices[index].offset
    }

    private func row(_ index: Int, of task: Int) -> UnsafeMutableRawPointer {
        rowsOfTasks.pointer + rows[index].offset + task * rows[index].stride
    }

    private func add(_ elements: Range<Int>, of sum: Matrix, runs: Int) {
        let offset = elements.lowerBound * precision.elementSize
        for run in 0..<runs {
            precision.kernels.pointee.axpy(
                Int64(elements.count), sum.scale, partialSums.pointer + run * stride + sum.offset + offset,
                sum.target + offset)
        }
    }

    private func add(_ range: Range<Int>, of product: Product, tasks: Int) {
        let (left, right) = (rows[product.left], rows[product.right])
        let target = product.target + range.lowerBound * right.count * precision.elementSize
        var call = mr_gemm(
            m: Int64(range.count), n: Int64(right.count), k: Int64(tasks),
            a: row(product.left, of: 0) + range.lowerBound * precision.elementSize, a_row: 1,
            a_column: Int64(left.stride / precision.elementSize), b: row(product.right, of: 0),
            b_row: Int64(right.stride / precision.elementSize), c: target, c_row: Int64(right.count), d: target,
            d_row: Int64(right.count), mask: nil, mask_row: 0, bias: nil, alpha: product.scale, gamma: 1, delta: 1,
            epilogue: 0)
        precision.kernels.pointee.gemm(&call)
    }

    private func add(_ view: MatrixView, to target: UnsafeMutableRawPointer) {
        let axpy = precision.kernels.pointee.axpy
        if view.stride == view.columns || view.rows == 1 {
            axpy(Int64(view.rows * view.columns), 1, view.pointer, target)
        } else {
            for row in 0..<view.rows {
                axpy(
                    Int64(view.columns), 1, view.pointer + row * view.stride * precision.elementSize,
                    target + row * view.columns * precision.elementSize)
            }
        }
    }
}

extension Plan {
    fileprivate func rows(_ output: Int) -> Int { dimensions[Int(outputs[output].rows)].fixedValue ?? 0 }
    fileprivate func columns(_ output: Int) -> Int { dimensions[Int(outputs[output].columns)].fixedValue ?? 0 }
}
