import Graph
import Kernels

extension WorkingSet {
    /// Loads task number `task`: its own support and query, or those that `episode` draws; some values hidden.
    ///
    /// Cost: the task's rows and ids; nothing is allocated once tasks of this size, with ids as large, have been seen.
    /// Errors: fields other than those the set was made for, and arrays that changed after they were checked (every
    /// index is compared with its bounds again). After an error the set holds no task.
    public func load(
        _ task: Int, of tasks: TaskSet, episode: Episode? = nil, hiding: Hiding? = nil
    ) throws {
        (supportCount, queryCount) = (0, 0)
        try bind(items: tasks.items)
        try bind(users: tasks.users)
        let extent = try tasks.extent(of: task)
        let (support, query) = try chooseRows(extent, of: tasks, episode)
        gatherTargets(tasks, extent.start, support, query)

        var hiding = hiding
        try loadFields(support: support, query: query, user: extent.user, &hiding)
    }

    /// Loads what one user has rated, as a task without query. Errors: an item outside its table, a rating that is not
    /// finite, other fields.
    func load(_ ratings: UserRatings) throws {
        (supportCount, queryCount) = (0, 0)
        try bind(items: ratings.items)
        try bind(users: ratings.user)
        try copyItems(ratings.rows, count: ratings.count, of: ratings.items)
        supportTargets.reserve(byteCount: ratings.count * precision.elementSize)
        if let values = ratings.values {
            if let at = values.firstNonFinite(count: ratings.count) {
                throw MetarecError.value("ratings[\(at)] = \(values[at]): wanted a finite number")
            }
            values.copy(0, count: ratings.count, to: supportTargets.pointer, precision)
        }
        var hiding: Hiding?
        try loadFields(support: ratings.count, query: 0, user: 0, &hiding)
    }

    /// Loads rows of `items` as the query of a task without support and user; their ids are numbers of touched rows, or
    /// unless `numbering` the tables' own. Of the fields those in `fields` alone, or all. Errors: a row outside the table.
    func load(
        candidates: UnsafePointer<Int32>, count: Int, of items: FeatureTable, numbering: Bool, fields: [Int]? = nil
    ) throws {
        (supportCount, queryCount) = (0, 0)
        try bind(items: items)
        try copyItems(candidates, count: count, of: items)
        var hiding: Hiding?
        try loadFields(fields, support: 0, query: count, user: nil, &hiding, numbering: numbering)
    }

    private func copyItems(_ rows: UnsafePointer<Int32>?, count: Int, of items: FeatureTable) throws {
        let out = itemRows.reserve(count, of: Int32.self)
        guard let rows else { return }
        for i in 0..<count {
            let row = rows[i]
            guard row >= -1, Int(row) < items.rows else {
                throw MetarecError.index("items[\(i)] = \(row): outside -1 ..< \(items.rows)")
            }
            out[i] = row
        }
    }

    /// Loads those fields of the items in `itemRows`, support first, and those of a user's row.
    private func loadFields(
        _ fields: [Int]? = nil, support: Int, query: Int, user: Int?, _ hiding: inout Hiding?,
        numbering: Bool = true
    ) throws {
        let rows = UnsafePointer(itemRows.elements(of: Int32.self))
        for index in items.indices where fields?.contains(index) ?? true {
            hiding?.enter(field: index)
            try self.fields[index].load(
                itemSources[index], items: rows, supportCount: support, queryCount: query, hiding: &hiding,
                numbering: numbering)
        }
        if let user {
            for index in users.indices {
                hiding?.enter(field: items.count + index)
                try self.fields[items.count + index].load(userSources[index], user: user, hiding: &hiding)
            }
        }
        (supportCount, queryCount) = (support, query)
    }

    /// Takes over a table's arrays when they are others than last time.
    private func bind(items table: FeatureTable) throws {
        guard table !== boundItems else { return }
        guard table.schema == items else {
            throw MetarecError.value("items: their fields are \(describe(table.schema)), wanted \(describe(items))")
        }
        itemSources = table.fields.map(FieldSource.init)
        boundItems = table
    }

    private func bind(users table: FeatureTable?) throws {
        // In the beginning no table is bound, and that none comes may be wrong.
        if let table, table === boundUsers { return }
        guard table?.schema ?? [] == users else {
            throw MetarecError.value(
                "users: their fields are \(describe(table?.schema ?? [])), wanted \(describe(users))")
        }
        userSources = table?.fields.map(FieldSource.init) ?? []
        boundUsers = table
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
        targets.gather(numbers, count: support, from: start, to: supportTargets.pointer, precision)
        targets.gather(numbers + support, count: query, from: start, to: queryTargets.pointer, precision)
    }
}
