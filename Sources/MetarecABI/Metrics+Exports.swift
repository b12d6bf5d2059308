public import CMetarec
import Graph
import Recommenders

/// `mr_metrics` of `metarec.h`: the statistic of every metric for every task.
@c @implementation
public func mr_metrics(
    _ predictions: UnsafePointer<Double>?, _ targets: UnsafePointer<Double>?, _ offsets: UnsafePointer<Int64>,
    _ taskCount: Int64, _ metrics: UnsafePointer<mr_metric>, _ metricCount: Int64,
    _ outNumerators: UnsafeMutablePointer<Double>, _ outDenominators: UnsafeMutablePointer<Double>,
    _ error: UnsafeMutablePointer<mr_error>
) -> Int32 {
    bridge(error) {
        let tasks = try count(taskCount, "task_count")
        let wanted = try measures(metrics, metricCount)
        try checkProduct(tasks, wanted.count, "task_count x metric_count")
        let rows = try count(offsets[tasks], "offsets")
        guard rows == 0 || (predictions != nil && targets != nil) else {
            throw MetarecError.value("predictions, targets: missing for \(rows) rows")
        }
        let statistics = try Metric.statistics(
            of: wanted, predictions: UnsafeBufferPointer(start: predictions, count: rows),
            targets: UnsafeBufferPointer(start: targets, count: rows),
            offsets: UnsafeBufferPointer(start: offsets, count: tasks + 1))
        for (index, statistic) in statistics.enumerated() {
            outNumerators[index] = statistic.numerator
            outDenominators[index] = statistic.denominator
        }
    }
}

/// `mr_bootstrap` of `metarec.h`: the statistics of every resample of the clusters.
@c @implementation
public func mr_bootstrap(
    _ numerators: UnsafePointer<Double>?, _ denominators: UnsafePointer<Double>?, _ squareRoot: UnsafePointer<UInt8>,
    _ statistics: Int64, _ clusters: Int64, _ resamples: Int64, _ seed: UInt64, _ out: UnsafeMutablePointer<Double>,
    _ error: UnsafeMutablePointer<mr_error>
) -> Int32 {
    bridge(error) {
        let statistics = try count(statistics, "statistics")
        let clusters = try count(clusters, "clusters")
        let resamples = try count(resamples, "resamples")
        let cells = try checkProduct(statistics, clusters, "statistics x clusters")
        let results = try checkProduct(statistics, resamples, "statistics x resamples")
        guard cells == 0 || (numerators != nil && denominators != nil) else {
            throw MetarecError.value("numerators, denominators: missing for \(statistics) x \(clusters)")
        }
        try Bootstrap.resample(
            numerators: UnsafeBufferPointer(start: numerators, count: cells),
            denominators: UnsafeBufferPointer(start: denominators, count: cells),
            squareRoot: (0..<statistics).map { squareRoot[$0] != 0 }, clusters: clusters, resamples: resamples,
            seed: seed, into: UnsafeMutableBufferPointer(start: out, count: results))
    }
}

/// The metrics that C names.
func measures(_ metrics: UnsafePointer<mr_metric>?, _ metricCount: Int64) throws -> [Metric] {
    try UnsafeBufferPointer(start: metrics, count: metrics == nil ? 0 : count(metricCount, "metric_count"))
        .enumerated().map { index, metric in
            guard let kind = Metric.Kind(rawValue: metric.kind) else {
                throw MetarecError.value("metrics: \(index) has kind \(metric.kind), which is not an mr_metric_kind")
            }
            return try Metric(kind, k: Int(metric.k), relevant: metric.relevant)
        }
}

/// The product, where an array of so many doubles can exist.
@discardableResult
func checkProduct(_ a: Int, _ b: Int, _ name: String) throws(MetarecError) -> Int {
    let (product, overflow) = a.multipliedReportingOverflow(by: b)
    guard !overflow, product <= Int.max / MemoryLayout<Double>.stride else {
        throw MetarecError(.memory, "\(name): \(a) x \(b) numbers are more than any machine holds")
    }
    return product
}
