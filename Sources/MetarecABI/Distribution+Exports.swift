public import CMetarec
import Graph
import Recommenders

/// `mr_distribution` of `metarec.h`: what is read off distributions over levels.
@c @implementation
public func mr_distribution(
    _ probabilities: UnsafePointer<Double>?, _ rows: Int64, _ levels: UnsafePointer<Double>, _ levelCount: Int64,
    _ targets: UnsafePointer<Double>?, _ values: UnsafePointer<Int32>, _ valueCount: Int64, _ seed: UInt64,
    _ out: UnsafeMutablePointer<Double>, _ error: UnsafeMutablePointer<mr_error>
) -> Int32 {
    bridge(error) {
        let rows = try count(rows, "rows")
        let levelCount = try count(levelCount, "level_count")
        let cells = try checkProduct(rows, levelCount, "rows x level_count")
        let wanted = try (0..<count(valueCount, "value_count")).map { index in
            guard let value = Distribution.Value(rawValue: values[index]) else {
                throw MetarecError.value("values: \(index) is \(values[index]), which is no mr_distribution_value")
            }
            return value
        }
        let results = try checkProduct(rows, wanted.count, "rows x value_count")
        guard cells == 0 || probabilities != nil else {
            throw MetarecError.value("probabilities: missing for \(rows) rows")
        }
        try Distribution.values(
            wanted, probabilities: UnsafeBufferPointer(start: probabilities, count: cells),
            levels: UnsafeBufferPointer(start: levels, count: levelCount),
            targets: targets.map { UnsafeBufferPointer(start: $0, count: rows) }, seed: seed,
            into: UnsafeMutableBufferPointer(start: out, count: results))
    }
}
