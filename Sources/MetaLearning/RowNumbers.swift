/// The rows of a table that a batch touches, numbered in order of first appearance.
///
/// A slot for every row up to the largest one met, 8 bytes each: no search, and where `RowSet` would hash, one access.
/// Memory follows the table's size, beside whose own it does not show; time follows the rows numbered. Emptying it is
/// O(1): slots carry the generation that wrote them.
struct RowNumbers: ~Copyable {
    /// The generation that wrote it in the upper 32 bits, the row's number in the lower.
    private typealias Slot = UInt64

    private var slotMemory = Scratch()
    private var slotCount = 0
    private var rowMemory = Scratch()
    private var generation: UInt32 = 1

    /// Number of rows.
    private(set) var count = 0
    /// The rows, in order of first appearance; valid until the next are numbered.
    var rows: UnsafePointer<Int32> { UnsafePointer(rowMemory.elements(of: Int32.self)) }

    /// Forgets all rows and keeps the memory.
    mutating func removeAll() {
        count = 0
        generation &+= 1
        guard generation == 0 else { return }
        slotMemory.elements(of: Slot.self).update(repeating: 0, count: slotCount)
        generation = 1
    }

    /// Writes the number of each of `ids` to `numbers`; negative ids (unknown) stay as they are.
    mutating func number(_ ids: UnsafePointer<Int32>, count n: Int, into numbers: UnsafeMutablePointer<Int32>) {
        makeRoom(for: ids, count: n)
        let slots = slotMemory.elements(of: Slot.self)
        let rows = rowMemory.elements(of: Int32.self)
        let current = Slot(generation) << 32
        var count = count
        for i in 0..<n {
            let row = ids[i]
            guard row >= 0 else {
                numbers[i] = row
                continue
            }
            let slot = slots[Int(row)]
            // Which rows are new cannot be predicted: a wrong guess costs more than writing the slot again.
            let isNew = slot < current
            let numbered = isNew ? current | Slot(truncatingIfNeeded: count) : slot
            slots[Int(row)] = numbered
            rows[count] = row
            count &+= isNew ? 1 : 0
            numbers[i] = Int32(truncatingIfNeeded: numbered)
        }
        self.count = count
    }

    private mutating func makeRoom(for ids: UnsafePointer<Int32>, count n: Int) {
        _ = rowMemory.reserve(count + n, of: Int32.self, keeping: count)
        var most: Int32 = -1
        for i in 0..<n { most = max(most, ids[i]) }
        guard Int(most) >= slotCount else { return }
        _ = slotMemory.reserve(Int(most) + 1, of: Slot.self, keeping: slotCount)
        slotCount = Int(most) + 1
    }
}
