import Glibc
public import Graph
import Kernels

/// Predictions for new users by folding them in, in closed form, sample by sample.
///
/// With A the rows (1, q_j) of a task's support, N their noise and r its ratings less g and b_j,
/// (b_u, p_u) ~ N(w, P⁻¹), P = Λ_U + Aᵀ N⁻¹ A, P w = Λ_U B_Uᵀ x_u + Aᵀ N⁻¹ r; a rating has the mean
/// g + b_i + a_i · w and the variance a_iᵀ P⁻¹ a_i + N_i. Over the samples: the mean of the means, and the mean of the
/// variances plus the variance of the means.
public struct FoldIn: @unchecked Sendable {
    let factors: FactorArrays
    let mean: Double
    /// Tasks whose prior means are in memory at a time.
    private static let chunk = 1024

    /// A posterior, and the mean of the ratings that it was learned from.
    public init(_ factors: FactorArrays, mean: Double) {
        (self.factors, self.mean) = (factors, mean)
    }

    /// The moments of every query row, tasks in order.
    ///
    /// - Parameters:
    ///   - means: [query rows].
    ///   - variances: [query rows]; without it they are not computed, which is many times faster for many rows.
    /// - Throws: items or features that do not fit, a precision that is not positive definite, or interrupted.
    ///
    /// Cost a sample: support rows × D² + D³ / 3, and D (with variances D²) a query row.
    public func predict(
        _ tasks: TaskSet, means: UnsafeMutablePointer<Double>, variances: UnsafeMutablePointer<Double>?, threads: Int,
        poll: Poll
    ) throws {
        guard tasks.items.rows == factors.items else {
            throw MetarecError.value("tasks: of \(tasks.items.rows) items, wanted \(factors.items)")
        }
        let offsets = try tasks.queryOffsets()
        guard offsets.last == tasks.queryRows else { throw TaskSet.changed }
        let memory = (0..<max(1, min(threads, tasks.count))).map { _ in Memory(factors.dimension) }
        nonisolated(unsafe) let (means, variances) = (means, variances)
        for start in stride(from: 0, to: tasks.count, by: FoldIn.chunk) {
            let chunk = start..<min(start + FoldIn.chunk, tasks.count)
            let extents = try chunk.map { task in
                let extent = try tasks.extent(of: task)
                guard extent.queryCount == offsets[task + 1] - offsets[task] else { throw TaskSet.changed }
                return extent
            }
            let targets = try self.targets(tasks, extents)
            let share = Double(tasks.count)
            poll.enter(Double(chunk.lowerBound) / share..<Double(chunk.upperBound) / share)
            try parallel(count: extents.count, threads: threads, poll: poll) { index, thread, tick in
                let first = offsets[start + index]
                guard let rows = try Rows(tasks, extents[index]) else { return }
                try self.predict(
                    rows, targets: { UnsafePointer(targets[$0].row(index)) }, memory[thread], means + first,
                    variances.map { $0 + first }, tick)
            }
        }
    }

    /// The items and ratings of one task's rows.
    struct Rows {
        let items: UnsafePointer<Int32>
        let targets: Numbers
        let start, supportCount, queryCount: Int

        /// nil: a task without rows.
        init?(_ tasks: TaskSet, _ extent: TaskSet.Extent) throws {
            guard extent.count > 0 else { return nil }
            guard let items = tasks.arrays.itemIndex, let targets = tasks.arrays.targets else { throw TaskSet.changed }
            (self.items, self.targets) = (items + extent.start, targets)
            (start, supportCount, queryCount) = (extent.start, extent.supportCount, extent.queryCount)
        }
    }

    /// One thread's memory.
    private final class Memory {
        /// Query rows whose variances are computed together.
        static let block = 64
        let system: NormalEquations
        let columns: DenseMatrix

        init(_ dimension: Int) {
            system = NormalEquations(dimension: dimension)
            columns = DenseMatrix(dimension, Memory.block)
        }
    }

    /// Λ_U B_Uᵀ x_u of every task, a matrix a sample.
    func targets(_ tasks: TaskSet, _ extents: [TaskSet.Extent]) throws -> [DenseMatrix] {
        let table = factors.userColumns == 1 ? nil : tasks.users
        let design = try Design(table, rows: extents.map(\.user), standardised: false)
        guard design.columns == factors.userColumns else {
            throw MetarecError.value(
                "tasks: users' features of \(design.columns) columns, wanted \(factors.userColumns)")
        }
        let d = factors.dimension
        let size = factors.userColumns * d
        let precision = DenseMatrix(d, d)
        return (0..<factors.samples).map { sample in
            precision.pointer.update(from: factors.userPrecision + sample * d * d, count: d * d)
            let means = DenseMatrix(extents.count, d)
            for task in extents.indices {
                design.addRow(
                    task, times: factors.userWeights + sample * size, columns: d, to: means.row(task))
            }
            return means.times(precision)
        }
    }

    private func predict(
        _ rows: Rows, targets: (Int) -> UnsafePointer<Double>, _ memory: Memory, _ means: UnsafeMutablePointer<Double>,
        _ variances: UnsafeMutablePointer<Double>?, _ tick: (Double) throws -> Void
    ) throws {
        let (system, d) = (memory.system, factors.dimension)
        let query = rows.supportCount..<rows.supportCount + rows.queryCount
        means.update(repeating: 0, count: query.count)
        variances?.update(repeating: 0, count: query.count)
        for sample in 0..<factors.samples {
            try tick(0)
            try solve(sample, rows, target: targets(sample), in: system)
            let items = factors.itemFactors + sample * (factors.items + 1) * d
            let w = system.solution.pointer
            for (place, row) in query.enumerated() {
                let z = items + (try self.place(rows.items[row])) * d
                var value = w[0] + Double(z[0])
                for k in 1..<d { value += w[k] * Double(z[k]) }
                means[place] += value
                variances?[place] += value * value
            }
            if let variances { try addVariances(sample, rows, query, memory, to: variances) }
        }
        let share = 1 / Double(factors.samples)
        for place in 0..<query.count {
            let average = means[place] * share
            means[place] = mean + average
            if let variances { variances[place] = max(variances[place] * share - average * average, 0) }
        }
    }

    /// Leaves L of P = L Lᵀ and w in `system`; without rows those of the prior.
    func solve(
        _ sample: Int, _ rows: Rows?, target: UnsafePointer<Double>, in system: NormalEquations
    ) throws {
        let d = factors.dimension
        let items = factors.itemFactors + sample * (factors.items + 1) * d
        system.begin()
        if let rows {
            for row in 0..<rows.supportCount {
                let item = try place(rows.items[row])
                let z = items + item * d
                let scale = 1 / noise(sample, item).squareRoot()
                let a = system.next()
                a[0] = scale
                for k in 1..<d { a[k] = scale * Double(z[k]) }
                a[d] = scale * (rows.targets[rows.start + row] - mean - Double(z[0]))
            }
        }
        guard system.solve(precision: factors.userPrecision + sample * d * d, target: target) else {
            throw FactorPrior.notFinite
        }
    }

    /// Adds a_iᵀ P⁻¹ a_i + N_i = ‖L⁻¹ a_i‖² + N_i.
    private func addVariances(
        _ sample: Int, _ rows: Rows, _ query: Range<Int>, _ memory: Memory, to variances: UnsafeMutablePointer<Double>
    ) throws {
        let d = factors.dimension
        let items = factors.itemFactors + sample * (factors.items + 1) * d
        let columns = memory.columns.pointer
        let width = Memory.block
        for start in stride(from: query.lowerBound, to: query.upperBound, by: width) {
            let count = min(width, query.upperBound - start)
            for column in 0..<count {
                let z = items + (try place(rows.items[start + column])) * d
                columns[column] = 1
                for k in 1..<d { columns[k * width + column] = Double(z[k]) }
            }
            DenseMatrix.kernels.pointee.solve_triangular(
                Int64(d), Int64(count), memory.system.factor.pointer, Int64(d), columns, Int64(width), 0)
            let out = variances + (start - query.lowerBound)
            for column in 0..<count { out[column] += noise(sample, try place(rows.items[start + column])) }
            for k in 0..<d {
                let row = columns + k * width
                for column in 0..<count { out[column] += row[column] * row[column] }
            }
        }
    }

    @inline(__always) func place(_ item: Int32) throws -> Int {
        guard item >= -1, Int(item) < factors.items else { throw TaskSet.changed }
        return item < 0 ? factors.items : Int(item)
    }

    @inline(__always) private func noise(_ sample: Int, _ item: Int) -> Double {
        factors.noise[sample] + Double(factors.itemNovelty[item]) * factors.contentNoise[sample]
    }
}
