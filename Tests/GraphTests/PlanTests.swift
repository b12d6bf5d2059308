import Kernels
import TestSupport
import Testing

@testable import Graph

@Suite struct PlanTests {
    /// One hidden layer, S support and Q query rows, n inputs, h hidden units. Multiply-adds by hand, per inner step:
    /// forward Sn·h + S·h; gradients of both weights Sn·h + S·h, of the hidden layer S·h; then backwards through the
    /// step, with u the adjoint of a weight: X u₁ and its use Sn·h + S·h, u₂ through the head's gradient 2 S·h, the
    /// mask's path S·h and the forward pass again Sn·h + 2 S·h. Query: 2 Qn·h + 3 Q·h.
    @Test(arguments: [1, 2, 5]) func multiplyAddsOfMAMLAreThoseOfItsEquations(steps: Int) throws {
        let (s, q, n, h) = (7, 5, 6, 8)
        let plan = try Plan(Network(widths: [n, h, 1]).maml(steps: steps))
        let perStep = 4 * s * n * h + 9 * s * h
        #expect(plan.multiplyAdds(sizes: [s, q]) == steps * perStep + 2 * q * n * h + 3 * q * h)
    }

    @Test(arguments: [(steps: 1, count: 0), (5, 0)])
    func instructionsOfMAML(steps: Int, count: Int) throws {
        let plan = try Plan(Network(widths: [6, 8, 8, 1]).maml(steps: steps))
        print("COUNTS", steps, plan.instructionCount, plan.prologueCount, plan.multiplyAdds(sizes: [7, 5]))
    }
}
