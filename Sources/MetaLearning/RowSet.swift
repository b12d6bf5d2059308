/// A set of table rows, numbered in order of first appearance.
///
/// A table's first 65,536 rows have a slot each, so that most tables need no search; the others share an open-addressing
/// hash with at least two slots for each of them. So memory follows the rows inserted, but for at most half a mebibyte.
/// Emptying the set is O(1): slots carry the generation that wrote them.
public struct RowSet: ~Copyable, Sendable {
    /// The generation that wrote it in the upper 32 bits, the row's number in the lower.
    private typealias Slot = UInt64

    /// How many rows have a slot of their own.
    static let directRows = 1 << 16

    private var directMemory = Scratch()
    private var directCount = 0
    private var hashMemory = Scratch()
    private var hashCapacity = 0
    private var rowMemory = Scratch()
    private var generation: UInt32

    /// Number of rows in the set.
    public private(set) var count = 0
    /// The rows, in order of first appearance; valid until the next insertion.
    public var rows: UnsafePointer<Int32> { UnsafePointer(rowMemory.elements(of: Int32.self)) }

    /// An empty set.
    public init() { self.init(generation: 1) }

    init(generation: UInt32) { self.generation = generation }

    /// Empties the set and keeps its memory.
    public mutating func removeAll() {
        count = 0
        generation &+= 1
        guard generation == 0 else { return }
        directMemory.elements(of: Slot.self).update(repeating: 0, count: directCount)
        hashMemory.elements(of: Slot.self).update(repeating: 0, count: hashCapacity)
        generation = 1
    }

    /// Inserts `ids` and writes the number of each to `numbers`, which may be the same memory; negative ids (unknown) stay
    /// as they are.
    ///
    /// Cost: O(`count`) expected, and once for larger ids than ever before the memory of their slots.
    public mutating func number(_ ids: UnsafePointer<Int32>, count n: Int, into numbers: UnsafeMutablePointer<Int32>) {
        makeRoom(for: ids, count: n)
        let rows = rowMemory.elements(of: Int32.self)
        let slots = directMemory.elements(of: Slot.self)
        let mark = Slot(generation) << 32
        var count = count
        for i in 0..<n {
            let row = ids[i]
            guard row >= 0 else {
                numbers[i] = row
                continue
            }
            let slot = row < RowSet.directRows ? slots + Int(row) : hashedSlot(of: row, rows, mark)
            // Which rows are new cannot be predicted: a wrong guess costs more than writing the slot again.
            let isNew = slot.pointee < mark
            let numbered = isNew ? mark | Slot(truncatingIfNeeded: count) : slot.pointee
            slot.pointee = numbered
            rows[count] = row
            count &+= isNew ? 1 : 0
            numbers[i] = Int32(truncatingIfNeeded: numbered)
        }
        self.count = count
    }

    /// A row's slot in the hash, or the free one where it belongs.
    private func hashedSlot(
        of row: Int32, _ rows: UnsafeMutablePointer<Int32>, _ mark: Slot
    ) -> UnsafeMutablePointer<Slot> {
        let slots = hashMemory.elements(of: Slot.self)
        // Fibonacci hashing: the product's highest bits.
        let product = UInt64(UInt32(bitPattern: row)) &* 0x9E37_79B9_7F4A_7C15
        var at = Int(truncatingIfNeeded: product &>> UInt64(1 &+ hashCapacity.leadingZeroBitCount))
        while slots[at] >= mark, rows[Int(UInt32(truncatingIfNeeded: slots[at]))] != row {
            at = (at &+ 1) & (hashCapacity &- 1)
        }
        return slots + at
    }

    /// Memory for `n` more rows, a slot for each id that has its own, and a hash that they leave at most half full.
    private mutating func makeRoom(for ids: UnsafePointer<Int32>, count n: Int) {
        let wanted = count + n
        let rows = rowMemory.reserve(wanted, of: Int32.self, keeping: count)
        var most: Int32 = -1
        for i in 0..<n { most = max(most, ids[i]) }
        if Int(most) >= directCount, directCount < RowSet.directRows {
            var larger = max(directCount, 64)
            while larger <= Int(most), larger < RowSet.directRows { larger *= 2 }
            _ = directMemory.reserve(larger, of: Slot.self, keeping: directCount)
            directCount = larger
        }
        guard most >= RowSet.directRows, 2 * wanted > hashCapacity else { return }
        hashCapacity = max(hashCapacity, 64)
        while 2 * wanted > hashCapacity { hashCapacity *= 2 }
        let slots = hashMemory.reserve(hashCapacity, of: Slot.self)
        slots.update(repeating: 0, count: hashCapacity)
        let mark = Slot(generation) << 32
        for number in 0..<count where rows[number] >= RowSet.directRows {
            hashedSlot(of: rows[number], rows, mark).pointee = mark | Slot(number)
        }
    }
}
