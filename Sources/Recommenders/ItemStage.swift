import Graph
import Kernels

/// What depends on the candidates alone, ready to run, and what it has given so far.
///
/// It is the same for all users, so that its values can be kept; and one for all ways to score, so that a user who is
/// scored in another way than those before, for the number of ratings, finds them.
final class ItemStage {
    let executor: Executor
    /// Columns of its outputs.
    let columns: [Int]
    /// By stages: which of its outputs the scores read.
    let reads: [[Int]]
    private let precision: Precision
    private var catalogue: Catalogue?

    /// Nil where no stages leave anything to the candidates alone.
    init?(_ stages: [Stages], _ model: Model, _ precision: Precision) throws {
        var outputs: [Value] = []
        reads = Graph.merging(stages.map(\.items)).map { values in
            values.map { value in
                if let number = outputs.firstIndex(of: value) { return number }
                outputs.append(value)
                return outputs.count - 1
            }
        }
        guard !outputs.isEmpty else { return nil }
        columns = outputs.map { $0.shape.columns.fixedValue ?? 0 }
        executor = Executor(try Plan(outputs), precision, model.stageInterface())
        self.precision = precision
    }

    /// The values for `items`, those of other parameters forgotten; nil for a table that is too large.
    func catalogue(_ items: FeatureTable, _ version: Learner.Version) -> Catalogue? {
        if catalogue?.items !== items { catalogue = Catalogue(items, columns: columns, precision) }
        catalogue?.update(to: version)
        return catalogue
    }
}
