import Glibc
import Graph
import Kernels
import MetaLearning

extension Parameter {
    /// Writes initial values, drawn in double and rounded, so that both precisions begin at the same point.
    ///
    /// - Throws: interrupted.
    func fill(
        _ initializer: Initializer, _ generator: inout SeededGenerator, _ poll: Poll = .none
    ) throws(MetarecError) {
        for index in 0..<spec.count {
            if index % (1 << 16) == 0 { try poll.check(0) }
            let value: Double
            switch initializer {
            case .constant(let number): value = number
            case .values(let numbers): value = index < numbers.count ? numbers[index] : 0
            case .uniform(let bound): value = bound * (2 * generator.uniform() - 1)
            case .normal(let deviation):
                // Box and Muller's transform; 1 - u keeps the logarithm finite.
                let radius = (-2 * log(1 - generator.uniform())).squareRoot()
                value = deviation * radius * cos(2 * .pi * generator.uniform())
            }
            switch precision {
            case .float: pointer.storeBytes(of: Float(value), toByteOffset: 4 * index, as: Float.self)
            case .double: pointer.storeBytes(of: value, toByteOffset: 8 * index, as: Double.self)
            }
        }
    }

    /// Writes one number everywhere.
    func fill(_ initializer: Initializer) throws(MetarecError) {
        var unused = SeededGenerator(0)
        try fill(initializer, &unused)
    }
}
