import Graph
import Kernels
import MetaLearning

/// The prior of one side's factors, w_r ~ N(Bᵀ x_r, Λ⁻¹), learned with them.
///
/// Λ ~ Wishart(I, D + 1); the rows of B in block b are N(0, c_b Λ⁻¹). With F the factors and V = I + Σ c_b X_b X_bᵀ,
/// Λ | F ~ Wishart((I + Fᵀ V⁻¹ F)⁻¹, D + 1 + N) with B integrated out, and B | Λ, F has the mean C Xᵀ V⁻¹ F; a draw of
/// it is that mean plus what conditioning leaves of a draw of the prior (Matheron's rule).
///
/// The variances c_b maximise the likelihood of F with B integrated out, by minorisation (Zhou et al. 2019):
/// c_b ← c_b √(‖X_bᵀ V⁻¹ F Λ^½‖² / D tr V⁻¹ X_b X_bᵀ), the trace being estimated by the same draws of the prior.
///
/// References: Salakhutdinov and Mnih, "Bayesian probabilistic matrix factorization using MCMC", ICML 2008; Simm et al.,
/// "Macau: scalable Bayesian factorization with high-dimensional side information using MCMC", MLSP 2017.
final class FactorPrior {
    let design: Design
    private(set) var variances: [Double]
    /// Λ.
    private(set) var precision: DenseMatrix
    /// Bᵀ x_r of a draw of B, [rows, D].
    private(set) var means: DenseMatrix
    /// The mean of B given the factors, [columns, D].
    private(set) var weights: DenseMatrix
    /// The rest of a draw of B, its rows independent with the covariance of a column of B over Λ⁻¹, [columns, D].
    private(set) var residuals: DenseMatrix
    /// R⁻¹ of Λ = R Rᵀ.
    private(set) var inverseRoot: DenseMatrix

    /// Draws whose mean estimates a trace, at least.
    private static let fewestProbes = 16

    init(_ design: Design, dimension: Int) {
        self.design = design
        variances = [Double](repeating: 0.1, count: design.blocks.count)
        precision = DenseMatrix(identity: dimension)
        inverseRoot = DenseMatrix(identity: dimension)
        means = DenseMatrix(design.rows, dimension)
        weights = DenseMatrix(design.columns, dimension)
        residuals = DenseMatrix(design.columns, dimension)
    }

    /// Draws Λ and B given the factors; with `learning` improves the variances for the next draw.
    func update(
        _ factors: DenseMatrix, learning: Bool, seed: (UInt64) -> SeededGenerator, threads: Int, poll: Poll
    ) throws {
        let d = factors.columns
        let probes = max(d, FactorPrior.fewestProbes)
        let covariance = Covariance(design: design, variances: variances)
        let drawn = draw(probes, seed)
        let right = DenseMatrix(design.rows, d + probes)
        right.setColumns(0, to: factors)
        right.setColumns(d, to: drawn.rows)
        let solved = try covariance.solve(right, threads: threads, poll: poll)
        let (alpha, probe) = (solved.columns(0, count: d), solved.columns(d, count: probes))
        var generator = seed(0)
        let root = try drawPrecision(factors, alpha, &generator)
        drawWeights(alpha, probe, drawn.weights)
        if learning { improveVariances(alpha.times(root), probe) }
    }

    /// Columns of B and of X B + E as the prior has them, for Λ = I.
    private func draw(
        _ columns: Int, _ seed: (UInt64) -> SeededGenerator
    ) -> (weights: DenseMatrix, rows: DenseMatrix) {
        let weights = DenseMatrix(design.columns, columns)
        for (index, block) in design.blocks.enumerated() {
            var generator = seed(1 + UInt64(index))
            generator.fillNormal(weights.row(block.first), count: block.size * columns)
            DenseMatrix.kernels.pointee.scale(
                Int64(block.size * columns), variances[index].squareRoot(), weights.row(block.first))
        }
        let rows = design.times(weights)
        let noise = DenseMatrix(design.rows, columns)
        var generator = seed(1 + UInt64(design.blocks.count))
        generator.fillNormal(noise.pointer, count: noise.count)
        rows.add(noise)
        return (weights, rows)
    }

    /// Draws Λ and returns R of Λ = R Rᵀ.
    private func drawPrecision(
        _ factors: DenseMatrix, _ alpha: DenseMatrix, _ generator: inout SeededGenerator
    ) throws -> DenseMatrix {
        let d = factors.columns
        let scatter = factors.transposedTimes(alpha)
        let inverseScale = DenseMatrix(identity: d)
        inverseScale.add(scatter, times: 0.5)
        inverseScale.add(scatter.transposed, times: 0.5)
        guard let factor = inverseScale.cholesky?.inverseOfLower.transposed else { throw FactorPrior.notFinite }
        precision = generator.wishart(degrees: Double(d + 1 + factors.rows), scaleFactor: factor)
        guard let root = precision.cholesky else { throw FactorPrior.notFinite }
        inverseRoot = root.inverseOfLower
        return root
    }

    private func drawWeights(_ alpha: DenseMatrix, _ probe: DenseMatrix, _ drawn: DenseMatrix) {
        let d = alpha.columns
        let probed = DenseMatrix(design.columns, probe.columns)
        for (block, variance) in zip(design.blocks, variances) {
            design.multiplyTransposed(block, alpha.pointer, columns: d, into: weights.row(block.first))
            DenseMatrix.kernels.pointee.scale(Int64(block.size * d), variance, weights.row(block.first))
            design.multiplyTransposed(block, probe.pointer, columns: probe.columns, into: probed.row(block.first))
            DenseMatrix.kernels.pointee.scale(
                Int64(block.size * probe.columns), -variance, probed.row(block.first))
        }
        probed.add(drawn)
        residuals = probed.columns(0, count: d)
        let draw = residuals.times(inverseRoot)
        draw.add(weights)
        means = design.times(draw)
    }

    private func improveVariances(_ white: DenseMatrix, _ probe: DenseMatrix) {
        for (index, block) in design.blocks.enumerated() {
            func spread(_ rows: DenseMatrix) -> Double {
                let image = DenseMatrix(block.size, rows.columns)
                design.multiplyTransposed(block, rows.pointer, columns: rows.columns, into: image.pointer)
                return image.sumOfSquares / Double(rows.columns)
            }
            let expected = spread(probe)
            guard expected > 0 else { continue }  // Nothing known of any row.
            let ratio = (spread(white) / expected).squareRoot()
            variances[index] = min(max(variances[index] * min(max(ratio, 0.5), 2), 1e-9), 1e3)
        }
    }

    static var notFinite: MetarecError {
        MetarecError(.arithmetic, "the factors left the finite numbers: rescale the ratings or the dense features")
    }
}
