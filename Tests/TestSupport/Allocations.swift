import CTestSupport

/// Blocks of memory that this thread has asked for so far; nil where they cannot be counted.
public func allocationCount() -> Int? {
    let count = mr_test_allocation_count()
    return count < 0 ? nil : Int(count)
}
