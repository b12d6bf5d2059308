/// The numbers of the latest steps, each computed once, one after the other in memory.
final class StepWindow: @unchecked Sendable {
    /// How many steps are kept.
    static let length = 256

    private let optimizer: any Optimizer
    // A ring, twice over: any `length` consecutive steps lie side by side somewhere.
    private let ring: UnsafeMutablePointer<StepNumbers>
    private var last = 0

    init(_ optimizer: any Optimizer) {
        self.optimizer = optimizer
        ring = .allocate(capacity: 2 * StepWindow.length)
        ring.initialize(repeating: .zero, count: 2 * StepWindow.length)
    }

    deinit { ring.deallocate() }

    /// Moves the window: from now on it ends at step `last`.
    func move(to last: Int) {
        let known = last > self.last ? self.last : 0
        for step in max(known, last - StepWindow.length, 0) + 1..<last + 1 { write(step) }
        self.last = last
    }

    private func write(_ step: Int) {
        let place = step % StepWindow.length
        ring[place] = optimizer.numbers(of: step)
        ring[place + StepWindow.length] = ring[place]
    }

    /// Calls `body` for the steps in order, as many at once as the window holds; `isLast` where they end the range.
    func forEach(_ steps: ClosedRange<Int>, _ body: (Steps, _ isLast: Bool) -> Void) {
        var first = steps.lowerBound
        let start = last - StepWindow.length + 1
        if first < start {
            withUnsafeTemporaryAllocation(of: StepNumbers.self, capacity: StepWindow.length) { old in
                while first < start, first <= steps.upperBound {
                    let count = min(StepWindow.length, start - first, steps.upperBound + 1 - first)
                    for number in 0..<count { old[number] = optimizer.numbers(of: first + number) }
                    guard let numbers = UnsafePointer(old.baseAddress) else { return }
                    body(Steps(count: count, numbers: numbers), first + count > steps.upperBound)
                    first += count
                }
            }
        }
        guard first <= steps.upperBound else { return }
        body(
            Steps(count: steps.upperBound + 1 - first, numbers: ring + first % StepWindow.length), true)
    }
}
