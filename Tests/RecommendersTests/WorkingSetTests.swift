import Graph
import Kernels
import MetaLearning
import Recommenders
import Testing

/// Random tables and tasks in Swift arrays, and the borrowed view of them.
private struct World {
    static let sizes = (genre: 7, cast: 1_000_000, plot: 3, age: 4, city: 50)
    let genre: Borrowed<Int32>
    let cast: Borrowed<Int32>
    let castOffsets: Borrowed<Int64>
    let plot: Borrowed<Float>
    let age: Borrowed<Int32>
    let taste: Borrowed<Double>
    let arrays: Arrays
    let items: FeatureTable
    let users: FeatureTable
    let tasks: TaskSet

    init(seed: UInt64) throws {
        var generator = SeededGenerator(seed)
        func id(_ size: Int) -> Int32 { Int32(generator.index(below: size + 1)) - 1 }
        let itemCount = 30
        let userCount = 6
        genre = Borrowed((0..<itemCount).map { _ in id(World.sizes.genre) })
        let lengths = (0..<itemCount).map { _ in Int64(generator.index(below: 5)) }
        castOffsets = Borrowed(lengths.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) })
        // Few distinct values of a large table, so that tasks share rows.
        let values = (0..<12).map { _ in id(World.sizes.cast) } + [-1]
        cast = Borrowed((0..<Int(castOffsets[itemCount])).map { _ in values[generator.index(below: 13)] })
        plot = Borrowed((0..<itemCount * World.sizes.plot).map { _ in Float(generator.uniform()) })
        age = Borrowed((0..<userCount).map { _ in id(World.sizes.age) })
        taste = Borrowed((0..<userCount * 2).map { _ in generator.uniform() })
        items = try FeatureTable(
            rows: itemCount,
            fields: [
                Field(name: "genre", size: World.sizes.genre, values: .categorical(ids: genre.pointer)),
                Field(name: "plot", size: World.sizes.plot, values: .dense(vectors: .float(plot.pointer))),
                Field(
                    name: "cast", size: World.sizes.cast,
                    values: .bag(ids: cast.pointer, idCount: cast.count, offsets: castOffsets.pointer)),
            ])
        users = try FeatureTable(
            rows: userCount,
            fields: [
                Field(name: "taste", size: 2, values: .dense(vectors: .double(taste.pointer))),
                Field(name: "age", size: World.sizes.age, values: .categorical(ids: age.pointer)),
            ])
        let taskCount = 25
        let counts = (0..<taskCount).map { _ in Int64(generator.index(below: 20)) }
        let offsets = counts.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) }
        let rows = Int(offsets[taskCount])
        arrays = Arrays(
            offsets: Borrowed(offsets),
            supportCounts: Borrowed(counts.map { Int64(generator.index(below: Int($0) + 1)) }),
            itemIndex: Borrowed((0..<rows).map { _ in id(itemCount) }),
            targets: Borrowed((0..<rows).map { _ in generator.uniform() * 5 }),
            userIndex: Borrowed((0..<taskCount).map { _ in id(userCount) }), taskCount: taskCount, rowCount: rows)
        tasks = try TaskSet(arrays.pointers, items: items, users: users)
    }

    func bag(_ item: Int32) -> [Int32] {
        item < 0 ? [] : (castOffsets[Int(item)]..<castOffsets[Int(item) + 1]).map { cast[Int($0)] }.filter { $0 >= 0 }
    }
}

@Suite struct WorkingSetTests {
    private func numbers(_ pointer: UnsafeRawPointer, _ count: Int, _ precision: Precision) -> [Double] {
        switch precision {
        case .float: (0..<count).map { Double(pointer.assumingMemoryBound(to: Float.self)[$0]) }
        case .double: (0..<count).map { pointer.assumingMemoryBound(to: Double.self)[$0] }
        }
    }

    private func rounded(_ value: Double, _ precision: Precision) -> Double {
        precision == .float ? Double(Float(value)) : value
    }

    /// The table rows that a categorical or bag field's entries stand for, row by row.
    private func global(_ set: WorkingSet, _ field: Int, table: Int, _ segment: WorkingSet.Segment) -> [[Int32]] {
        let indices = set.indices(field, segment)
        let touched = set.touchedRows(ofTable: table)
        return (0..<indices.rows).map { row in
            let range = indices.offsets.map { Int($0[row])..<Int($0[row + 1]) } ?? row..<row + 1
            return range.map { indices.ids[$0] }.filter { $0 >= 0 }.map { local in
                #expect(Int(local) < touched.count)
                return touched.rows[Int(local)]
            }
        }
    }

    private func check(_ set: WorkingSet, _ world: World, task: Int, support: [Int], query: [Int]) {
        let precision = set.precision
        #expect([set.supportCount, set.queryCount] == [support.count, query.count])
        var seen: [[Int32]] = [[], []]
        for (segment, rows) in [(WorkingSet.Segment.support, support), (.query, query)] {
            let items = rows.map { world.arrays.itemIndex[$0] }
            let targets = rows.map { rounded(world.arrays.targets[$0], precision) }
            #expect(numbers(set.targets(segment), rows.count, precision) == targets)
            let genres = items.map { $0 < 0 || world.genre[Int($0)] < 0 ? [] : [world.genre[Int($0)]] }
            #expect(global(set, 0, table: 0, segment) == genres)
            let bags = items.map(world.bag)
            #expect(global(set, 2, table: 1, segment) == bags)
            if let weights = set.indices(2, segment).weights {
                let expected = bags.map { $0.isEmpty ? 0 : rounded(1 / Double($0.count), precision) }
                #expect(numbers(weights, rows.count, precision) == expected)
            } else {
                Issue.record("a bag has weights")
            }
            let plots = items.flatMap { item in
                (0..<3).map { item < 0 ? 0 : Double(world.plot[3 * Int(item) + $0]) }
            }
            #expect(numbers(set.vectors(1, segment), 3 * rows.count, precision) == plots)
            seen[0] += genres.joined()
            seen[1] += bags.joined()
        }
        let user = world.arrays.userIndex.map { Int($0[task]) } ?? -1
        #expect(global(set, 4, table: 2, .user) == [user < 0 || world.age[user] < 0 ? [] : [world.age[user]]])
        let taste = (0..<2).map { user < 0 ? 0 : rounded(world.taste[2 * user + $0], precision) }
        #expect(numbers(set.vectors(3, .user), 2, precision) == taste)
        for (table, ids) in seen.enumerated() {
            let unique = ids.reduce(into: [Int32]()) { if !$0.contains($1) { $0.append($1) } }
            let touched = set.touchedRows(ofTable: table)
            #expect(Array(UnsafeBufferPointer(start: touched.rows, count: touched.count)) == unique)
        }
    }

    private func set(for world: World, _ precision: Precision) -> WorkingSet {
        WorkingSet(items: world.items.schema, users: world.users.schema, precision: precision)
    }

    @Test(arguments: Precision.allCases, 0..<4)
    func holdsTheTaskAsItIs(precision: Precision, seed: Int) throws {
        let world = try World(seed: UInt64(seed))
        let set = set(for: world, precision)
        #expect(set.embeddedFields == [0, 2, 4] && set.tableCount == 3 && set.fieldCount == 5)
        for task in 0..<world.tasks.count {
            try set.load(task, of: world.tasks)
            let extent = try world.tasks.extent(of: task)
            let rows = Array(extent.start..<extent.start + extent.count)
            check(
                set, world, task: task, support: Array(rows.prefix(extent.supportCount)),
                query: Array(rows.dropFirst(extent.supportCount)))
        }
    }

    @Test(arguments: Precision.allCases)
    func holdsWhatAnEpisodeDraws(precision: Precision) throws {
        let world = try World(seed: 5)
        let set = set(for: world, precision)
        let episodes = try Episodes(supportLow: 1, supportHigh: 8, queryLow: 2, queryHigh: 5)
        let view = try world.tasks.take((0..<world.tasks.count).reversed())
        for task in 0..<view.count {
            let extent = try view.extent(of: task)
            let episode = episodes.episode(seed: 1, epoch: 1, task: task)
            var rows = [Int32](repeating: 0, count: extent.count)
            let sizes = episode.draw(from: extent.count, into: &rows)
            let places = rows.map { extent.start + Int($0) }
            try set.load(task, of: view, episode: episode)
            check(
                set, world, task: view.id(of: task), support: Array(places.prefix(sizes.supportCount)),
                query: Array(places.dropFirst(sizes.supportCount).prefix(sizes.queryCount)))
        }
    }

    @Test func reusesItsMemory() throws {
        let world = try World(seed: 8)
        let set = set(for: world, .float)
        func addresses() throws -> [UnsafeRawPointer] {
            try (0..<world.tasks.count).flatMap { task -> [UnsafeRawPointer] in
                try set.load(task, of: world.tasks)
                let bags = set.indices(2, .query)
                return [
                    set.targets(.support), set.targets(.query), set.vectors(1, .support), UnsafeRawPointer(bags.ids),
                    UnsafeRawPointer(set.touchedRows(ofTable: 1).rows),
                ]
            }
        }
        _ = try addresses()
        let second = try addresses()
        #expect(Set(second).count == 5)
        #expect(try addresses() == second)
    }

    @Test func hidesValuesIndependently() throws {
        let world = try World(seed: 6)
        let set = set(for: world, .double)
        var (shown, kept) = ([0, 0, 0], [0, 0, 0])
        for draw in 0..<400 {
            for task in 0..<world.tasks.count {
                try set.load(task, of: world.tasks)
                let before = [
                    global(set, 0, table: 0, .query), global(set, 2, table: 1, .query), global(set, 4, table: 2, .user),
                ]
                let generator = SeededGenerator(UInt64(draw), UInt64(task))
                try set.load(task, of: world.tasks, hiding: Hiding(rate: 0.25, generator: generator))
                let after = [
                    global(set, 0, table: 0, .query), global(set, 2, table: 1, .query), global(set, 4, table: 2, .user),
                ]
                for kind in 0..<3 {
                    for (a, b) in zip(after[kind], before[kind]) where !b.isEmpty {
                        #expect(a.isEmpty || a == b)
                        shown[kind] += 1
                        kept[kind] += a.isEmpty ? 0 : 1
                    }
                }
            }
        }
        for kind in 0..<3 {
            let n = Double(shown[kind])
            #expect(n > 1000)
            #expect(abs(Double(kept[kind]) - 0.75 * n) < 5 * (n * 0.25 * 0.75).squareRoot())
        }
        // All hidden: nothing is touched, vectors are zeros, targets stay.
        try set.load(0, of: world.tasks, hiding: Hiding(rate: 1, generator: SeededGenerator(1)))
        #expect((0..<3).allSatisfy { set.touchedRows(ofTable: $0).count == 0 })
        #expect(numbers(set.vectors(3, .user), 2, .double) == [0, 0])
        #expect(numbers(set.vectors(1, .support), 3 * set.supportCount, .double).allSatisfy { $0 == 0 })
    }

    @Test func worksWithoutUsers() throws {
        let world = try World(seed: 2)
        var arrays = world.arrays.pointers
        arrays.userIndex = nil
        let tasks = try TaskSet(arrays, items: world.items, users: nil)
        let set = WorkingSet(items: world.items.schema, users: [], precision: .float)
        try set.load(1, of: tasks)
        #expect(set.fieldCount == 3)
        #expect(set.supportCount == Int(world.arrays.supportCounts[1]))
    }

    @Test func refusesOtherFields() throws {
        let world = try World(seed: 2)
        let set = WorkingSet(items: world.items.schema, users: [], precision: .float)
        #expect {
            try set.load(0, of: world.tasks)
        } throws: { error in
            guard let error = error as? MetarecError else { return false }
            return error.kind == .value && error.description.hasPrefix("users: their fields are [taste: ")
        }
    }

    /// Overwrites the borrowed arrays with anything: a load gives a task or this error, and reads nothing outside.
    @Test func noticesArraysThatChangedLater() throws {
        let changed = MetarecError.state("the arrays of this TaskSet changed after it was made")
        let bad: [Int32] = [-2, .min, .max]
        for value in bad {
            let world = try World(seed: 3)
            let set = set(for: world, .float)
            let full = (0..<world.tasks.count).first { world.arrays.offsets[$0 + 1] - world.arrays.offsets[$0] > 5 }
            let task = try #require(full)
            let row = Int(world.arrays.offsets[task])
            func expectChanged(_ array: Borrowed<Int32>, _ place: Int) {
                let old = array[place]
                array[place] = value
                #expect(throws: changed) { try set.load(task, of: world.tasks) }
                #expect([set.supportCount, set.queryCount] == [0, 0])
                array[place] = old
            }
            expectChanged(world.arrays.itemIndex, row)
            world.arrays.itemIndex[row] = 4
            expectChanged(world.genre, 4)
            world.castOffsets[4] = 0
            world.castOffsets[5] = Int64(world.cast.count)
            expectChanged(world.cast, 0)
            world.castOffsets[5] = Int64(world.cast.count) + 1
            #expect(throws: changed) { try set.load(task, of: world.tasks) }
            world.castOffsets[4] = -1
            #expect(throws: changed) { try set.load(task, of: world.tasks) }
        }
    }
}
