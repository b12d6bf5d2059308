import Recommenders

/// An array with memory that stays where it is, as a NumPy array's does. It is never freed: tests are short.
final class Borrowed<Element: BitwiseCopyable> {
    let pointer: UnsafeMutablePointer<Element>
    let count: Int

    init(_ elements: [Element]) {
        count = elements.count
        pointer = .allocate(capacity: max(count, 1))
        pointer.initialize(from: elements, count: count)
    }

    subscript(index: Int) -> Element {
        get { pointer[index] }
        set { pointer[index] = newValue }
    }
}

/// The arrays of a task set, changeable one by one.
struct Arrays {
    var offsets = Borrowed<Int64>([0, 3, 3, 5])
    var supportCounts = Borrowed<Int64>([2, 0, 0])
    var itemIndex = Borrowed<Int32>([0, 1, -1, 2, 0])
    var targets = Borrowed<Double>([1, 2, 3, 4, 5])
    var userIndex: Borrowed<Int32>? = Borrowed([1, -1, 0])
    var taskCount = 3
    var rowCount = 5

    var pointers: TaskArrays {
        TaskArrays(
            taskCount: taskCount, rowCount: rowCount, offsets: offsets.pointer, supportCounts: supportCounts.pointer,
            itemIndex: itemIndex.pointer, targets: .double(targets.pointer), userIndex: userIndex?.pointer)
    }
}
