import Graph
import Kernels

extension WorkingSet {
    /// Loads task number `task`: its own support and query, or those that `episode` draws; some values hidden. With
    /// `support`, that set's first task is the support, over the same tables, and the query is all the task's own.
    ///
    /// Cost: the task's rows and ids; nothing is allocated once tasks of this size have been seen. Errors: fields
    /// other than those the set was made for, and arrays that changed after they were checked (every index is compared
    /// with its bounds again). After an error the set holds no task.
    public func load(
        _ task: Int, of tasks: TaskSet, support before: TaskSet? = nil, episode: Episode? = nil, hiding: Hiding? = nil
    ) throws {
        (supportCount, queryCount) = (0, 0)
        try bind(tasks)
        let extent = try tasks.extent(of: task)
        let (support, query) =
            try before.map { try joinRows($0, extent, of: tasks) } ?? chooseRows(extent, of: tasks, episode)

        let rows = UnsafePointer(itemRows.elements(of: Int32.self))
        var hiding = hiding
        for index in items.indices {
            hiding?.enter(field: index)
            try fields[index].load(
                sources[index], items: rows, supportCount: support, queryCount: query, hiding: &hiding)
        }
        for index in items.count..<fieldCount {
            hiding?.enter(field: index)
            try fields[index].load(sources[index], user: extent.user, hiding: &hiding)
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

    /// The support of the first task of `before`, then the query of the task in `extent`.
    private func joinRows(
        _ before: TaskSet, _ extent: TaskSet.Extent, of tasks: TaskSet
    ) throws -> (support: Int, query: Int) {
        let first = try before.extent(of: 0)
        let (support, query) = (first.supportCount, extent.queryCount)
        let numbers = rowNumbers.reserve(max(support, query), of: Int32.self)
        for row in 0..<max(support, query) { numbers[row] = Int32(truncatingIfNeeded: row) }
        let out = itemRows.reserve(support + query, of: Int32.self)
        try copyItems(of: before, first.start, numbers, support, to: out)
        try copyItems(of: tasks, extent.start + extent.supportCount, numbers, query, to: out + support)
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
