/// A small, fast, seeded generator (SplitMix64; Steele, Lea and Flood, OOPSLA 2014).
///
/// Streams are keyed, not shared: `SeededGenerator(seed, epoch, task)` gives a task the same numbers whichever thread
/// runs it, and in whatever order.
public struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// A stream of its own for every combination of keys. (Not a variadic list, which would be an array.)
    public init(_ key: UInt64, _ second: UInt64? = nil, _ third: UInt64? = nil, _ fourth: UInt64? = nil) {
        state = 0x9E37_79B9_7F4A_7C15
        absorb(key)
        if let second { absorb(second) }
        if let third { absorb(third) }
        if let fourth { absorb(fourth) }
    }

    private mutating func absorb(_ key: UInt64) {
        state ^= key &* 0xBF58_476D_1CE4_E5B9
        state = next()
    }

    /// The next 64 uniform bits.
    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z &>> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z &>> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z &>> 31)
    }

    /// Uniform in [0, 1), 53 bits.
    public mutating func uniform() -> Double { Double(next() &>> 11) * 0x1p-53 }

    /// Uniform in 0 ..< bound. The bias of the multiply-shift is below 2^-32 for the sizes that occur here.
    public mutating func index(below bound: Int) -> Int {
        Int(next().multipliedFullWidth(by: UInt64(bound)).high)
    }
}
