import Glibc
import MetaLearning

extension SeededGenerator {
    /// Fills `out` with independent standard normal numbers (Box and Muller 1958).
    mutating func fillNormal(_ out: UnsafeMutablePointer<Double>, count: Int) {
        var index = 0
        while index < count {
            let radius = (-2 * log(1 - uniform())).squareRoot()
            let angle = 2 * Double.pi * uniform()
            out[index] = radius * cos(angle)
            if index + 1 < count { out[index + 1] = radius * sin(angle) }
            index += 2
        }
    }

    /// A standard normal number.
    mutating func normal() -> Double {
        var value = 0.0
        fillNormal(&value, count: 1)
        return value
    }

    /// A number of the gamma distribution of scale 1 (Marsaglia and Tsang 2000); `shape` at least 1.
    mutating func gamma(shape: Double) -> Double {
        let d = shape - 1.0 / 3
        let c = 1 / (9 * d).squareRoot()
        while true {
            let x = normal()
            let v = (1 + c * x) * (1 + c * x) * (1 + c * x)
            if v > 0, log(1 - uniform()) < 0.5 * x * x + d - d * v + d * log(v) { return d * v }
        }
    }

    /// A Wishart matrix of `degrees` degrees of freedom, at least the size plus 1, and scale F Fᵀ (Bartlett 1933).
    mutating func wishart(degrees: Double, scaleFactor: DenseMatrix) -> DenseMatrix {
        let size = scaleFactor.rows
        let triangle = DenseMatrix(size, size)
        for i in 0..<size {
            for j in 0..<i { triangle[i, j] = normal() }
            triangle[i, i] = (2 * gamma(shape: (degrees - Double(i)) / 2)).squareRoot()
        }
        let root = scaleFactor.times(triangle)
        return root.times(root.transposed)
    }
}
