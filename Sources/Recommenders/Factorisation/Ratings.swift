public import Graph

/// Borrowed ratings: element k is the rating of item `item[k]` by user `user[k]`.
public struct Ratings: @unchecked Sendable {
    /// Number of ratings.
    public let count: Int
    /// [count], codes 0 ..< userCount.
    public let user: UnsafePointer<Int32>
    /// [count], codes 0 ..< itemCount.
    public let item: UnsafePointer<Int32>
    /// [count], finite.
    public let rating: Numbers
    /// Users there are, with ratings or not.
    public let userCount: Int
    /// Items there are, with ratings or not.
    public let itemCount: Int

    /// Checks every code and number once. Cost: one pass.
    ///
    /// Errors name the array, the place and the value: no ratings, codes outside, numbers that are not finite.
    public init(
        count: Int, user: UnsafePointer<Int32>, item: UnsafePointer<Int32>, rating: Numbers, userCount: Int,
        itemCount: Int
    ) throws(MetarecError) {
        guard count > 0 else { throw .value("rating: empty, wanted at least one") }
        guard count <= Int(Int32.max) else { throw .value("rating: \(count) ratings, wanted at most \(Int32.max)") }
        for (name, codes, size) in [("user", user, userCount), ("item", item, itemCount)] {
            guard size <= Int(Int32.max) else { throw .value("\(name)_count: \(size), wanted at most \(Int32.max)") }
            for k in 0..<count where codes[k] < 0 || Int(codes[k]) >= size {
                throw .index("\(name)[\(k)] = \(codes[k]): outside 0 ..< \(size)")
            }
        }
        if let k = rating.firstNonFinite(count: count) {
            throw .value("rating[\(k)] = \(rating[k]): wanted a finite number")
        }
        (self.count, self.user, self.item, self.rating) = (count, user, item, rating)
        (self.userCount, self.itemCount) = (userCount, itemCount)
    }
}

/// The ratings less their mean, by user and by item, of those users and items that have any.
struct CentredRatings {
    let mean: Double
    /// The codes that have ratings, ascending; rows of the matrices are places here.
    let userCodes, itemCodes: [Int]
    let byUser, byItem: RatingMatrix

    init(_ ratings: Ratings) throws {
        let (userCodes, userPlaces) = try CentredRatings.places(ratings.user, ratings.count, ratings.userCount)
        let (itemCodes, itemPlaces) = try CentredRatings.places(ratings.item, ratings.count, ratings.itemCount)
        var sum = 0.0
        for k in 0..<ratings.count { sum += ratings.rating[k] }
        let mean = sum / Double(ratings.count)
        let values = (0..<ratings.count).map { ratings.rating[$0] - mean }
        guard values.allSatisfy(\.isFinite) else { throw FactorPrior.notFinite }
        byUser = RatingMatrix(rows: userCodes.count, row: userPlaces, column: itemPlaces, value: values)
        byItem = RatingMatrix(rows: itemCodes.count, row: itemPlaces, column: userPlaces, value: values)
        (self.mean, self.userCodes, self.itemCodes) = (mean, userCodes, itemCodes)
    }

    private static func places(
        _ codes: UnsafePointer<Int32>, _ count: Int, _ size: Int
    ) throws -> (codes: [Int], places: [Int32]) {
        let given = Array(UnsafeBufferPointer(start: codes, count: count))
        let size = min(size, 1 + Int(given.max() ?? -1))  // memory for what came, not for what there could be
        var place = [Int32](repeating: -1, count: max(size, 0))
        for code in given {
            guard code >= 0, Int(code) < size else {
                throw MetarecError.state("the ratings changed while they were read")
            }
            place[Int(code)] = 0
        }
        var present: [Int] = []
        for code in 0..<size where place[code] == 0 {
            place[code] = Int32(present.count)
            present.append(code)
        }
        return (present, given.map { place[Int($0)] })
    }
}
