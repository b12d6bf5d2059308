import Glibc

extension ScoredTask {
    /// −Σ y·log p + (1 − y)·log(1 − p) over the rows, p clipped to ε ... 1 − ε with ε the machine epsilon, 2⁻⁵².
    var logLoss: Statistic {
        let epsilon = Double.ulpOfOne
        var sum = 0.0
        for row in 0..<count {
            let p = min(max(predictions[row], epsilon), 1 - epsilon)
            sum -= targets[row] == 1 ? log(p) : log(1 - p)
        }
        return Statistic(sum, over: Double(count))
    }
}
