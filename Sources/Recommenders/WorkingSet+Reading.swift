extension WorkingSet {
    /// The local row numbers of an embedded field in one segment.
    ///
    /// Categorical: row r holds ids[r], −1 if unknown; no offsets, no weights. Bag: row r holds
    /// ids[offsets[r] ..< offsets[r + 1]], all known, and weights[r] = 1 / their number, or 0 if there are none.
    public struct Indices {
        /// Rows of the segment.
        public let rows: Int
        /// Number of ids.
        public let count: Int
        /// Places in the touched rows.
        public let ids: UnsafePointer<Int32>
        /// [rows + 1], of a bag.
        public let offsets: UnsafePointer<Int32>?
        /// [rows], of a bag, in the set's precision.
        public let weights: UnsafeRawPointer?
    }

    /// The local row numbers of embedded field `field`. Users' fields have the segment `.user` only, items' the others.
    public func indices(_ field: Int, _ segment: Segment) -> Indices {
        let isBag = fields[field].schema.kind == .bag
        return read(field, segment) {
            Indices(
                rows: $0.rows, count: $0.idCount, ids: UnsafePointer($0.ids.elements(of: Int32.self)),
                offsets: isBag ? UnsafePointer($0.offsets.elements(of: Int32.self)) : nil,
                weights: isBag ? UnsafeRawPointer($0.numbers.pointer) : nil)
        }
    }

    /// The vectors [rows, size] of dense field `field`, in the set's precision; zeros where unknown.
    public func vectors(_ field: Int, _ segment: Segment) -> UnsafeRawPointer {
        read(field, segment) { UnsafeRawPointer($0.numbers.pointer) }
    }

    private func read<T>(_ field: Int, _ segment: Segment, _ body: (borrowing WorkingSegment) -> T) -> T {
        switch segment {
        case .support: body(fields[field].support)
        case .query: body(fields[field].query)
        case .user: body(fields[field].user)
        }
    }
}
