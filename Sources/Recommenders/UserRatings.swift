import Graph

/// What one user has rated, and what is known of the user. The arrays are borrowed.
public struct UserRatings {
    /// What `rows` point into.
    public let items: FeatureTable
    /// One row; none where the learner knows no fields of users.
    public let user: FeatureTable?
    /// [count], rows of `items`; −1 is an unknown item.
    let rows: UnsafePointer<Int32>?
    /// [count].
    let values: Numbers?
    /// Number of ratings.
    public let count: Int

    /// UserRatings of items. They are checked when they are read; the table of the user here.
    public init(
        items: FeatureTable, user: FeatureTable?, rows: UnsafePointer<Int32>?, values: Numbers?, count: Int
    ) throws {
        if let user, user.rows != 1 {
            throw MetarecError.value("user: a table of \(user.rows) rows, wanted one row")
        }
        guard count >= 0, count <= Int(Int32.max), count == 0 || (rows != nil && values != nil) else {
            throw MetarecError.value("ratings: \(count), wanted 0 ... \(Int32.max), each with an item")
        }
        self.items = items
        self.user = user
        self.rows = rows
        self.values = values
        self.count = count
    }
}
