import Graph
import Kernels
import MetaLearning

/// A learner's options, checked and turned into components.
struct LearnerOptions {
    let backbone: any Backbone
    let algorithm: any MetaAlgorithm
    let loss: any Loss
    let optimizer: any Optimizer
    let schedule: any Schedule
    let batchSize: Int
    let threads: Int
    let precision: Precision
    let seed: UInt64
    let clipping: GradientClipping
    let unknownRate: Double

    init(_ given: [String: OptionValue]) throws {
        var own = given
        /// Takes a component's options out of `own`.
        func component<C>(
            _ role: String, _ candidates: [C], default name: String, schema: (C) -> ComponentSchema
        ) throws -> (C, Options) {
            let prefix = role + "."
            var chosen = name
            switch own.removeValue(forKey: role) {
            case .text(let text)?: chosen = text
            case nil: break
            default: throw MetarecError(.type, "\(role): wanted the name of one")
            }
            var options: [String: OptionValue] = [:]
            for (key, value) in own where key.hasPrefix(prefix) {
                options[String(key.dropFirst(prefix.count))] = value
                own[key] = nil
            }
            guard let match = candidates.first(where: { schema($0).name == chosen }) else {
                let known = candidates.map { "\"\(schema($0).name)\"" }.joined(separator: ", ")
                throw MetarecError.value("\(role): \"\(chosen)\", wanted one of \(known)")
            }
            return (match, try Options(options, for: schema(match), prefix: prefix))
        }
        let (algorithm, algorithmOptions) = try component(
            "algorithm", Registry.algorithms, default: MAML.schema.name
        ) { $0.schema }
        let (backbone, backboneOptions) = try component(
            "backbone", Registry.backbones, default: FeatureMLP.schema.name
        ) { $0.schema }
        let (loss, lossOptions) = try component("loss", Registry.losses, default: SquaredError.schema.name) {
            $0.schema
        }
        let (schedule, scheduleOptions) = try component(
            "schedule", Registry.schedules, default: Constant.schema.name
        ) { $0.schema }
        let (optimizer, optimizerOptions) = try component(
            "optimizer", Registry.optimizers, default: Adam.schema.name
        ) { $0.schema }
        let options = try Options(own, for: Learner.schema, prefix: "")
        self.algorithm = algorithm.init(algorithmOptions)
        self.backbone = backbone.init(backboneOptions)
        self.loss = loss.init(lossOptions)
        guard self.loss.outputsTargets || !self.algorithm.regressesTargets else {
            throw MetarecError.value(
                "loss: \"\(type(of: self.loss).schema.name)\", wanted one of outputs that are the targets themselves, as "
                    + "\"squared_error\", for the algorithm \"\(type(of: self.algorithm).schema.name)\", which solves for "
                    + "them; \"ridge\" takes a Newton step of any loss")
        }
        self.schedule = schedule.init(scheduleOptions)
        self.optimizer = try optimizer.init(optimizerOptions, self.schedule)
        batchSize = options.integer("batch_size")
        threads = options.optionalNumber("threads").map { Int($0) } ?? processorCount()
        precision = options.text("dtype") == "float64" ? .double : .float
        seed = UInt64(options.integer("seed"))
        clipping = try GradientClipping(
            norm: options.optionalNumber("clip_norm"), value: options.optionalNumber("clip_value"))
        unknownRate = options.number("unknown_rate")
    }
}
