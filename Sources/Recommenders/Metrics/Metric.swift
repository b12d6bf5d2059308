public import Graph

/// A statistic of one task that pools: over tasks it is Σ numerator / Σ denominator. A task left out has 0 / 0.
public struct Statistic: Hashable, Sendable {
    /// What is summed.
    public var numerator: Double
    /// What it is divided by: rows for pooled metrics, 1 for metrics of a task.
    public var denominator: Double

    /// The ratio `numerator / denominator`.
    public init(_ numerator: Double, over denominator: Double) {
        self.numerator = numerator
        self.denominator = denominator
    }

    /// A value of the task as a whole; nil leaves the task out.
    init(task value: Double?) {
        self.init(value ?? 0, over: value == nil ? 0 : 1)
    }
}

/// A metric of predictions against targets, computed task by task.
public struct Metric: Hashable, Sendable {
    /// What is measured, numbered as `mr_metric_kind` in `metarec.h`.
    public enum Kind: Int32, Sendable, CaseIterable {
        /// Σ|p − y| over rows.
        case absoluteError = 0
        /// Σ(p − y)² over rows.
        case squaredError
        /// The root mean square error of the task.
        case rmsePerTask
        /// Normalised discounted cumulative gain with gain 2^r − 1.
        case ndcg
        /// The same with gain r.
        case ndcgLinear
        /// Hits among the first k, over k.
        case precision
        /// Hits among the first k, over the relevant rows.
        case recall
        /// Harmonic mean of precision and recall.
        case f1
        /// Mean precision at the relevant places among the first k.
        case averagePrecision
        /// One over the place of the first relevant row.
        case reciprocalRank
        /// Whether a relevant row is among the first k.
        case hitRate
        /// Share of (relevant, other) pairs in the right order, ties one half.
        case auc
        /// Share of rows whose prediction, rounded to the nearest integer, is the target.
        case accuracy
        /// Mean −log-likelihood of targets 0 and 1 under probabilities.
        case logLoss
    }

    /// What is measured.
    public let kind: Kind
    /// Places looked at by ranking metrics; 0: all.
    public let k: Int
    /// A target of at least this much is relevant.
    public let relevant: Double

    /// A metric; throws for a negative `k` or a `relevant` that is not finite.
    public init(_ kind: Kind, k: Int = 0, relevant: Double = 1) throws(MetarecError) {
        guard k >= 0 else { throw .value("k: got \(k), wanted 0 (all places) or more") }
        guard relevant.isFinite else { throw .value("relevant: got \(relevant), wanted a finite number") }
        self.kind = kind
        self.k = k
        self.relevant = relevant
    }

    /// The metric's statistic for one task, of which `ranking` is that of the rows relevant to this metric. A task
    /// without rows is left out.
    func statistic(of task: borrowing ScoredTask, ranking: RelevantRanking) -> Statistic {
        guard task.count > 0 else { return Statistic(0, over: 0) }
        return switch kind {
        case .absoluteError: task.absoluteError
        case .squaredError: task.squaredError
        case .rmsePerTask: Statistic(task: task.rootMeanSquareError)
        case .ndcg: Statistic(task: task.ndcg(k) { Gain.exponential($0) })
        case .ndcgLinear: Statistic(task: task.ndcg(k) { $0 })
        case .accuracy: task.accuracy
        case .logLoss: task.logLoss
        case .precision, .recall, .f1, .averagePrecision, .reciprocalRank, .hitRate, .auc:
            Statistic(task: value(of: ranking))
        }
    }

    /// The metric of a ranking of relevant and other rows, of which relevant ones have gain 1; nil leaves the task out,
    /// and is what metrics that need more than such a ranking have.
    func value(of ranking: RelevantRanking) -> Double? {
        switch kind {
        case .ndcg, .ndcgLinear: ranking.ndcg(k)
        case .precision: ranking.precision(k)
        case .recall: ranking.recall(k)
        case .f1: ranking.f1(k)
        case .averagePrecision: ranking.averagePrecision(k)
        case .reciprocalRank: ranking.reciprocalRank(k)
        case .hitRate: ranking.hitRate(k)
        case .auc: ranking.areaUnderCurve
        default: nil
        }
    }

    /// Whether a ranking of relevant and other rows is all that the metric needs.
    var ranksRelevance: Bool {
        switch kind {
        case .absoluteError, .squaredError, .rmsePerTask, .accuracy, .logLoss: false
        default: true
        }
    }

    /// Throws where the metric is not defined for this row.
    func check(prediction: Double, target: Double, task: Int, row: Int) throws(MetarecError) {
        switch kind {
        case .ndcg, .ndcgLinear:
            guard target >= 0 else {
                throw .value("targets: task \(task), row \(row) is \(target); nDCG needs targets of at least 0")
            }
        case .logLoss:
            guard target == 0 || target == 1 else {
                throw .value("targets: task \(task), row \(row) is \(target); log loss needs 0 or 1")
            }
            guard prediction >= 0, prediction <= 1 else {
                throw .value(
                    "predictions: task \(task), row \(row) is \(prediction); log loss needs a probability in 0...1")
            }
        default: break
        }
    }

    /// The statistics of `metrics` for every task of ragged rows.
    ///
    /// - Parameters:
    ///   - predictions: one score a row; finite.
    ///   - targets: one target a row; finite.
    ///   - offsets: rows `offsets[t] ..< offsets[t + 1]` belong to task t; starts at 0, ends at the number of rows.
    /// - Returns: `[metrics.count, tasks]`, the tasks of the first metric first.
    /// - Throws: `.value` for offsets or targets that cannot be, `.arithmetic` for a prediction or a result that is not
    ///   finite. Cost: one sort of each task's rows, then linear in rows for each metric.
    public static func statistics(
        of metrics: [Metric], predictions: UnsafeBufferPointer<Double>, targets: UnsafeBufferPointer<Double>,
        offsets: UnsafeBufferPointer<Int64>
    ) throws(MetarecError) -> [Statistic] {
        try checkOffsets(offsets, rows: predictions.count)
        guard targets.count == predictions.count else {
            throw .value("targets: got \(targets.count) rows, wanted \(predictions.count) as in predictions")
        }
        let tasks = offsets.count - 1
        var statistics = [Statistic](repeating: Statistic(0, over: 0), count: metrics.count * tasks)
        for task in 0..<tasks {
            let rows = Int(offsets[task])..<Int(offsets[task + 1])
            for row in rows {
                guard predictions[row].isFinite else {
                    throw MetarecError(
                        .arithmetic,
                        "predictions: task \(task), row \(row - rows.lowerBound) is \(predictions[row]), wanted finite")
                }
                guard targets[row].isFinite else {
                    throw .value(
                        "targets: task \(task), row \(row - rows.lowerBound) is \(targets[row]), wanted finite")
                }
                for metric in metrics {
                    try metric.check(
                        prediction: predictions[row], target: targets[row], task: task, row: row - rows.lowerBound)
                }
            }
            let scored = ScoredTask(
                predictions: UnsafeBufferPointer(rebasing: predictions[rows]),
                targets: UnsafeBufferPointer(rebasing: targets[rows]))
            var rankings: [Double: RelevantRanking] = [:]
            for (index, metric) in metrics.enumerated() {
                let ranking = rankings[metric.relevant] ?? scored.ranking(metric.relevant)
                rankings[metric.relevant] = ranking
                let statistic = metric.statistic(of: scored, ranking: ranking)
                guard statistic.numerator.isFinite, statistic.denominator.isFinite else {
                    throw MetarecError(.arithmetic, "metrics: \(metric.kind) of task \(task) is too large to represent")
                }
                statistics[index * tasks + task] = statistic
            }
        }
        return statistics
    }

    private static func checkOffsets(_ offsets: UnsafeBufferPointer<Int64>, rows: Int) throws(MetarecError) {
        guard let first = offsets.first, first == 0 else {
            throw .value("offsets: starts at \(offsets.first.map { "\($0)" } ?? "nothing"), wanted 0")
        }
        for task in 0..<(offsets.count - 1) where offsets[task + 1] < offsets[task] {
            throw .value("offsets: falls from \(offsets[task]) to \(offsets[task + 1]) at task \(task)")
        }
        guard Int(offsets[offsets.count - 1]) == rows else {
            throw .value("offsets: ends at \(offsets[offsets.count - 1]), wanted the number of rows, \(rows)")
        }
    }
}
