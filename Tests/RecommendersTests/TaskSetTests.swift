import Graph
import Recommenders
import Testing

@Suite struct TaskSetTests {
    private func tables() throws -> (items: FeatureTable, users: FeatureTable) {
        (try FeatureTable(rows: 3, fields: []), try FeatureTable(rows: 2, fields: []))
    }

    private func make(_ arrays: Arrays) throws -> TaskSet {
        let (items, users) = try tables()
        return try TaskSet(arrays.pointers, items: items, users: users)
    }

    @Test func knowsItsTasks() throws {
        let arrays = Arrays()
        let tasks = try make(arrays)
        #expect([tasks.count, tasks.supportRows, tasks.queryRows] == [3, 2, 3])
        let extents = try (0..<3).map { try tasks.extent(of: $0) }
        #expect(extents.map(\.start) == [0, 3, 3])
        #expect(extents.map(\.supportCount) == [2, 0, 0])
        #expect(extents.map(\.queryCount) == [1, 0, 2])
        #expect(extents.map(\.user) == [1, -1, 0])
        #expect(try tasks.queryOffsets() == [0, 1, 1, 3])
    }

    @Test func takesViewsOfViews() throws {
        let arrays = Arrays()
        let view = try make(arrays).take([2, 0, 2]).take([0, 2, 1])
        #expect((0..<3).map(view.id) == [2, 2, 0])
        #expect([view.count, view.supportRows, view.queryRows] == [3, 2, 5])
        #expect(try view.take([]).count == 0)
        #expect(throws: MetarecError.index("task_ids[1] = 3: outside 0 ..< 3")) { try view.take([0, 3]) }
        #expect(throws: MetarecError.index("task_ids[0] = -1: outside 0 ..< 3")) { try view.take([-1]) }
    }

    @Test func noTasksAreFine() throws {
        let (items, users) = try tables()
        let offsets = Borrowed<Int64>([0])
        let arrays = TaskArrays(
            taskCount: 0, rowCount: 0, offsets: offsets.pointer, supportCounts: nil, itemIndex: nil, targets: nil,
            userIndex: nil)
        #expect(try TaskSet(arrays, items: items, users: users).count == 0)
        #expect(try TaskSet(arrays, items: items, users: nil).queryOffsets() == [0])
    }

    @Test func namesWhatIsWrong() throws {
        func expect(_ error: MetarecError, _ change: (inout Arrays) -> Void) {
            var arrays = Arrays()
            change(&arrays)
            #expect(throws: error) { try make(arrays) }
        }
        expect(.value("offsets[0] = 1, wanted 0")) { $0.offsets[0] = 1 }
        expect(.value("offsets[2] = 2, less than the 3 before it")) { $0.offsets[2] = 2 }
        expect(.value("offsets[1] = -1, less than the 0 before it")) { $0.offsets[1] = -1 }
        expect(.value("offsets[3] = 6, wanted 5, the number of rows")) { $0.offsets[3] = 6 }
        expect(.value("offsets[3] = 4294967296: task 2 has over 2147483647 rows")) { $0.offsets[3] = 1 << 32 }
        expect(.value("support_counts[0] = 4: outside 0 ... 3 (rows of the task)")) { $0.supportCounts[0] = 4 }
        expect(.value("support_counts[1] = -1: outside 0 ... 0 (rows of the task)")) { $0.supportCounts[1] = -1 }
        expect(.index("item_index[4] = 3: outside -1 ..< 3 (rows of items)")) { $0.itemIndex[4] = 3 }
        expect(.index("item_index[0] = -2: outside -1 ..< 3 (rows of items)")) { $0.itemIndex[0] = -2 }
        expect(.value("targets[2] = nan: wanted a finite number")) { $0.targets[2] = .nan }
        expect(.value("targets[4] = inf: wanted a finite number")) { $0.targets[4] = .infinity }
        expect(.index("user_index[1] = 2: outside -1 ..< 2 (rows of users)")) { $0.userIndex?[1] = 2 }
        expect(.value("user_index: missing, although there are users")) { $0.userIndex = nil }
        expect(.value("offsets: 0 entries, wanted one more than there are tasks")) { $0.taskCount = -1 }
        expect(.value("item_index: -1 rows, wanted at least 0")) { $0.rowCount = -1 }
        let arrays = Arrays()
        #expect(throws: MetarecError.value("user_index: came without users")) {
            try TaskSet(arrays.pointers, items: try tables().items, users: nil)
        }
        func expectMissing(_ name: String, _ change: (inout TaskArrays) -> Void) throws {
            let (items, users) = try tables()
            var pointers = arrays.pointers
            change(&pointers)
            let missing = pointers
            #expect(throws: MetarecError.value("\(name): missing")) {
                try TaskSet(missing, items: items, users: users)
            }
        }
        try expectMissing("targets") { $0.targets = nil }
        try expectMissing("item_index") { $0.itemIndex = nil }
        try expectMissing("support_counts") { $0.supportCounts = nil }
    }

    @Test func noticesArraysThatChangedLater() throws {
        let changes: [(Arrays) -> Void] = [
            { $0.offsets[1] = -1 }, { $0.offsets[1] = 6 }, { $0.supportCounts[0] = 4 }, { $0.supportCounts[0] = -1 },
            { $0.userIndex?[0] = 2 }, { $0.userIndex?[0] = -2 },
        ]
        for change in changes {
            let arrays = Arrays()
            let tasks = try make(arrays)
            change(arrays)
            #expect(throws: MetarecError.state("the arrays of this TaskSet changed after it was made")) {
                try tasks.extent(of: 0)
            }
        }
    }
}
