extension ScoredTask {
    /// P(score of a relevant row > score of another row) + ½ P(equal): the area under the ROC curve (Mann and Whitney).
    /// nil where all rows are of one class.
    func areaUnderCurve(_ relevant: Double) -> Double? {
        let positives = relevantCount(relevant)
        let negatives = count - positives
        guard positives > 0, negatives > 0 else { return nil }
        var wins = 0.0
        var below = Double(negatives)
        for block in blocks {
            let r = Double(relevantCount(relevant, in: block))
            let others = Double(block.count) - r
            below -= others
            wins += r * (below + others / 2)
        }
        return wins / (Double(positives) * Double(negatives))
    }
}
