public import Graph

/// How different the items of a list are: one less the mean similarity of their pairs (Ziegler et al., WWW 2005).
public enum ListDiversity {
    /// The diversity of each of `lists` `[count, k]`, whose items are rows of `table`; −1 is no item.
    ///
    /// The similarity of two items is the mean over the fields that both have: 1 or 0 for a categorical field, as it is
    /// the same or not, the cosine of the sets for a bag, and of the vectors for a dense field. Pairs without a field in
    /// common are left out; a list without any other pair is NaN. Cost: k²/2 pairs a list.
    public static func measure(
        _ lists: UnsafeBufferPointer<Int32>, k: Int, table: FeatureTable, into out: UnsafeMutableBufferPointer<Double>
    ) throws(MetarecError) {
        let lists = Array(lists)  // what is checked is what is used
        for (place, item) in lists.enumerated() where item < -1 || Int(item) >= table.rows {
            throw .index("lists: \(place) is \(item), outside -1 ..< \(table.rows)")
        }
        let fields = table.fields.map(FieldSource.init)
        for list in out.indices {
            let items = lists[(list * k)..<((list + 1) * k)].filter { $0 >= 0 }.map(Int.init)
            var sum = 0.0
            var pairs = 0
            for (place, a) in items.enumerated() {
                for b in items[(place + 1)...] {
                    guard let similarity = try similarity(a, b, fields) else { continue }
                    sum += similarity
                    pairs += 1
                }
            }
            out[list] = pairs == 0 ? .nan : 1 - sum / Double(pairs)
        }
    }

    private static func similarity(_ a: Int, _ b: Int, _ fields: [FieldSource]) throws(MetarecError) -> Double? {
        var sum = 0.0
        var count = 0
        for field in fields {
            guard let similarity = try field.similarity(a, b) else { continue }
            sum += similarity
            count += 1
        }
        return count == 0 ? nil : sum / Double(count)
    }
}

extension FieldSource {
    /// Of two rows; nil where one of them is unknown. Errors: offsets that have changed.
    fileprivate func similarity(_ a: Int, _ b: Int) throws(MetarecError) -> Double? {
        switch kind {
        case .categorical:
            guard let ids, ids[a] >= 0, ids[b] >= 0 else { return nil }
            return ids[a] == ids[b] ? 1 : 0
        case .bag:
            let (one, other) = (try known(a), try known(b))
            guard !one.isEmpty, !other.isEmpty else { return nil }
            return Double(one.intersection(other).count) / (Double(one.count) * Double(other.count)).squareRoot()
        case .dense:
            guard let vectors else { return nil }
            var (product, lengthA, lengthB) = (0.0, 0.0, 0.0)
            for column in 0..<size {
                let (x, y) = (vectors[a * size + column], vectors[b * size + column])
                product += x * y
                lengthA += x * x
                lengthB += y * y
            }
            guard lengthA > 0, lengthB > 0 else { return nil }
            return product / (lengthA * lengthB).squareRoot()
        }
    }

    private func known(_ row: Int) throws(MetarecError) -> Set<Int32> {
        guard let ids, let offsets else { return [] }
        let (low, high) = (offsets[row], offsets[row + 1])
        guard low >= 0, low <= high, high <= Int64(idCount) else {
            throw .state("items: its arrays changed after it was made")
        }
        return Set(UnsafeBufferPointer(start: ids + Int(low), count: Int(high - low)).filter { $0 >= 0 })
    }
}
