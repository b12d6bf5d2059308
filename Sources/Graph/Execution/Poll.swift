import Dispatch

/// Asks the caller of a long computation, some fifty times a second and on the caller's thread, whether to go on.
public final class Poll {
    private let function: (_ fraction: Double, _ loss: Double) -> Bool
    private let interval: UInt64 = 20_000_000
    private var last = DispatchTime.now().uptimeNanoseconds
    private var start = 0.0
    private var length = 1.0
    private var loss = Double.nan
    private var work = 0

    /// A poll that calls `function` with the share done and the loss so far; false stops the computation.
    public init(_ function: @escaping (_ fraction: Double, _ loss: Double) -> Bool) { self.function = function }

    /// Never asks, never stops.
    public static var none: Poll { Poll { _, _ in true } }

    /// What follows is the part `range` of the whole, after a mean loss of `loss`.
    public func enter(_ range: Range<Double>, loss: Double = .nan) {
        start = range.lowerBound
        length = range.upperBound - range.lowerBound
        self.loss = loss
    }

    /// Looks at the clock after every 65,536 pieces of work only: for those that take less time than looking.
    ///
    /// - Throws: as `check`.
    public func check(after pieces: Int) throws(MetarecError) {
        work += pieces
        guard work >= 1 << 16 else { return }
        work = 0
        try check(0)
    }

    /// Asks if it is time to; `fraction` is of the part entered last.
    ///
    /// - Throws: `MetarecError` of kind interrupted.
    public func check(_ fraction: Double) throws(MetarecError) {
        let now = DispatchTime.now().uptimeNanoseconds
        guard now &- last >= interval else { return }
        last = now
        guard function(start + length * fraction, loss) else {
            throw MetarecError(.interrupted, "interrupted")
        }
    }
}
