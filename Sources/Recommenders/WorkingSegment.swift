import Kernels
import MetaLearning

/// What one field contributes to one segment of a task.
struct WorkingSegment: ~Copyable {
    /// Rows of the segment.
    private(set) var rows = 0
    private(set) var idCount = 0
    /// [idCount].
    private(set) var ids = Scratch()
    /// Bag: [rows + 1].
    private(set) var offsets = Scratch()
    /// Bag: [rows], dense: [rows, size].
    private(set) var numbers = Scratch()
    private var begins = Scratch()

    /// Looks up `rows` of the feature table (−1: unknown), and hides values as `hiding` draws.
    mutating func fill(
        from source: FieldSource, rows places: UnsafePointer<Int32>, count: Int, hiding: inout Hiding?,
        _ precision: Precision
    ) throws {
        rows = count
        idCount = 0
        switch source.kind {
        case .categorical:
            try fillIDs(source, places, &hiding)
            idCount = count
        case .bag:
            idCount = try fillBags(source, places, &hiding)
            fillWeights(precision)
        case .dense:
            fillVectors(source, places, &hiding, precision)
        }
    }

    /// Replaces ids by their numbers in `table`.
    mutating func number(in table: inout RowSet) {
        let ids = ids.elements(of: Int32.self)
        table.number(ids, count: idCount, into: ids)
    }

    private mutating func fillIDs(
        _ source: FieldSource, _ places: UnsafePointer<Int32>, _ hiding: inout Hiding?
    ) throws {
        let out = ids.reserve(rows, of: Int32.self)
        out.update(repeating: -1, count: rows)
        if let known = source.ids {
            var (least, most) = (Int32(-1), Int32(-1))
            for i in 0..<rows where places[i] >= 0 {
                let id = known[Int(places[i])]
                (least, most) = (min(least, id), max(most, id))
                out[i] = id
            }
            guard least == -1, Int(most) < source.size else { throw TaskSet.changed }
        }
        if hiding != nil {
            for i in 0..<rows where hiding?.next() ?? false { out[i] = -1 }
        }
    }

    /// Returns the number of ids written.
    private mutating func fillBags(
        _ source: FieldSource, _ places: UnsafePointer<Int32>, _ hiding: inout Hiding?
    ) throws -> Int {
        let ends = offsets.reserve(rows + 1, of: Int32.self)
        ends[0] = 0
        // First where each row's ids begin and how many they are: then there is room for all of them at once.
        let starts = begins.reserve(rows, of: Int.self)
        var total = 0
        for i in 0..<rows {
            let hidden = hiding?.next() ?? false
            starts[i] = 0
            if let known = source.offsets, places[i] >= 0, !hidden {
                let (start, end) = (Int(known[Int(places[i])]), Int(known[Int(places[i]) + 1]))
                guard start >= 0, start <= end, end <= source.idCount, total + end - start <= Int(Int32.max) else {
                    throw TaskSet.changed
                }
                starts[i] = start
                total += end - start
            }
            ends[i + 1] = Int32(truncatingIfNeeded: total)
        }
        let out = ids.reserve(total, of: Int32.self)
        guard let known = source.ids else { return 0 }
        var (written, first) = (0, 0)
        for i in 0..<rows {
            let count = Int(ends[i + 1]) - first
            first += count
            for at in starts[i]..<starts[i] + count {
                let id = known[at]
                guard id >= -1, Int(id) < source.size else { throw TaskSet.changed }
                out[written] = id
                written += id < 0 ? 0 : 1
            }
            ends[i + 1] = Int32(truncatingIfNeeded: written)
        }
        return written
    }

    private mutating func fillWeights(_ precision: Precision) {
        let ends = offsets.elements(of: Int32.self)
        switch precision {
        case .float:
            let out = numbers.reserve(rows, of: Float.self)
            for i in 0..<rows { out[i] = ends[i + 1] == ends[i] ? 0 : 1 / Float(ends[i + 1] - ends[i]) }
        case .double:
            let out = numbers.reserve(rows, of: Double.self)
            for i in 0..<rows { out[i] = ends[i + 1] == ends[i] ? 0 : 1 / Double(ends[i + 1] - ends[i]) }
        }
    }

    private mutating func fillVectors(
        _ source: FieldSource, _ places: UnsafePointer<Int32>, _ hiding: inout Hiding?, _ precision: Precision
    ) {
        let stride = source.size * precision.elementSize
        numbers.reserve(byteCount: rows * stride)
        for i in 0..<rows {
            let hidden = hiding?.next() ?? false
            let out = numbers.pointer + i * stride
            if let vectors = source.vectors, places[i] >= 0, !hidden {
                vectors.copy(Int(places[i]) * source.size, count: source.size, to: out, precision)
            } else {
                out.initializeMemory(as: UInt8.self, repeating: 0, count: stride)
            }
        }
    }
}
