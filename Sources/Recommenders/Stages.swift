import Graph
import Kernels
import MetaLearning

/// The programs that adapt to one user and then score candidates.
///
/// They are one computation, predictions after adaptation, cut in stages: what depends on the user alone, what depends
/// on the candidates alone (`ItemStage`), and what is left.
struct Stages {
    /// Outputs: the adapted tables of items, then what the scores read.
    let user: Plan
    /// The adapted tables of items, in the order of the outputs.
    let adaptedTables: [Int]
    /// What the scores read that depends on the candidates alone, a row each. There is nothing where tables of items are
    /// adapted, or all that is known of items is looked up in tables of few rows.
    let items: [Value]
    /// How many values the scores read of the user stage.
    var userValueCount: Int { user.outputCount - adaptedTables.count }
    /// Output: a prediction per candidate.
    let scores: Plan
    /// What else can be said of the candidates.
    private let others: [Score: Value]

    /// - Parameter lowRank: whether the scores read the factors of adapted weights instead of the weights.
    init(_ model: Model, lowRank: Bool) throws {
        let trace = model.trace(candidates: true)
        let adapted = model.algorithm.adapt(trace.task).parameters
        let tables = model.tables.indices.filter { model.isItemTable($0) && model.adapted[model.tables[$0].parameter] }
        let kept = tables.map { adapted[model.specs[model.tables[$0].parameter].name] }
        let said = Score.allCases.filter { model.columns(of: $0) > 0 }
        let output = model.algorithm.output(trace.task)
        let values = said.compactMap { score in
            switch score {
            case .prediction: trace.predictions(output, trace.task.θ)
            case .uncorrected: trace.predictions(output.uncorrected, trace.task.θ)
            case .distribution: trace.distribution(output, trace.task.θ)
            }
        }
        let late = model.tables.indices.map(model.candidateTableSize) + [.query]
        let first = model.firstStageInput
        let user = try Split(
            values, keeping: kept, late: Set(late), firstInput: first, expecting: lowRank ? [:] : model.candidateSizes,
            without: lowRank ? [] : [.gram, .factoring])
        self.user = try Plan(user.early, expecting: lowRank ? [:] : model.tableRows)
        adaptedTables = tables

        let last = first + user.early.count - tables.count
        let items =
            tables.isEmpty
            ? try Split(
                user.late, late: [.support], inputs: first..<last, common: model.inputsOfFewRows, firstInput: last)
            : nil
        guard let items, !items.early.isEmpty, items.early.allSatisfy({ $0.shape.rows == .query }) else {
            self.items = []
            scores = try Plan([user.late[0]])
            others = Dictionary(uniqueKeysWithValues: zip(said, user.late))
            return
        }
        self.items = items.early
        scores = try Plan([items.late[0]])
        others = Dictionary(uniqueKeysWithValues: zip(said, items.late))
    }

    /// The plan whose output is a score per candidate; nil where the model has no such score.
    func plan(of score: Score) throws -> Plan? {
        score == .prediction ? scores : try others[score].map { try Plan([$0]) }
    }

    /// Multiply-adds of adapting to so many ratings and scoring a thousand candidates.
    func cost(_ model: Model, support: Int) -> Int {
        let (blocks, block) = (2, 500)
        func rows(_ limit: Int) -> [Int] { model.tables.map { min(limit, model.specs[$0.parameter].rows) } }
        let sizes = [support, block, support] + rows(support) + rows(block)
        return user.multiplyAdds(sizes: sizes) + blocks * scores.multiplyAdds(sizes: sizes)
    }
}

extension Model {
    /// Tables of at most so many rows may be multiplied whole where candidates are scored.
    static let fewRows = 64

    /// Those of items. They are brought up to date whole before: no thread reads a row that another is bringing up to date.
    private var tablesOfFewRows: [Int] {
        tables.indices.filter { isItemTable($0) && specs[tables[$0].parameter].rows <= Model.fewRows }
    }
    fileprivate var inputsOfFewRows: Set<Int> { Set(tablesOfFewRows.map(candidateTableInput)) }

    /// What is known of sizes where scores read adapted weights. Nothing of scores that read factors: Gram matrices of
    /// candidates and a few ratings are narrow, and looking their rows up costs what that spares.
    fileprivate var candidateSizes: [Symbol: Int] {
        tablesOfFewRows.reduce(into: [.query: Blocks.size]) {
            $0[candidateTableSize($1)] = specs[tables[$1].parameter].rows
        }
    }

    /// What a stage brings, beyond what a task does, that reads so many values of earlier stages.
    func stageInterface(reads: Int = 0) -> Executor.Interface {
        Executor.Interface(
            inputCount: firstStageInput + reads, indexCount: 2 * fields.count,
            symbolCount: Symbol.table(2 * tables.count).id)
    }
}
