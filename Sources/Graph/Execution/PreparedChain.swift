import CMetarec

/// A chain with its steps laid out as the kernel reads them.
///
/// Memory of its own, which `deallocate` gives back: counting references would show beside chains so short.
struct PreparedChain: BitwiseCopyable {
    let inputs: UnsafeMutableBufferPointer<Chain.Input>
    let steps: UnsafeMutablePointer<mr_chain_step>
    let stepCount: Int32

    init(_ chain: Chain) {
        inputs = .copy(chain.inputs)
        stepCount = Int32(chain.steps.count)
        steps = .allocate(capacity: max(1, chain.steps.count))
        for (index, step) in chain.steps.enumerated() {
            func operand(_ place: Int) -> Int32 { place < step.operands.count ? step.operands[place] : 0 }
            (steps + index).initialize(
                to: mr_chain_step(
                    function: Int32(step.function), a: operand(0), b: operand(1), c: operand(2),
                    value: step.coefficient))
        }
    }

    func deallocate() {
        inputs.deallocate()
        steps.deallocate()
    }
}
