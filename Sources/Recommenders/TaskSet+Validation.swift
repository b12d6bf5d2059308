import Graph

extension TaskArrays {
    /// Checks everything that is read later.
    func validate(items: FeatureTable, users: FeatureTable?) throws {
        guard taskCount >= 0, taskCount < Int.max else {
            throw MetarecError.value("offsets: \(taskCount + 1) entries, wanted one more than there are tasks")
        }
        guard rowCount >= 0 else { throw MetarecError.value("item_index: \(rowCount) rows, wanted at least 0") }
        try validateOffsets()
        try validateSupport()
        try validateItems(rows: items.rows)
        try validateTargets()
        try validateUsers(users)
    }

    private func validateOffsets() throws {
        guard offsets[0] == 0 else { throw MetarecError.value("offsets[0] = \(offsets[0]), wanted 0") }
        for task in 0..<taskCount {
            let (start, end) = (offsets[task], offsets[task + 1])
            guard start <= end else {
                throw MetarecError.value("offsets[\(task + 1)] = \(end), less than the \(start) before it")
            }
            guard end - start <= Int64(Int32.max) else {
                throw MetarecError.value("offsets[\(task + 1)] = \(end): task \(task) has over \(Int32.max) rows")
            }
        }
        guard offsets[taskCount] == rowCount else {
            throw MetarecError.value(
                "offsets[\(taskCount)] = \(offsets[taskCount]), wanted \(rowCount), the number of rows")
        }
    }

    private func validateSupport() throws {
        guard taskCount > 0 else { return }
        guard let supportCounts else { throw MetarecError.value("support_counts: missing") }
        for task in 0..<taskCount {
            let rows = offsets[task + 1] - offsets[task]
            guard (0...rows).contains(supportCounts[task]) else {
                throw MetarecError.value(
                    "support_counts[\(task)] = \(supportCounts[task]): outside 0 ... \(rows) (rows of the task)")
            }
        }
    }

    private func validateItems(rows: Int) throws {
        guard rowCount > 0 else { return }
        guard let itemIndex else { throw MetarecError.value("item_index: missing") }
        for row in 0..<rowCount where itemIndex[row] < -1 || Int(itemIndex[row]) >= rows {
            throw MetarecError.index(
                "item_index[\(row)] = \(itemIndex[row]): outside -1 ..< \(rows) (rows of items)")
        }
    }

    private func validateTargets() throws {
        guard rowCount > 0 else { return }
        guard let targets else { throw MetarecError.value("targets: missing") }
        if let row = targets.firstNonFinite(count: rowCount) {
            throw MetarecError.value("targets[\(row)] = \(targets[row]): wanted a finite number")
        }
    }

    private func validateUsers(_ users: FeatureTable?) throws {
        guard let users else {
            guard userIndex == nil else { throw MetarecError.value("user_index: came without users") }
            return
        }
        guard taskCount > 0 else { return }
        guard let userIndex else { throw MetarecError.value("user_index: missing, although there are users") }
        for task in 0..<taskCount where userIndex[task] < -1 || Int(userIndex[task]) >= users.rows {
            throw MetarecError.index(
                "user_index[\(task)] = \(userIndex[task]): outside -1 ..< \(users.rows) (rows of users)")
        }
    }
}
