/// Errors of predicted against given ratings.
extension ScoredTask {
    /// Σ|p − y| over the rows.
    var absoluteError: Statistic {
        var sum = 0.0
        for row in 0..<count { sum += abs(predictions[row] - targets[row]) }
        return Statistic(sum, over: Double(count))
    }

    /// Σ(p − y)² over the rows.
    var squaredError: Statistic {
        var sum = 0.0
        for row in 0..<count {
            let error = predictions[row] - targets[row]
            sum += error * error
        }
        return Statistic(sum, over: Double(count))
    }

    /// √(Σ(p − y)² / rows).
    var rootMeanSquareError: Double {
        (squaredError.numerator / Double(count)).squareRoot()
    }

    /// The rows whose prediction, rounded to the nearest integer (halves up), is the target.
    var accuracy: Statistic {
        var hits = 0
        for row in 0..<count where (predictions[row] + 0.5).rounded(.down) == targets[row] { hits += 1 }
        return Statistic(Double(hits), over: Double(count))
    }
}
