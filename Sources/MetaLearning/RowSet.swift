/// A set of table rows, numbered in order of first appearance.
///
/// The first 65,536 rows of a table have a slot each, so that most tables need no search; later ones share an
/// open-addressing hash of at least twice as many slots as they are. So memory follows the rows inserted, and is at most
/// half a mebibyte more. Emptying it is O(1): slots carry the generation that wrote them.
public struct RowSet: ~Copyable, Sendable {
    /// The generation that wrote it in the upper 32 bits, the row's number in the lower.
    private typealias Slot = UInt64

    /// How many rows have a slot of their own.
    public static let direct = 1 << 16

    private var directMemory = Scratch()
    private var directCount = 0
    private var hashMemory = Scratch()
    private var hashCapacity = 0
    private var rowMemory = Scratch()
    private var generation: UInt32 = 1

    /// Number of rows in the set.
    public private(set) var count = 0
    /// The rows, in order of first appearance; valid until the next insertion.
    public var rows: UnsafePointer<Int32> { UnsafePointer(rowMemory.elements(of: Int32.self)) }

    /// An empty set.
    public init() {}

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
    /// Cost: O(`count`) expected.
    public mutating func number(_ ids: UnsafePointer<Int32>, count n: Int, into numbers: UnsafeMutablePointer<Int32>) {
        makeRoom(for: ids, count: n)
        let rows = rowMemory.elements(of: Int32.self)
        let direct = directMemory.elements(of: Slot.self)
        let written = Slot(generation) << 32
        var count = count
        for i in 0..<n {
            let row = ids[i]
            guard row >= 0 else {
                numbers[i] = row
                continue
            }
            let slot = row < RowSet.direct ? direct + Int(row) : hashed(row, rows, written)
            // Which rows are new cannot be predicted: a wrong guess costs more than writing the slot again.
            let isNew = slot.pointee < written
            let numbered = isNew ? written | Slot(truncatingIfNeeded: count) : slot.pointee
            slot.pointee = numbered
            rows[count] = row
            count &+= isNew ? 1 : 0
            numbers[i] = Int32(truncatingIfNeeded: numbered)
        }
        self.count = count
    }

    /// The slot of a row in the hash, or a free one.
    private func hashed(
        _ row: Int32, _ rows: UnsafeMutablePointer<Int32>, _ written: Slot
    ) -> UnsafeMutablePointer<Slot> {
        let slots = hashMemory.elements(of: Slot.self)
        // Fibonacci hashing: the product's highest bits.
        let product = UInt64(UInt32(bitPattern: row)) &* 0x9E37_79B9_7F4A_7C15
        var at = Int(truncatingIfNeeded: product &>> UInt64(1 &+ hashCapacity.leadingZeroBitCount))
        while slots[at] >= written, rows[Int(UInt32(truncatingIfNeeded: slots[at]))] != row {
            at = (at &+ 1) & (hashCapacity &- 1)
        }
        return slots + at
    }

    private mutating func makeRoom(for ids: UnsafePointer<Int32>, count n: Int) {
        let wanted = count + n
        let rows = rowMemory.reserve(wanted, of: Int32.self, keeping: count)
        var most: Int32 = -1
        for i in 0..<n { most = max(most, ids[i]) }
        let reached = min(Int(most) + 1, RowSet.direct)
        if reached > directCount {
            _ = directMemory.reserve(reached, of: Slot.self, keeping: directCount)
            directCount = reached
        }
        guard most >= RowSet.direct, 2 * wanted > hashCapacity else { return }
        hashCapacity = 64
        while 2 * wanted > hashCapacity { hashCapacity *= 2 }
        let slots = hashMemory.reserve(hashCapacity, of: Slot.self)
        slots.update(repeating: 0, count: hashCapacity)
        let written = Slot(generation) << 32
        for number in 0..<count where rows[number] >= RowSet.direct {
            hashed(rows[number], rows, written).pointee = written | Slot(number)
        }
    }
}
