extension TaskSet {
    /// The mean target over all rows of its tasks; nil where there are none.
    func meanTarget() throws -> Double? {
        guard let targets = arrays.targets else { return nil }
        var (sum, count) = (0.0, 0)
        for task in 0..<self.count {
            let extent = try extent(of: task)
            for row in extent.start..<extent.start + extent.count { sum += targets[row] }
            count += extent.count
        }
        return count == 0 ? nil : sum / Double(count)
    }
}
