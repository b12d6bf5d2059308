import Graph

/// Borrowed arrays of ragged tasks: rows offsets[t] ..< offsets[t + 1] belong to task t, its support first.
public struct TaskArrays: @unchecked Sendable {
    /// Number of tasks.
    public var taskCount: Int
    /// Number of rows of all tasks.
    public var rowCount: Int
    /// [taskCount + 1].
    public var offsets: UnsafePointer<Int64>
    /// [taskCount].
    public var supportCounts: UnsafePointer<Int64>?
    /// [rowCount]; −1 is an unknown item.
    public var itemIndex: UnsafePointer<Int32>?
    /// [rowCount], finite.
    public var targets: Numbers?
    /// [taskCount]; −1 is an unknown user. None without users.
    public var userIndex: UnsafePointer<Int32>?

    /// Arrays of the lengths given at each property; those of length 0 may be nil.
    public init(
        taskCount: Int, rowCount: Int, offsets: UnsafePointer<Int64>, supportCounts: UnsafePointer<Int64>?,
        itemIndex: UnsafePointer<Int32>?, targets: Numbers?, userIndex: UnsafePointer<Int32>?
    ) {
        self.taskCount = taskCount
        self.rowCount = rowCount
        self.offsets = offsets
        self.supportCounts = supportCounts
        self.itemIndex = itemIndex
        self.targets = targets
        self.userIndex = userIndex
    }
}

/// Ragged tasks over tables of items and users, or a view of some of them. The arrays are borrowed, must outlive it and
/// are never written.
public final class TaskSet: Sendable {
    /// Where one task lies in the arrays.
    public struct Extent: Hashable, Sendable {
        /// First row.
        public let start: Int
        /// Number of rows, support and query.
        public let count: Int
        /// Number of support rows; they come first.
        public let supportCount: Int
        /// Row of the users, or −1.
        public let user: Int

        /// Number of query rows.
        public var queryCount: Int { count - supportCount }
    }

    /// What was borrowed.
    public let arrays: TaskArrays
    /// The items that rows point to.
    public let items: FeatureTable
    /// The users that tasks point to.
    public let users: FeatureTable?
    /// The tasks of a view, by their place in the arrays; nil for all of them.
    private let ids: [Int]?
    /// Support rows of all its tasks.
    public let supportRows: Int
    /// Query rows of all its tasks.
    public let queryRows: Int

    /// Number of tasks.
    public var count: Int { ids?.count ?? arrays.taskCount }

    /// Checks every offset, count, index and target once. Cost: one pass over the arrays.
    ///
    /// Errors name the array, the place and the value. No tasks, and tasks without support, query or both, are fine.
    public convenience init(_ arrays: TaskArrays, items: FeatureTable, users: FeatureTable?) throws {
        try arrays.validate(items: items, users: users)
        try self.init(arrays, ids: nil, items: items, users: users)
    }

    private init(_ arrays: TaskArrays, ids: [Int]?, items: FeatureTable, users: FeatureTable?) throws {
        self.arrays = arrays
        self.items = items
        self.users = users
        self.ids = ids
        var (supportRows, queryRows) = (0, 0)
        for place in 0..<(ids?.count ?? arrays.taskCount) {
            let extent = try arrays.extent(of: ids?[place] ?? place, users: users)
            supportRows += extent.supportCount
            queryRows += extent.queryCount
        }
        self.supportRows = supportRows
        self.queryRows = queryRows
    }

    /// A view of the tasks at `places`, in that order, repeats allowed. Shares the memory.
    ///
    /// Errors: a place outside the tasks.
    public func take(_ places: [Int]) throws -> TaskSet {
        let ids = try places.enumerated().map { at, place in
            guard place >= 0, place < count else {
                throw MetarecError.index("task_ids[\(at)] = \(place): outside 0 ..< \(count)")
            }
            return id(of: place)
        }
        return try TaskSet(arrays, ids: ids, items: items, users: users)
    }

    /// The place in the arrays of task number `task`.
    public func id(of task: Int) -> Int { ids?[task] ?? task }

    /// Where task number `task` lies. Errors: arrays that no longer are what was checked.
    public func extent(of task: Int) throws -> Extent { try arrays.extent(of: id(of: task), users: users) }

    /// Query rows before each task, and of all: task t's predictions go to offsets[t] ..< offsets[t + 1].
    public func queryOffsets() throws -> [Int] {
        var offsets = [0]
        offsets.reserveCapacity(count + 1)
        for task in 0..<count { offsets.append(offsets[task] + (try extent(of: task).queryCount)) }
        return offsets
    }

    /// Thrown wherever borrowed memory turns out to be other than it was when it was checked.
    static var changed: MetarecError { .state("the arrays of this TaskSet changed after it was made") }
}

extension TaskArrays {
    fileprivate func extent(of task: Int, users: FeatureTable?) throws -> TaskSet.Extent {
        let start = Int(offsets[task])
        let end = Int(offsets[task + 1])
        let support = Int(supportCounts?[task] ?? 0)
        let user = Int(userIndex?[task] ?? -1)
        guard start >= 0, start <= end, end <= rowCount, support >= 0, support <= end - start, user >= -1,
            user < users?.rows ?? 0, end - start <= Int(Int32.max)
        else { throw TaskSet.changed }
        return TaskSet.Extent(start: start, count: end - start, supportCount: support, user: user)
    }
}
