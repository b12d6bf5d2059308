import Glibc

/// The powers of a number in [0, 1), by one multiplication each.
///
/// base^t = base^(256 ⌊t / 256⌋) · base^(t mod 256), both factors from tables, so that a step's power has the same
/// bits whenever it is asked for.
struct PowerTable: Sendable {
    private static let block = 256
    private let base: Double
    private let low: [Double]
    private let high: [Double]

    init(_ base: Double) {
        self.base = base
        low = (0..<PowerTable.block).map { pow(base, Double($0)) }
        var high = [1.0]
        // Below 2^-60 a power no longer shows in 1 - power; slower bases leave the table after 4096 blocks.
        while high.count < 4096, high[high.count - 1] > 0x1p-60 {
            high.append(pow(base, Double(high.count * PowerTable.block)))
        }
        self.high = high
    }

    subscript(exponent: Int) -> Double {
        let block = exponent / PowerTable.block
        guard block < high.count else { return pow(base, Double(exponent)) }
        return high[block] * low[exponent % PowerTable.block]
    }
}
