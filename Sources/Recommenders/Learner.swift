import Graph
import Kernels
import MetaLearning
import Synchronization

/// A recommender that learns to learn: a backbone, a meta-algorithm, a loss and an outer optimizer.
///
/// One call at a time: the boundary takes care of that.
public final class Learner {
    /// The options that belong to no component.
    public static let schema = ComponentSchema(
        "learner", className: "MetaLearner",
        options: [
            .integer("batch_size", default: 32, minimum: 1, "Tasks per outer step."),
            OptionSchema(
                "threads", .integer(minimum: 1), default: .none, "Threads; None: as many as cores. Changes no bit."),
            .choice("dtype", default: "float32", ["float32", "float64"], "Type of all parameters and computations."),
            .integer("seed", default: 0, minimum: 0, "Seed of everything random."),
            OptionSchema(
                "clip_norm", .number(minimum: 0, isOpen: true), default: .none,
                "Bound on the norm of the outer gradient, over all parameters."),
            OptionSchema(
                "clip_value", .number(minimum: 0, isOpen: true), default: .none,
                "Bound on each element of the outer gradient."),
            OptionSchema(
                "unknown_rate", .fraction, default: .numbers([0]),
                "Probability of hiding each feature value while training, so that unknown ones are learned."),
        ],
        documentation: "The options of a learner.")

    /// Tasks held in memory at once.
    static let chunk = 64

    let options: LearnerOptions
    /// Nil until initialised.
    private(set) var state: State?

    /// What there is once the fields are known.
    final class State {
        let model: Model
        let store: ParameterStore
        let plans: Plans
        let training: Executor
        let prediction: Executor
        let adaptation: Executor
        let supportLosses: Executor
        let stages: [StageExecutors]
        /// From so many ratings on, scores read adapted weights instead of their factors.
        private let formedFrom: Int
        let distribution: Executor?
        let sparse: [SparseGradient]
        /// The tables, largest first.
        let tablesBySize: [Int]
        let dense: [Buffer?]
        let tensors: [Tensor]
        private let precision: Precision
        private var memory: [TaskMemory] = []
        private var tableGradients: [TableGradients] = []
        /// How often a saved run was continued.
        fileprivate(set) var resumptions = 0
        /// The tasks' order in an epoch that is under way.
        var order: Order?

        init(_ model: Model, _ options: LearnerOptions) throws {
            self.model = model
            precision = options.precision
            store = try ParameterStore(model.specs, precision: precision, optimizer: options.optimizer)
            plans = try Plans(model)
            training = Executor(plans.training, precision, model.interface)
            prediction = Executor(plans.prediction, precision, model.interface)
            adaptation = Executor(plans.adaptation, precision, model.interface)
            supportLosses = Executor(plans.supportLosses, precision, model.interface)
            let factored = try Stages(model, lowRank: true)
            let formed = try Stages(model, lowRank: false)
            formedFrom = State.least { formed.cost(model, support: $0) < factored.cost(model, support: $0) }
            let items = try ItemStage([factored, formed], model, options.precision)
            stages = [factored, formed].enumerated().map { number, plans in
                StageExecutors(plans, items, reads: items?.reads[number] ?? [], model, options.precision)
            }
            distribution = plans.distribution.map { Executor($0, options.precision, model.interface) }
            let sizes = model.tables.map { model.specs[$0.parameter].rows }
            tablesBySize = sizes.indices.sorted { (-sizes[$0], $0) < (-sizes[$1], $1) }
            sparse = model.tables.map { SparseGradient(columns: $0.columns, precision: options.precision) }
            dense = model.specs.map { $0.isTable ? nil : Buffer(count: $0.count, options.precision) }
            tensors = Learner.tensors(of: store, model)
        }

        var parameterPointers: [UnsafeRawPointer] { store.parameters.map { UnsafeRawPointer($0.pointer) } }

        /// The stages for a user with so many ratings.
        func stages(support: Int) -> StageExecutors { stages[support < formedFrom ? 0 : 1] }

        /// The least number of ratings, of those that matter, for which a condition holds that then holds for all more.
        private static func least(where condition: (Int) -> Bool) -> Int {
            var (low, high) = (0, 4096)
            while low < high {
                let middle = (low + high) / 2
                if condition(middle) { high = middle } else { low = middle + 1 }
            }
            return low
        }

        /// Memory for `count` threads.
        func memory(_ count: Int) -> [TaskMemory] {
            while memory.count < count { memory.append(TaskMemory(model, precision)) }
            return memory
        }

        /// Room for what `count` tasks leave for the tables.
        func tableGradients(_ count: Int) -> [TableGradients] {
            while tableGradients.count < count { tableGradients.append(TableGradients(model)) }
            return tableGradients
        }
    }

    /// From options by dotted name, such as "algorithm" = "maml", "algorithm.inner_steps" = 5.
    ///
    /// - Throws: an unknown name, or a value that cannot be used; the message names the option.
    public init(_ given: [String: OptionValue]) throws { options = try LearnerOptions(given) }

    /// The element type.
    public var precision: Precision { options.precision }
    /// Number of inner steps.
    public var innerSteps: Int { options.algorithm.innerSteps }

    /// Number of levels of the loss's distribution; 0 where it has none.
    public var levelCount: Int { options.loss.levels.count }

    /// The state, or an error before `initialize`.
    func initialized() throws -> State {
        guard let state else {
            throw MetarecError.state("the learner has no parameters yet: call fit or initialize first")
        }
        return state
    }

    /// Fixes the shapes by the tasks' features and draws the parameters. The head's bias begins at what suits the mean
    /// target best. Once.
    ///
    /// - Throws: parameters of more elements than `limit`, before they take memory; interrupted, and not initialised.
    public func initialize(_ tasks: TaskSet, limit: Int = .max, poll: Poll = .none) throws {
        guard state == nil else { throw MetarecError.state("initialize: the learner is initialised already") }
        let model = try Model(
            items: tasks.items.schema, users: tasks.users?.schema ?? [], backbone: options.backbone,
            algorithm: options.algorithm, loss: options.loss)
        let count = model.specs.reduce(0.0) { $0 + Double($1.rows) * Double($1.columns) }
        guard count <= Double(limit) else {
            throw MetarecError.value("parameters: \(count) elements, wanted at most \(limit)")
        }
        let new = try State(model, options)
        for (index, request) in model.requests.enumerated() {
            var generator = SeededGenerator(options.seed, 0x1217, UInt64(index))
            try new.store.parameters[index].fill(request.initializer, &generator, poll)
        }
        if let mean = try tasks.meanTarget(), let bias = new.store.index(of: "head.bias") {
            try new.store.parameters[bias].fill(.constant(options.loss.outputBias(forMean: mean)))
        }
        state = new
    }

    // MARK: Parameters

    /// A parameter or a piece of optimizer state.
    public struct Tensor {
        /// Unique among the learner's tensors.
        public let name: String
        /// Whether it is a parameter; else optimizer state.
        public let isParameter: Bool
        /// Whether the inner loop changes it.
        public let isAdapted: Bool
        /// The shape that users see.
        public let shape: [Int]
        /// C-contiguous.
        public let pointer: UnsafeMutableRawPointer
    }

    /// The parameters, then the optimizer's state.
    public func tensors() throws -> [Tensor] { try initialized().tensors }

    private static func tensors(of store: ParameterStore, _ model: Model) -> [Tensor] {
        let parameters = zip(store.parameters, model.adapted).map { parameter, adapted in
            Tensor(
                name: parameter.spec.name, isParameter: true, isAdapted: adapted, shape: parameter.spec.shape,
                pointer: parameter.pointer)
        }
        let state = store.optimizerState.map {
            Tensor(
                name: $0.name, isParameter: false, isAdapted: false, shape: $0.parameter.spec.shape,
                pointer: $0.buffer.pointer)
        }
        return parameters + state
    }

    /// Applies what lazily updated rows still miss.
    public func settle() throws { try initialized().store.settleAll() }

    /// Number of finished outer steps.
    public var steps: Int {
        get throws { try initialized().store.steps }
    }

    /// Declares that parameters and optimizer state are those after `steps` steps, as a saved model says.
    public func resume(at steps: Int) throws {
        let state = try initialized()
        try state.store.resume(at: steps)
        state.resumptions += 1
    }

    /// The share of the learning rate that a schedule that somebody reduces from outside has left; else 1.
    public var rateShare: Double { options.schedule.reduction?.share ?? 1 }

    /// Changes it, for all later steps.
    ///
    /// - Throws: a share outside 0 ... 1, or a schedule that follows the steps alone.
    public func reduceRate(to share: Double) throws {
        let state = try initialized()
        guard let reduction = options.schedule.reduction else {
            throw MetarecError.state("rate_share: this schedule follows the steps alone")
        }
        try state.store.reduce(reduction, to: share)
    }

    // MARK: Who may write parameters

    private let loans = Atomic<Int>(0)
    private let openLoans = Atomic<Int>(0)

    /// Says that somebody else may write into the parameters from now on, until `endLoan`.
    public func beginLoan() {
        loans.add(1, ordering: .relaxed)
        openLoans.add(1, ordering: .relaxed)
    }

    /// Says that this somebody is gone.
    public func endLoan() { openLoans.subtract(1, ordering: .relaxed) }

    /// Equal for equal parameters: whatever changes them, or might, changes it.
    struct Version: Equatable {
        let steps: Int
        let resumptions: Int
        let loans: Int
    }

    /// The parameters' version; nil as long as somebody else may write into them.
    func version(_ state: State) -> Version? {
        guard openLoans.load(ordering: .relaxed) == 0 else { return nil }
        return Version(
            steps: state.store.steps, resumptions: state.resumptions, loans: loans.load(ordering: .relaxed))
    }
}
