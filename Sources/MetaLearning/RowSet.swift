/// A set of table rows, numbered in order of first appearance.
///
/// An open-addressing hash of at least twice the rows in it: memory and time follow the rows inserted, never the size
/// of the table they belong to. Emptying it is O(1): slots carry the generation that wrote them.
public struct RowSet: ~Copyable, Sendable {
    private struct Slot {
        /// The generation that wrote it in the upper 32 bits, the row in the lower.
        var key: UInt64
        var number: Int32
    }

    private var slotMemory: Scratch
    private var rowMemory = Scratch()
    private var shift = 58
    private var generation: UInt32 = 1

    /// Number of rows in the set.
    public private(set) var count = 0
    /// The rows, in order of first appearance; valid until the next insertion.
    public var rows: UnsafePointer<Int32> { UnsafePointer(rowMemory.elements(of: Int32.self)) }

    private var capacity: Int { 1 << (64 - shift) }

    /// An empty set.
    public init() { slotMemory = Scratch(byteCount: 64 * MemoryLayout<Slot>.stride) }

    /// Empties the set and keeps its memory.
    public mutating func removeAll() {
        count = 0
        generation &+= 1
        if generation == 0 { clearSlots() }
    }

    /// Inserts `ids` and replaces each by its number; negative ids (unknown) stay as they are.
    ///
    /// Cost: O(`count`) expected.
    public mutating func number(_ ids: UnsafeMutablePointer<Int32>, count n: Int) {
        makeRoom(for: n)
        let slots = slotMemory.elements(of: Slot.self)
        let rows = rowMemory.elements(of: Int32.self)
        let mask = capacity - 1
        var count = count
        for i in 0..<n where ids[i] >= 0 {
            let row = ids[i]
            let key = key(of: row)
            var at = home(of: row)
            // Below 2^32 the generation is the same: 0 is the row itself, anything else another one.
            var difference = slots[at].key ^ key
            while difference &- 1 < UInt64(UInt32.max) {
                at = (at &+ 1) & mask
                difference = slots[at].key ^ key
            }
            // Which rows are new cannot be predicted: a wrong guess costs more than writing the slot again.
            let isNew = difference != 0
            let number = isNew ? Int32(truncatingIfNeeded: count) : slots[at].number
            slots[at] = Slot(key: key, number: number)
            rows[count] = row
            count &+= isNew ? 1 : 0
            ids[i] = number
        }
        self.count = count
    }

    /// The slot where the search for a row starts: for the first 64, which are all of a small table, a slot of their own;
    /// else by Fibonacci hashing, the product's highest bits.
    @inline(__always)
    private func home(of row: Int32) -> Int {
        let row = UInt64(UInt32(bitPattern: row))
        let hashed = (row &* 0x9E37_79B9_7F4A_7C15) &>> UInt64(shift)
        return Int(truncatingIfNeeded: row < 64 ? row : hashed)
    }

    @inline(__always)
    private func key(of row: Int32) -> UInt64 { UInt64(generation) << 32 | UInt64(UInt32(bitPattern: row)) }

    /// Grows the hash so that `additional` new rows leave it at most half full.
    private mutating func makeRoom(for additional: Int) {
        let wanted = count + additional
        _ = rowMemory.reserve(wanted, of: Int32.self, keeping: count)
        guard 2 * wanted > capacity else { return }
        while 2 * wanted > capacity { shift -= 1 }
        _ = slotMemory.reserve(capacity, of: Slot.self)
        clearSlots()
        let slots = slotMemory.elements(of: Slot.self)
        for number in 0..<count {
            let row = rows[number]
            var at = home(of: row)
            while slots[at].key > 0 { at = (at &+ 1) & (capacity - 1) }
            slots[at] = Slot(key: key(of: row), number: Int32(number))
        }
    }

    private mutating func clearSlots() {
        slotMemory.elements(of: Slot.self).update(repeating: Slot(key: 0, number: 0), count: capacity)
        generation = 1
    }
}
