public import CMetarec
import Graph
import Recommenders

/// Checked tasks over borrowed arrays.
@c @implementation
public func mr_tasks_create(
    _ arrays: UnsafePointer<mr_task_arrays>, _ items: OpaquePointer, _ users: OpaquePointer?,
    _ out: UnsafeMutablePointer<OpaquePointer?>, _ error: UnsafeMutablePointer<mr_error>
) -> Int32 {
    bridge(error) {
        let arrays = arrays.pointee
        let borrowed = TaskArrays(
            taskCount: Int(arrays.task_count), rowCount: Int(arrays.row_count), offsets: arrays.offsets,
            supportCounts: arrays.support_counts, itemIndex: arrays.item_index,
            targets: try arrays.targets.map { try numbers($0, arrays.target_dtype) }, userIndex: arrays.user_index)
        out.pointee = Handle.make(
            try TaskSet(
                borrowed, items: Handle.object(items), users: users.map { Handle.object($0, FeatureTable.self) }))
    }
}

/// A view of some of the tasks.
@c @implementation
public func mr_tasks_take(
    _ tasks: OpaquePointer, _ taskIds: UnsafePointer<Int64>?, _ idCount: Int64,
    _ out: UnsafeMutablePointer<OpaquePointer?>, _ error: UnsafeMutablePointer<mr_error>
) -> Int32 {
    bridge(error) {
        let places = try UnsafeBufferPointer(start: taskIds, count: taskIds == nil ? 0 : count(idCount, "count"))
            .map { Int($0) }
        out.pointee = Handle.make(try Handle.object(tasks, TaskSet.self).take(places))
    }
}

/// Numbers of tasks and rows.
@c @implementation
public func mr_tasks_counts(
    _ tasks: OpaquePointer, _ taskCount: UnsafeMutablePointer<Int64>, _ supportRows: UnsafeMutablePointer<Int64>,
    _ queryRows: UnsafeMutablePointer<Int64>
) {
    let tasks = Handle.object(tasks, TaskSet.self)
    taskCount.pointee = Int64(tasks.count)
    supportRows.pointee = Int64(tasks.supportRows)
    queryRows.pointee = Int64(tasks.queryRows)
}

/// Gives the tasks back.
@c @implementation
public func mr_tasks_release(_ tasks: OpaquePointer) { Handle.release(tasks, TaskSet.self) }
