import Graph
import Kernels

extension WorkingSet {
    /// Loads task number `task`: its own support and query, or those that `episode` draws; some values hidden.
    ///
    /// Cost: the task's rows and ids; nothing is allocated once tasks of this size have been seen. Errors: fields
    /// other than those the set was made for, and arrays that changed after they were checked (every index is compared
    /// with its bounds again). After an error the set holds no task.
    public func load(_ task: Int, of tasks: TaskSet, episode: Episode? = nil, hiding: Hiding? = nil) throws {
        try load(of: tasks, user: tasks.extent(of: task).user, hiding) {
            try chooseRows(tasks.extent(of: task), of: tasks, episode)
        }
    }

    /// Loads some query rows of the one task in `tasks` behind the support of the one in `support`, over the same tables.
    func load(_ rows: Range<Int>, of tasks: TaskSet, support: TaskSet) throws {
        try load(of: tasks, user: tasks.extent(of: 0).user, nil) {
            try joinRows(support, support.extent(of: 0), rows, tasks.extent(of: 0), of: tasks)
        }
    }

    private func load(
        of tasks: TaskSet, user: Int, _ hiding: Hiding?, choose: () throws -> (support: Int, query: Int)
    ) throws {
        (supportCount, queryCount) = (0, 0)
        try bind(tasks)
        let (support, query) = try choose()

        let rows = UnsafePointer(itemRows.elements(of: Int32.self))
        var hiding = hiding
        for index in items.indices {
            hiding?.enter(field: index)
            try fields[index].load(
                sources[index], items: rows, supportCount: support, queryCount: query, hiding: &hiding)
        }
        for index in items.count..<fieldCount {
            hiding?.enter(field: index)
            try fields[index].load(sources[index], user: user, hiding: &hiding)
        }
        (supportCount, queryCount) = (support, query)
    }

    /// Takes over the tables' arrays when they are others than last time.
    private func bind(_ tasks: TaskSet) throws {
        guard tasks.items !== boundItems || tasks.users !== boundUsers else { return }
        guard tasks.items.schema == items, tasks.users?.schema ?? [] == users else {
            throw MetarecError.value(
                "tasks: their fields are \(describe(tasks.items.schema)) and \(describe(tasks.users?.schema ?? [])), "
                    + "wanted \(describe(items)) and \(describe(users))")
        }
        sources = (tasks.items.fields + (tasks.users?.fields ?? [])).map(FieldSource.init)
        (boundItems, boundUsers) = (tasks.items, tasks.users)
    }

    private func describe(_ fields: [FieldSchema]) -> String {
        "[" + fields.map { "\($0.name): \($0.kind) of \($0.size)" }.joined(separator: ", ") + "]"
    }

    /// Writes the chosen rows' places in the task to `rowNumbers` and their items to `itemRows`, support first.
    private func chooseRows(
        _ extent: TaskSet.Extent, of tasks: TaskSet, _ episode: Episode?
    ) throws -> (support: Int, query: Int) {
        let numbers = rowNumbers.reserve(extent.count, of: Int32.self)
        var (support, query) = (extent.supportCount, extent.queryCount)
        if let episode {
            (support, query) = episode.draw(from: extent.count, into: numbers)
        } else {
            for row in 0..<extent.count { numbers[row] = Int32(truncatingIfNeeded: row) }
        }
        try copyItems(
            of: tasks, extent.start, numbers, support + query, to: itemRows.reserve(extent.count, of: Int32.self))
        gatherTargets(tasks, extent.start, numbers, support, query)
        return (support, query)
    }

    /// The support of `before`, then some of the query rows of the task in `extent`.
    private func joinRows(
        _ before: TaskSet, _ first: TaskSet.Extent, _ rows: Range<Int>, _ extent: TaskSet.Extent, of tasks: TaskSet
    ) throws -> (support: Int, query: Int) {
        guard rows.upperBound <= extent.queryCount else { throw TaskSet.changed }
        let (support, query) = (first.supportCount, rows.count)
        let numbers = rowNumbers.reserve(max(support, query), of: Int32.self)
        for row in 0..<max(support, query) { numbers[row] = Int32(truncatingIfNeeded: row) }
        let out = itemRows.reserve(support + query, of: Int32.self)
        try copyItems(of: before, first.start, numbers, support, to: out)
        try copyItems(
            of: tasks, extent.start + extent.supportCount + rows.lowerBound, numbers, query, to: out + support)
        gatherTargets(before, first.start, numbers, support, 0)
        return (support, query)
    }

    private func copyItems(
        of tasks: TaskSet, _ start: Int, _ numbers: UnsafePointer<Int32>, _ count: Int,
        to out: UnsafeMutablePointer<Int32>
    ) throws {
        let limit = tasks.items.rows
        guard let items = tasks.arrays.itemIndex else { return }
        for i in 0..<count {
            let item = items[start + Int(numbers[i])]
            guard item >= -1, Int(item) < limit else { throw TaskSet.changed }
            out[i] = item
        }
    }

    private func gatherTargets(
        _ tasks: TaskSet, _ start: Int, _ numbers: UnsafePointer<Int32>, _ support: Int, _ query: Int
    ) {
        supportTargets.reserve(byteCount: support * precision.elementSize)
        queryTargets.reserve(byteCount: query * precision.elementSize)
        guard let targets = tasks.arrays.targets else { return }
        for i in 0..<support {
            targets.copy(
                start + Int(numbers[i]), count: 1, to: supportTargets.pointer + i * precision.elementSize, precision)
        }
        for i in 0..<query {
            targets.copy(
                start + Int(numbers[support + i]), count: 1, to: queryTargets.pointer + i * precision.elementSize,
                precision)
        }
    }
}
