import Glibc
import Graph
import MetaLearning
import Testing

@testable import Recommenders

/// Ratings of a planted model, the factors of the items being known functions of their features.
private struct PlantedRatings {
    let users = 120
    let items = 80
    let userIds, itemIds: Borrowed<Int32>
    let values: Borrowed<Double>
    let noise: Double
    /// Group of each item, which decides its offset; and a field that tells nothing.
    let group: Borrowed<Int32>
    let random: Borrowed<Int32>
    let truth: [[Double]]

    init(noise: Double, share: Double = 0.5, itemsWithRatings: Int = 80) {
        var generator = SeededGenerator(7)
        func normals(_ count: Int) -> [Double] { (0..<count).map { _ in generator.normal() } }
        let (p, q, bu, bi) = (normals(2 * users), normals(2 * items), normals(users), normals(4))
        group = Borrowed((0..<items).map { Int32($0 % 4) })
        random = Borrowed((0..<items).map { _ in Int32(generator.index(below: 10)) })
        var (u, i, y) = ([Int32](), [Int32](), [Double]())
        var truth: [[Double]] = []
        for user in 0..<users {
            truth.append(
                (0..<items).map { item in
                    3 + 0.5 * bu[user] + bi[item % 4] + p[2 * user] * q[2 * item] + p[2 * user + 1] * q[2 * item + 1]
                })
            for item in 0..<itemsWithRatings where generator.uniform() < share {
                u.append(Int32(user))
                i.append(Int32(item))
                y.append(truth[user][item] + noise * generator.normal())
            }
        }
        (userIds, itemIds, values, self.noise, self.truth) = (Borrowed(u), Borrowed(i), Borrowed(y), noise, truth)
    }

    var ratings: Ratings {
        get throws {
            try Ratings(
                count: values.count, user: userIds.pointer, item: itemIds.pointer, rating: .double(values.pointer),
                userCount: users, itemCount: items)
        }
    }

    var table: FeatureTable {
        get throws {
            try FeatureTable(
                rows: items,
                fields: [
                    Field(name: "group", size: 4, values: .categorical(ids: group.pointer)),
                    Field(name: "random", size: 10, values: .categorical(ids: random.pointer)),
                ])
        }
    }
}

/// Memory for what is learned.
private struct Memory {
    let factors: FactorArrays
    let content: ContentArrays
    let all: [Borrowed<Float>]
    let doubles: [Borrowed<Double>]

    init(samples: Int, dimension d: Int, items: Int, itemColumns: Int, blocks: Int, userColumns: Int = 1) {
        func floats(_ count: Int) -> Borrowed<Float> { Borrowed([Float](repeating: .nan, count: count)) }
        func numbers(_ count: Int) -> Borrowed<Double> { Borrowed([Double](repeating: .nan, count: count)) }
        all = [
            floats(samples * (items + 1) * d), floats(items + 1), floats(samples * userColumns * d),
            floats(samples * itemColumns * d), floats(samples * itemColumns * d),
        ]
        doubles = [numbers(samples * d * d), numbers(samples), numbers(samples), numbers(blocks)]
        factors = FactorArrays(
            samples: samples, dimension: d, items: items, itemFactors: all[0].pointer, itemNovelty: all[1].pointer,
            userColumns: userColumns, userWeights: all[2].pointer, userPrecision: doubles[0].pointer,
            noise: doubles[1].pointer, contentNoise: doubles[2].pointer)
        content = ContentArrays(
            columns: itemColumns, blocks: blocks, weights: all[3].pointer, residuals: all[4].pointer,
            variances: doubles[3].pointer)
    }

    var bits: [UInt64] {
        all.flatMap { part in (0..<part.count).map { UInt64(part[$0].bitPattern) } }
            + doubles.flatMap { part in (0..<part.count).map { part[$0].bitPattern } }
    }
}

/// One task whose support is `support` and whose query is every one of `items`.
private func task(_ table: FeatureTable, support: [(item: Int32, rating: Double)], query: [Int32]) throws -> TaskSet {
    let items = Borrowed(support.map(\.item) + query)
    let targets = Borrowed(support.map(\.rating) + query.map { _ in 0 })
    let arrays = TaskArrays(
        taskCount: 1, rowCount: items.count, offsets: Borrowed([0, Int64(items.count)]).pointer,
        supportCounts: Borrowed([Int64(support.count)]).pointer, itemIndex: items.pointer,
        targets: .double(targets.pointer), userIndex: nil)
    return try TaskSet(arrays, items: table, users: nil)
}

@Suite struct FactorisationTests {
    @Test func leastSquaresNeverRisesAndRecoversAPlantedModel() throws {
        let planted = PlantedRatings(noise: 0)
        let memory = Memory(samples: 1, dimension: 3, items: 80, itemColumns: 1, blocks: 1)
        let objectives = Borrowed([Double](repeating: 0, count: 60))
        let mean = try Factorisation.leastSquares(
            planted.ratings, sweeps: 60, penalty: 1e-3, biasPenalty: 1e-3, threads: 2, seed: 1, into: memory.factors,
            objectives: objectives.pointer, poll: .none)
        for sweep in 1..<60 { #expect(objectives[sweep] <= objectives[sweep - 1] * (1 + 1e-9)) }
        #expect(objectives[59] < 1e-2 * objectives[0])

        // A user that training has not seen, a mixture of two that it has, gets his other ratings right.
        let truth = zip(planted.truth[0], planted.truth[1]).map { ($0 + $1) / 2 }
        let support = (0..<40).map { (item: Int32($0), rating: truth[$0]) }
        let tasks = try task(planted.table, support: support, query: (40..<80).map { Int32($0) })
        var means = [Double](repeating: 0, count: 40)
        try FoldIn(memory.factors, mean: mean).predict(tasks, means: &means, variances: nil, threads: 1, poll: .none)
        for (place, item) in (40..<80).enumerated() { #expect(abs(means[place] - truth[item]) < 0.05) }
    }

    /// With offsets alone, Λ = 2, σ² = 1/2, three ratings r: b_u ~ N(2 Σ r / 8, 1/8), and a rating has 1/8 + 1/2 more.
    @Test func foldInIsThePosteriorOfAGaussianMean() throws {
        let table = try PlantedRatings(noise: 0).table
        let memory = Memory(samples: 1, dimension: 1, items: 80, itemColumns: 1, blocks: 1)
        for item in 0...80 {
            memory.factors.itemFactors[item] = item == 5 ? 0.25 : 0
            memory.factors.itemNovelty[item] = item == 7 ? 2 : 0
        }
        memory.factors.userWeights[0] = 0
        memory.factors.userPrecision[0] = 2
        memory.factors.noise[0] = 0.5
        memory.factors.contentNoise[0] = 1.5
        let tasks = try task(table, support: [(0, 4), (1, 5), (5, 3.25)], query: [2, 5, 7, -1])
        var means = [Double](repeating: 0, count: 4)
        var variances = means
        try FoldIn(memory.factors, mean: 3).predict(
            tasks, means: &means, variances: &variances, threads: 1, poll: .none)
        let offset = 2 * (1.0 + 2 + 0) / 8
        for (got, wanted) in zip(means, [3 + offset, 3.25 + offset, 3 + offset, 3 + offset]) {
            #expect(abs(got - wanted) < 1e-12)
        }
        for (got, wanted) in zip(variances, [0.625, 0.625, 3.625, 0.625]) { #expect(abs(got - wanted) < 1e-12) }

        // One user, many items: of each a 1 and its bias, a column.
        let known = Borrowed((0..<384).map { $0 < 192 ? Float(1) : memory.factors.itemFactors[min($0 - 192, 80)] })
        let columns = try ItemColumns(values: known.pointer, blocks: 1, items: 80)
        let matrices = Borrowed([Float](repeating: .nan, count: 4))
        let user = FoldedUser(FoldIn(memory.factors, mean: 3), matrices: matrices.pointer)
        try user.load(tasks, threads: 2, poll: .none)
        for items: [Int32] in [[2, 5, 7, -1], Array(0..<80)] {
            var means = [Double](repeating: .nan, count: items.count)
            var variances = means
            try items.withUnsafeBufferPointer {
                try user.predict($0, columns, means: &means, variances: &variances, threads: 1, poll: .none)
            }
            for (place, item) in items.enumerated() {
                #expect(abs(means[place] - (item == 5 ? 3.25 : 3) - offset) < 1e-6)
                #expect(abs(variances[place] - (item == 7 ? 3.625 : 0.625)) < 1e-6)
            }
        }
        #expect(throws: MetarecError.self) { try ItemColumns(values: known.pointer, blocks: 2, items: 80) }
    }

    @Test func gibbsRecoversAPlantedModelAndItsNoise() throws {
        let planted = PlantedRatings(noise: 0.3, itemsWithRatings: 72)
        let (memory, mean) = try sample(planted, threads: 2)
        let truth = zip(planted.truth[0], planted.truth[1]).map { ($0 + $1) / 2 }
        let support = (0..<36).map { (item: Int32($0), rating: truth[$0]) }
        let tasks = try task(planted.table, support: support, query: (36..<80).map { Int32($0) })
        var means = [Double](repeating: 0, count: 44)
        var variances = means
        try FoldIn(memory.factors, mean: mean).predict(
            tasks, means: &means, variances: &variances, threads: 1, poll: .none)
        let errors = (0..<44).map { means[$0] - truth[36 + $0] }
        let known = errors[..<36].reduce(0) { $0 + $1 * $1 } / 36
        #expect(known < 0.3 * 0.3)  // far below the variance of the truth, about 3
        let noise = (0..<memory.factors.samples).reduce(0) { $0 + memory.factors.noise[$1] } / 20
        #expect(abs(noise - 0.09) < 0.02)
        // New items have their group's offset, and say themselves how little is known of the rest.
        #expect(variances[40] > 5 * variances[0])
        let spread = errors[36...].reduce(0) { $0 + $1 * $1 } / 8
        #expect(spread < 3 * variances[36...].reduce(0, +) / 8)
        #expect(memory.content.variances[1] > 10 * memory.content.variances[2])
    }

    @Test func sameBitsForAnyNumberOfThreads() throws {
        let planted = PlantedRatings(noise: 0.3, itemsWithRatings: 72)
        let bits = try [1, 2, 5].map { try sample(planted, threads: $0).0.bits }
        #expect(bits[0] == bits[1] && bits[0] == bits[2])
    }

    @Test func stopsWhenAsked() throws {
        let planted = PlantedRatings(noise: 0.3)
        // Of this thread, which asks and works: other tests run beside.
        func seconds() -> Double {
            var time = timespec()
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
            return Double(time.tv_sec) + 1e-9 * Double(time.tv_nsec)
        }
        nonisolated(unsafe) var asked: [Double] = []
        let poll = Poll { _, _ in
            asked.append(seconds())
            return false
        }
        let error = #expect(throws: MetarecError.self) {
            _ = try sample(planted, threads: 2, samples: 10_000, poll: poll)
        }
        #expect(error?.kind == .interrupted)
        #expect(asked.count == 1 && seconds() - asked[0] < 1)
    }

    @Test func refusesRatingsThatCannotBe() throws {
        let user = Borrowed<Int32>([0, 1])
        let item = Borrowed<Int32>([0, 3])
        let nan = Borrowed<Double>([1, .nan])
        func message(_ body: () throws -> Void) -> String {
            do { try body() } catch { return "\(error)" }
            return "fine"
        }
        func make(_ count: Int, _ values: Borrowed<Double>, users: Int = 2, items: Int = 4) -> () throws -> Void {
            {
                _ = try Ratings(
                    count: count, user: user.pointer, item: item.pointer, rating: .double(values.pointer),
                    userCount: users, itemCount: items)
            }
        }
        #expect(message(make(0, nan)).contains("at least one"))
        #expect(message(make(2, nan)).contains("rating[1]"))
        #expect(message(make(2, Borrowed([1, 2]), items: 3)).contains("item[1] = 3"))
        #expect(message(make(2, Borrowed([1, 2]), users: 1)).contains("user[1] = 1"))
        #expect(message(make(2, Borrowed([1, 2]))) == "fine")
    }

    private func sample(
        _ planted: PlantedRatings, threads: Int, samples: Int = 20, poll: Poll = .none
    ) throws -> (Memory, Double) {
        let memory = Memory(samples: samples, dimension: 4, items: 80, itemColumns: 15, blocks: 3)
        let mean = try Factorisation.sample(
            planted.ratings, items: planted.table, users: nil, burnIn: 30, interval: 1, threads: threads, seed: 3,
            into: memory.factors, memory.content, poll: poll)
        return (memory, mean)
    }
}
