import Graph
import Kernels
import TestSupport
import Testing

@testable import MetaLearning
@testable import Recommenders

/// A small data set with every kind of field, unknown values and empty bags, and the same as plain Swift arrays.
final class LearnerWorld {
    static let (genres, casts, ages, plotWidth, tasteWidth) = (5, 6, 3, 2, 2)
    let genre: Borrowed<Int32>
    let cast: [[Int32]]
    let plot: Borrowed<Double>
    let age: Borrowed<Int32>
    let taste: Borrowed<Float>
    let arrays: Arrays
    let tasks: TaskSet
    let hasUsers: Bool

    /// `sizes` are support and query rows of each task.
    init(sizes: [(support: Int, query: Int)], hasUsers: Bool = true, seed: UInt64 = 11) throws {
        var generator = TestGenerator(seed)
        let (itemCount, userCount) = (9, 4)
        func id(_ size: Int) -> Int32 { Int32.random(in: -1..<Int32(size), using: &generator) }
        genre = Borrowed([-1] + (1..<itemCount).map { _ in id(LearnerWorld.genres) })
        // The first bag is empty, the second holds an unknown and a repeated id.
        cast =
            [[], [-1, 2, 2]]
            + (2..<itemCount).map { _ in
                (0..<Int.random(in: 0...3, using: &generator)).map { _ in id(LearnerWorld.casts) }
            }
        plot = Borrowed(Matrix.random(itemCount, LearnerWorld.plotWidth, using: &generator).elements)
        age = Borrowed([-1] + (1..<userCount).map { _ in id(LearnerWorld.ages) })
        taste = Borrowed(
            Matrix.random(userCount, LearnerWorld.tasteWidth, using: &generator).elements.map { Float($0) })
        let castIDs = Borrowed(cast.flatMap { $0 })
        let castOffsets = Borrowed(cast.reduce(into: [Int64(0)]) { $0.append($0[$0.count - 1] + Int64($1.count)) })
        let items = try FeatureTable(
            rows: itemCount,
            fields: [
                Field(name: "genre", size: LearnerWorld.genres, values: .categorical(ids: genre.pointer)),
                Field(
                    name: "cast", size: LearnerWorld.casts,
                    values: .bag(ids: castIDs.pointer, idCount: castIDs.count, offsets: castOffsets.pointer)),
                Field(name: "plot", size: LearnerWorld.plotWidth, values: .dense(vectors: .double(plot.pointer))),
            ])
        let users = try FeatureTable(
            rows: userCount,
            fields: [
                Field(name: "age", size: LearnerWorld.ages, values: .categorical(ids: age.pointer)),
                Field(name: "taste", size: LearnerWorld.tasteWidth, values: .dense(vectors: .float(taste.pointer))),
            ])
        let counts = sizes.map { Int64($0.support + $0.query) }
        let offsets = counts.reduce(into: [Int64(0)]) { $0.append($0[$0.count - 1] + $1) }
        let rows = Int(offsets[sizes.count])
        // The first two rows are the odd items, the third an unknown one.
        let index = (0..<rows).map { $0 < 2 ? Int32($0) : $0 == 2 ? -1 : Int32.random(in: 0..<9, using: &generator) }
        arrays = Arrays(
            offsets: Borrowed(offsets), supportCounts: Borrowed(sizes.map { Int64($0.support) }),
            itemIndex: Borrowed(index),
            targets: Borrowed((0..<rows).map { _ in Double.random(in: 1...5, using: &generator) }),
            userIndex: hasUsers ? Borrowed((0..<sizes.count).map { Int32($0 % 5) - 1 }) : nil,
            taskCount: sizes.count, rowCount: rows)
        tasks = try TaskSet(arrays.pointers, items: items, users: hasUsers ? users : nil)
        self.hasUsers = hasUsers
    }

    /// Ragged sizes, each task with something to learn from.
    convenience init(tasks count: Int, seed: UInt64 = 11) throws {
        try self.init(sizes: (0..<count).map { ([3, 0, 7, 1, 12][$0 % 5], [2, 5, 1][$0 % 3]) }, seed: seed)
    }

    /// Makes targets a function of the items, so that there is something to learn.
    func makeLearnable() {
        for row in 0..<arrays.rowCount { arrays.targets[row] = 1 + Double(max(arrays.itemIndex[row], 0)) / 2 }
    }

    func rows(of task: Int) -> (support: Range<Int>, query: Range<Int>) {
        let (start, end) = (Int(arrays.offsets[task]), Int(arrays.offsets[task + 1]))
        let middle = start + Int(arrays.supportCounts[task])
        return (start..<middle, middle..<end)
    }

    /// What the support of a task says, as one user's ratings.
    func ratings(of task: Int) throws -> UserRatings {
        let support = rows(of: task).support
        let user = arrays.userIndex.map { Int($0[task]) } ?? -1
        let taste = (0..<LearnerWorld.tasteWidth).map { user < 0 ? 0 : self.taste[user * LearnerWorld.tasteWidth + $0] }
        let table = try FeatureTable(
            rows: 1,
            fields: [
                Field(
                    name: "age", size: LearnerWorld.ages,
                    values: .categorical(ids: Borrowed([user < 0 ? -1 : age[user]]).pointer)),
                Field(
                    name: "taste", size: LearnerWorld.tasteWidth,
                    values: .dense(vectors: .float(Borrowed(taste).pointer))),
            ])
        return try UserRatings(
            items: tasks.items, user: hasUsers ? table : nil, rows: arrays.itemIndex.pointer + support.lowerBound,
            values: .double(arrays.targets.pointer + support.lowerBound), count: support.count)
    }

    /// The items of a task's query.
    func candidates(of task: Int) -> UnsafeBufferPointer<Int32> {
        let query = rows(of: task).query
        return UnsafeBufferPointer(start: arrays.itemIndex.pointer + query.lowerBound, count: query.count)
    }

    /// The output of the feature network for one row of one task, by its definition; `masks` has one for every layer.
    func output(_ θ: [String: Matrix], task: Int, row: Int, masks: [Matrix] = []) -> Double {
        let item = Int(arrays.itemIndex[row])
        let user = arrays.userIndex.map { Int($0[task]) } ?? -1
        func mean(_ name: String, _ ids: [Int32]) -> [Double] {
            let table = θ["embedding.\(name)"]!
            let known = ids.filter { $0 >= 0 }
            return (0..<table.columns).map { column in
                known.isEmpty ? 0 : known.reduce(0) { $0 + table[Int($1), column] } / Double(known.count)
            }
        }
        var x = mean("genre", item < 0 ? [] : [genre[item]]) + mean("cast", item < 0 ? [] : cast[item])
        x += (0..<LearnerWorld.plotWidth).map { item < 0 ? 0 : plot[item * LearnerWorld.plotWidth + $0] }
        if hasUsers {
            x += mean("age", user < 0 ? [] : [age[user]])
            x += (0..<LearnerWorld.tasteWidth).map { user < 0 ? 0 : Double(taste[user * LearnerWorld.tasteWidth + $0]) }
        }
        var h = Matrix(1, x.count, x)
        var layer = 0
        while let weight = θ["dense\(layer).weight"], let bias = θ["dense\(layer).bias"] {
            h = (h.times(weight) + bias).map { max($0, 0) }
            if layer < masks.count { h = Matrix(1, h.columns, zip(h.elements, masks[layer].elements).map { $0 * $1 }) }
            layer += 1
        }
        return (h.times(θ["head.weight"]!) + θ["head.bias"]!).elements[0]
    }

    /// The mean squared error over some rows of a task; 0 over none.
    func loss(_ θ: [String: Matrix], task: Int, rows: Range<Int>) -> Double {
        rows.isEmpty
            ? 0
            : rows.reduce(0) { sum, row in
                let error = output(θ, task: task, row: row) - arrays.targets[row]
                return sum + error * error
            } / Double(rows.count)
    }
}

/// Whether numbers agree to a share `tolerance` of theirs, or of one where they are small.
func close(_ a: [Double], _ b: [Double], _ tolerance: Double = 1e-12) -> Bool {
    a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) <= tolerance * (1 + abs($1)) }
}

/// A learner over a world, its numbers as Swift arrays.
struct TestLearner {
    let learner: Learner

    /// A small network in double precision, unless `given` says otherwise.
    init(_ given: [String: OptionValue] = [:], on tasks: TaskSet) throws {
        let small: [String: OptionValue] = [
            "backbone.embedding_dim": .numbers([3]), "backbone.hidden": .numbers([6, 4]), "dtype": .text("float64"),
            "algorithm.inner_lr": .numbers([0.05]), "algorithm.inner_steps": .numbers([2]), "threads": .numbers([1]),
        ]
        let all = small.merging(given) { $1 }
        // Options of the small network and of gradient descent, where the parts chosen have them.
        var known = Set(["dtype", "threads"].map { $0 } + given.keys)
        func schema(_ role: String, _ schemas: [ComponentSchema]) -> ComponentSchema {
            if case .text(let name)? = all[role] { schemas.first { $0.name == name }! } else { schemas[0] }
        }
        for (role, schemas) in [
            ("algorithm", Registry.algorithms.map { $0.schema }), ("backbone", Registry.backbones.map { $0.schema }),
        ] {
            known.formUnion(schema(role, schemas).options.map { "\(role).\($0.name)" })
        }
        learner = try Learner(all.filter { known.contains($0.key) })
        try learner.initialize(tasks)
        // Unknown items are all zeros: biases keep their relus off the kink.
        var generator = TestGenerator(1)
        for tensor in try learner.tensors() where tensor.isParameter && tensor.name.hasSuffix("bias") {
            for place in 0..<tensor.shape[0] where tensor.name != "head.bias" {
                let value = Double.random(in: 0.05..<0.2, using: &generator)
                switch learner.precision {
                case .float: tensor.pointer.storeBytes(of: Float(value), toByteOffset: 4 * place, as: Float.self)
                case .double: tensor.pointer.storeBytes(of: value, toByteOffset: 8 * place, as: Double.self)
                }
            }
        }
    }

    var parameters: [Learner.Tensor] { get throws { try learner.tensors().filter(\.isParameter) } }

    func numbers(_ tensor: Learner.Tensor) -> [Double] {
        (0..<tensor.shape.reduce(1, *)).map { tensor.pointer.number($0, learner.precision) }
    }

    private func matrix(_ shape: [Int], _ numbers: [Double]) -> Matrix {
        shape.count == 2 ? Matrix(shape[0], shape[1], numbers) : Matrix(1, shape[0], numbers)
    }

    /// Every parameter by name.
    func θ() throws -> [String: Matrix] {
        Dictionary(uniqueKeysWithValues: try parameters.map { ($0.name, matrix($0.shape, numbers($0))) })
    }

    /// Parameters and optimizer state, all of it.
    func everything() throws -> [[Double]] {
        try learner.settle()
        return try learner.tensors().map(numbers)
    }

    func predict(_ adapted: AdaptedLearner, _ candidates: [Int32], of items: FeatureTable) throws -> [Double] {
        let out = Buffer(count: candidates.count, learner.precision)
        try candidates.withUnsafeBufferPointer {
            try adapted.predict($0, of: items, into: out.pointer, poll: .none)
        }
        return out.numbers(learner.precision)
    }

    func predict(_ tasks: TaskSet) throws -> [Double] {
        let out = Buffer(count: tasks.queryRows, learner.precision)
        try learner.predict(tasks, into: out.pointer, poll: .none)
        return out.numbers(learner.precision)
    }

    /// By task: every parameter by name, the adapted ones as adapted.
    func adapted(_ tasks: TaskSet) throws -> [[String: Matrix]] {
        let tensors = try parameters.filter(\.isAdapted)
        let out = tensors.map { Buffer(count: tasks.count * $0.shape.reduce(1, *), learner.precision) }
        try learner.adaptedParameters(tasks, into: out.map(\.pointer), poll: .none)
        let shared = try θ()
        return (0..<tasks.count).map { task in
            zip(tensors, out).reduce(into: shared) { θ, pair in
                let count = pair.0.shape.reduce(1, *)
                let numbers = Array(pair.1.numbers(learner.precision)[task * count..<(task + 1) * count])
                θ[pair.0.name] = matrix(pair.0.shape, numbers)
            }
        }
    }

    func metaGradient(_ tasks: TaskSet) throws -> (loss: Double, gradients: [[Double]]) {
        let out = try parameters.map {
            Buffer([Double](repeating: .nan, count: $0.shape.reduce(1, *)), learner.precision)
        }
        let loss = try learner.metaGradient(tasks, into: out.map(\.pointer), poll: .none)
        return (loss, out.map { $0.numbers(learner.precision) })
    }

    /// Expects the meta-gradient by every parameter to be the central difference of the loss; returns the largest.
    func checkMetaGradient(_ tasks: TaskSet, within tolerance: Double) throws -> Double {
        let (step, gradients) = (1e-6, try metaGradient(tasks).gradients)
        var largest = 0.0
        for (tensor, gradient) in zip(try parameters, gradients) {
            let pointer = tensor.pointer.assumingMemoryBound(to: Double.self)
            for place in gradient.indices {
                let value = pointer[place]
                pointer[place] = value + step
                let above = try metaGradient(tasks).loss
                pointer[place] = value - step
                let below = try metaGradient(tasks).loss
                pointer[place] = value
                let numeric = (above - below) / (2 * step)
                #expect(close([gradient[place]], [numeric], tolerance), "\(tensor.name)[\(place)]")
                largest = max(largest, abs(numeric))
            }
        }
        return largest
    }

    func supportLosses(_ tasks: TaskSet) throws -> [Double] {
        let out = Buffer(count: tasks.count * (learner.innerSteps + 1), learner.precision)
        try learner.supportLosses(tasks, into: out.pointer, poll: .none)
        return out.numbers(learner.precision)
    }
}
