import Graph

/// Lists of item numbers, one for each user.
public struct ItemLists {
    /// User u's items are `items[offsets[u] ..< offsets[u + 1]]`.
    public let offsets: UnsafeBufferPointer<Int64>
    /// Numbers of items; repeated ones count once.
    public let items: UnsafeBufferPointer<Int32>

    /// Lists as they are, checked where they are used.
    public init(offsets: UnsafeBufferPointer<Int64>, items: UnsafeBufferPointer<Int32>) {
        self.offsets = offsets
        self.items = items
    }

    func check(_ name: String, users: Int, catalogue: Int, low: Int = 0) throws(MetarecError) {
        guard offsets.count == users + 1, offsets[0] == 0, Int(offsets[users]) == items.count else {
            throw .value("\(name): offsets of \(users) users wanted, from 0 to the \(items.count) items")
        }
        for user in 0..<users where offsets[user + 1] < offsets[user] {
            throw .value("\(name): offsets fall from \(offsets[user]) to \(offsets[user + 1]) at user \(user)")
        }
        for (place, item) in items.enumerated() where item < low || item >= catalogue {
            throw .index("\(name): item \(place) is \(item), outside \(low) ..< \(catalogue)")
        }
    }

    subscript(user: Int) -> Slice<UnsafeBufferPointer<Int32>> {
        items[Int(offsets[user])..<Int(offsets[user + 1])]
    }
}
