import Glibc

/// Rows of a borrowed field as they were when they were last used, to tell whether they have changed since.
struct FieldCopy {
    private let source: FieldSource
    /// Bytes of an element: an id, or a vector.
    private let stride: Int
    /// Categorical and dense: [rows]; bag: its ids, where they are in the source.
    private let elements: UnsafeMutableRawPointer
    /// Of a bag, per row: where its ids begin and end.
    private let ranges: UnsafeMutablePointer<Range<Int64>>

    /// Memory for the field's rows; none of it is written before `copy`.
    init(_ source: FieldSource, rows: Int) {
        self.source = source
        stride = FieldCopy.stride(source)
        elements = .allocate(byteCount: max(1, (source.kind == .bag ? source.idCount : rows) * stride), alignment: 8)
        ranges = .allocate(capacity: source.kind == .bag ? rows : 0)
    }

    func deallocate() {
        elements.deallocate()
        ranges.deallocate()
    }

    private static func stride(_ source: FieldSource) -> Int {
        switch source.vectors {
        case .float: source.size * 4
        case .double: source.size * 8
        case nil: 4
        }
    }

    /// Bytes of a row on the average.
    static func rowSize(_ source: FieldSource, rows: Int) -> Int {
        source.kind == .bag ? 16 + 4 * source.idCount / max(rows, 1) : stride(source)
    }

    private var original: UnsafeRawPointer? {
        switch source.vectors {
        case .float(let numbers): UnsafeRawPointer(numbers)
        case .double(let numbers): UnsafeRawPointer(numbers)
        case nil: source.ids.map { UnsafeRawPointer($0) }
        }
    }

    /// The ids of a bag's row; nil where the offsets are none.
    private func range(_ row: Int) -> Range<Int64>? {
        guard let offsets = source.offsets else { return nil }
        let (start, end) = (offsets[row], offsets[row + 1])
        return start >= 0 && start <= end && end <= source.idCount ? start..<end : nil
    }

    /// Remembers row `row` as it is.
    func copy(_ row: Int) {
        guard let original else { return }
        guard source.kind == .bag else {
            (elements + row * stride).copyMemory(from: original + row * stride, byteCount: stride)
            return
        }
        let range = range(row) ?? 0..<0
        ranges[row] = range
        let start = Int(range.lowerBound) * stride
        (elements + start).copyMemory(from: original + start, byteCount: range.count * stride)
    }

    /// Marks those of the rows that are known, but differ by now, as not known. A negative row is none.
    func forgetChanged(_ rows: UnsafePointer<Int32>, count: Int, _ isKnown: UnsafeMutablePointer<Bool>) {
        guard let original else { return }
        switch source.kind {
        case .categorical:
            let (ids, seen) = (
                original.assumingMemoryBound(to: Int32.self), elements.assumingMemoryBound(to: Int32.self)
            )
            for i in 0..<count where rows[i] >= 0 && isKnown[Int(rows[i])] {
                let row = Int(rows[i])
                if ids[row] != seen[row] { isKnown[row] = false }
            }
        case .dense:
            for i in 0..<count where rows[i] >= 0 && isKnown[Int(rows[i])] {
                let start = Int(rows[i]) * stride
                if memcmp(original + start, elements + start, stride) != 0 { isKnown[Int(rows[i])] = false }
            }
        case .bag:
            for i in 0..<count where rows[i] >= 0 && isKnown[Int(rows[i])] {
                let row = Int(rows[i])
                let start = Int(ranges[row].lowerBound) * stride
                if range(row) != ranges[row]
                    || memcmp(original + start, elements + start, ranges[row].count * stride) != 0
                {
                    isKnown[row] = false
                }
            }
        }
    }
}
