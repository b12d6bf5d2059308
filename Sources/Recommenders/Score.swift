/// What is said of a candidate.
public enum Score: Int32, CaseIterable, Sendable {
    /// The prediction.
    case prediction = 0
    /// The prediction without an attention's correction: cheaper, and nearly as good.
    case uncorrected = 1
    /// The distribution over the loss's levels.
    case distribution = 2
}

extension Model {
    /// How many numbers a score is; 0 where the model has no such score.
    func columns(of score: Score) -> Int {
        switch score {
        case .prediction: 1
        case .uncorrected: algorithm.corrects && !loss.levels.isEmpty ? 1 : 0
        case .distribution: loss.levels.count
        }
    }
}
