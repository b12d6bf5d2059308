import Graph
import Kernels

extension WorkingSet {
    /// Loads task number `task`: its own support and query, or those that `episode` draws; some values hidden.
    ///
    /// Cost: the task's rows and ids; nothing is allocated once tasks of this size have been seen. Errors: fields
    /// other than those the set was made for, and arrays that changed after they were checked (every index is compared
    /// with its bounds again). After an error the set holds no task.
    public func load(
        _ task: Int, of tasks: TaskSet, episode: Episode? = nil, hiding: Hiding? = nil
    ) throws {
        (supportCount, queryCount) = (0, 0)
        try bind(tasks)
        let extent = try tasks.extent(of: task)
        let (support, query) = try chooseRows(extent, of: tasks, episode)
        gatherTargets(tasks, extent.start, support, query)

        let rows = UnsafePointer(itemRows.elements(of: Int32.self))
        var hiding = hiding
        for index in items.indices {
            try fields[index].load(
                sources[index], items: rows, supportCount: support, queryCount: query, hiding: &hiding)
        }
        for index in items.count..<fieldCount {
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
        let out = itemRows.reserve(extent.count, of: Int32.self)
        let limit = tasks.items.rows
        guard let items = tasks.arrays.itemIndex else { return (support, query) }
        for i in 0..<support + query {
            let item = items[extent.start + Int(numbers[i])]
            guard item >= -1, Int(item) < limit else { throw TaskSet.changed }
            out[i] = item
        }
        return (support, query)
    }

    private func gatherTargets(_ tasks: TaskSet, _ start: Int, _ support: Int, _ query: Int) {
        supportTargets.reserve(byteCount: support * precision.elementSize)
        queryTargets.reserve(byteCount: query * precision.elementSize)
        guard let targets = tasks.arrays.targets else { return }
        let numbers = rowNumbers.elements(of: Int32.self)
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
