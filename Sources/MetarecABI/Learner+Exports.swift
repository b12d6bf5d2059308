public import CMetarec
import Graph
import Kernels
import MetaLearning
import Recommenders

private func learner(_ handle: OpaquePointer) -> GuardedLearner { Handle.object(handle) }
private func tasks(_ handle: OpaquePointer) -> TaskSet { Handle.object(handle) }

extension Poll {
    convenience init(_ poll: mr_poll) {
        self.init { fraction, loss in poll.function?(poll.context, fraction, loss) ?? 0 == 0 }
    }
}

// MARK: Life

/// A learner from options.
@c @implementation
public func mr_learner_create(
    _ options: UnsafePointer<mr_option>?, _ optionCount: Int64, _ out: UnsafeMutablePointer<OpaquePointer?>,
    _ error: UnsafeMutablePointer<mr_error>
) -> Int32 {
    bridge(error) {
        var given: [String: OptionValue] = [:]
        for option in try UnsafeBufferPointer(
            start: options, count: options == nil ? 0 : count(optionCount, "count"))
        {
            let name = String(cString: option.name)
            guard given.updateValue(try value(option, name), forKey: name) == nil else {
                throw MetarecError.value("options: \"\(name)\" comes twice")
            }
        }
        out.pointee = Handle.make(GuardedLearner(try Learner(given)))
    }
}

private func value(_ option: mr_option, _ name: String) throws -> OptionValue {
    switch UInt32(bitPattern: option.kind) {
    case MR_OPTION_NUMBERS.rawValue:
        .numbers(
            Array(
                try UnsafeBufferPointer(
                    start: option.numbers, count: option.numbers == nil ? 0 : count(option.count, "\(name): count"))))
    case MR_OPTION_TEXT.rawValue: .text(option.text.map { String(cString: $0) } ?? "")
    case MR_OPTION_NONE.rawValue: .none
    default: throw MetarecError.value("options: \"\(name)\" has kind \(option.kind), which is not an mr_option_kind")
    }
}

/// Gives the learner back.
@c @implementation
public func mr_learner_release(_ handle: OpaquePointer) { Handle.release(handle, GuardedLearner.self) }

/// Fixes the shapes and draws the parameters.
@c @implementation
public func mr_learner_initialize(
    _ handle: OpaquePointer, _ set: OpaquePointer, _ limit: Int64, _ poll: mr_poll,
    _ error: UnsafeMutablePointer<mr_error>
) -> Int32 {
    bridge(error) {
        try learner(handle).exclusively {
            try $0.initialize(tasks(set), limit: limit < 0 ? .max : Int(limit), poll: Poll(poll))
        }
    }
}

// MARK: Tensors

/// Parameters and pieces of optimizer state together.
@c @implementation
public func mr_learner_tensor_count(
    _ handle: OpaquePointer, _ out: UnsafeMutablePointer<Int64>, _ error: UnsafeMutablePointer<mr_error>
) -> Int32 {
    bridge(error) { out.pointee = Int64(try learner(handle).exclusively { try $0.tensors().count }) }
}

/// One of them.
@c @implementation
public func mr_learner_tensor(
    _ handle: OpaquePointer, _ index: Int64, _ out: UnsafeMutablePointer<mr_tensor>,
    _ error: UnsafeMutablePointer<mr_error>
) -> Int32 {
    bridge(error) {
        let guarded = learner(handle)
        out.pointee = try guarded.exclusively { learner in
            let tensors = try learner.tensors()
            guard tensors.indices.contains(Int(index)) else {
                throw MetarecError.index("index: \(index), outside 0 ..< \(tensors.count)")
            }
            let tensor = tensors[Int(index)]
            let shape = (Int64(tensor.shape[0]), Int64(tensor.shape.count == 2 ? tensor.shape[1] : 1))
            return mr_tensor(
                name: guarded.name(tensor.name),
                kind: Int32((tensor.isParameter ? MR_PARAMETER : MR_OPTIMIZER_STATE).rawValue),
                dtype: learner.precision.rawValue, rank: Int32(tensor.shape.count), adapted: tensor.isAdapted ? 1 : 0,
                shape: shape, data: tensor.pointer)
        }
    }
}

/// Brings lazily updated rows up to date.
@c @implementation
public func mr_learner_settle(_ handle: OpaquePointer, _ error: UnsafeMutablePointer<mr_error>) -> Int32 {
    bridge(error) { try learner(handle).exclusively { try $0.settle() } }
}

/// Finished outer steps.
@c @implementation
public func mr_learner_get_steps(
    _ handle: OpaquePointer, _ out: UnsafeMutablePointer<Int64>, _ error: UnsafeMutablePointer<mr_error>
) -> Int32 {
    bridge(error) { out.pointee = Int64(try learner(handle).exclusively { try $0.steps }) }
}

/// Continues a saved learner.
@c @implementation
public func mr_learner_set_steps(
    _ handle: OpaquePointer, _ steps: Int64, _ error: UnsafeMutablePointer<mr_error>
) -> Int32 {
    bridge(error) { try learner(handle).exclusively { try $0.resume(at: Int(steps)) } }
}

/// The share of the learning rate that is left.
@c @implementation
public func mr_learner_get_rate_share(
    _ handle: OpaquePointer, _ out: UnsafeMutablePointer<Double>, _ error: UnsafeMutablePointer<mr_error>
) -> Int32 {
    bridge(error) { out.pointee = try learner(handle).exclusively { $0.rateShare } }
}

/// Changes it.
@c @implementation
public func mr_learner_set_rate_share(
    _ handle: OpaquePointer, _ share: Double, _ error: UnsafeMutablePointer<mr_error>
) -> Int32 {
    bridge(error) { try learner(handle).exclusively { try $0.reduceRate(to: share) } }
}

/// Inner steps of the algorithm.
@c @implementation
public func mr_learner_inner_steps(
    _ handle: OpaquePointer, _ out: UnsafeMutablePointer<Int64>, _ error: UnsafeMutablePointer<mr_error>
) -> Int32 {
    bridge(error) { out.pointee = Int64(try learner(handle).exclusively { $0.innerSteps }) }
}

// MARK: Training

/// Mean meta-loss and its gradient.
@c @implementation
public func mr_learner_meta_gradient(
    _ handle: OpaquePointer, _ set: OpaquePointer, _ poll: mr_poll, _ outLoss: UnsafeMutablePointer<Double>,
    _ outGradients: UnsafePointer<UnsafeMutableRawPointer>, _ error: UnsafeMutablePointer<mr_error>
) -> Int32 {
    bridge(error) {
        outLoss.pointee = try learner(handle).exclusively { learner in
            let count = try learner.tensors().filter(\.isParameter).count
            let out = Array(UnsafeBufferPointer(start: outGradients, count: count))
            return try learner.metaGradient(tasks(set), into: out, poll: Poll(poll))
        }
    }
}

/// One outer step.
@c @implementation
public func mr_learner_step(
    _ handle: OpaquePointer, _ set: OpaquePointer, _ poll: mr_poll, _ outLoss: UnsafeMutablePointer<Double>,
    _ error: UnsafeMutablePointer<mr_error>
) -> Int32 {
    bridge(error) {
        outLoss.pointee = try learner(handle).exclusively { try $0.step(tasks(set), poll: Poll(poll)) }
    }
}

/// Instructions of the training plan.
@c @implementation
public func mr_learner_instruction_count(
    _ handle: OpaquePointer, _ out: UnsafeMutablePointer<Int64>, _ error: UnsafeMutablePointer<mr_error>
) -> Int32 {
    bridge(error) { out.pointee = Int64(try learner(handle).exclusively { try $0.instructionCount }) }
}

/// What each of them costs.
@c @implementation
public func mr_learner_profile(
    _ handle: OpaquePointer, _ set: OpaquePointer, _ poll: mr_poll, _ out: UnsafeMutablePointer<mr_instruction_cost>,
    _ error: UnsafeMutablePointer<mr_error>
) -> Int32 {
    bridge(error) {
        let costs = try learner(handle).exclusively { try $0.profile(tasks(set), poll: Poll(poll)) }
        for (index, cost) in costs.enumerated() {
            out[index].multiply_adds = cost.multiplyAdds
            out[index].seconds = cost.seconds
            withUnsafeMutableBytes(of: &out[index].text) { text in
                let length = min(cost.text.utf8.count, text.count - 1)
                text.copyBytes(from: cost.text.utf8.prefix(length))
                text[length] = 0
            }
        }
    }
}

/// One pass over the tasks, or a part of it.
@c @implementation
public func mr_learner_train_epoch(
    _ handle: OpaquePointer, _ set: OpaquePointer, _ episodes: UnsafePointer<mr_episodes>?, _ epoch: Int64,
    _ count: Int64, _ poll: mr_poll, _ pass: UnsafeMutablePointer<mr_pass>, _ error: UnsafeMutablePointer<mr_error>
) -> Int32 {
    bridge(error) {
        let episodes = try episodes.map { sizes in
            try Episodes(
                supportLow: Int(sizes.pointee.support_low), supportHigh: Int(sizes.pointee.support_high),
                queryLow: Int(sizes.pointee.query_low), queryHigh: Int(sizes.pointee.query_high))
        }
        var from = Learner.Pass()
        (from.step, from.sum) = (Int(pass.pointee.step), pass.pointee.sum)
        let now = try learner(handle).exclusively {
            try $0.train(
                tasks(set), episodes: episodes, epoch: Int(epoch), from: from, count: Int(count), poll: Poll(poll))
        }
        pass.pointee = mr_pass(
            step: Int64(now.step), steps: Int64(now.steps), tasks: Int64(now.tasks), sum: now.sum, loss: now.last.loss,
            norm: now.last.norm, rate: now.last.rate)
    }
}

// MARK: Prediction

/// Adapted predictions of the query rows.
@c @implementation
public func mr_learner_predict(
    _ handle: OpaquePointer, _ set: OpaquePointer, _ poll: mr_poll, _ out: UnsafeMutableRawPointer,
    _ error: UnsafeMutablePointer<mr_error>
) -> Int32 {
    bridge(error) { try learner(handle).exclusively { try $0.predict(tasks(set), into: out, poll: Poll(poll)) } }
}

/// Levels of the loss.
@c @implementation
public func mr_learner_level_count(
    _ handle: OpaquePointer, _ out: UnsafeMutablePointer<Int64>, _ error: UnsafeMutablePointer<mr_error>
) -> Int32 {
    bridge(error) { out.pointee = Int64(try learner(handle).exclusively { $0.levelCount }) }
}

/// Distributions of the query rows over the levels.
@c @implementation
public func mr_learner_distribution(
    _ handle: OpaquePointer, _ set: OpaquePointer, _ poll: mr_poll, _ out: UnsafeMutableRawPointer,
    _ error: UnsafeMutablePointer<mr_error>
) -> Int32 {
    bridge(error) { try learner(handle).exclusively { try $0.distribution(tasks(set), into: out, poll: Poll(poll)) } }
}

/// Adapted parameters of every task.
@c @implementation
public func mr_learner_adapted_parameters(
    _ handle: OpaquePointer, _ set: OpaquePointer, _ poll: mr_poll, _ out: UnsafePointer<UnsafeMutableRawPointer>,
    _ error: UnsafeMutablePointer<mr_error>
) -> Int32 {
    bridge(error) {
        try learner(handle).exclusively { learner in
            let count = try learner.tensors().filter(\.isAdapted).count
            let out = Array(UnsafeBufferPointer(start: out, count: count))
            try learner.adaptedParameters(tasks(set), into: out, poll: Poll(poll))
        }
    }
}

/// Support losses along the inner loop.
@c @implementation
public func mr_learner_support_losses(
    _ handle: OpaquePointer, _ set: OpaquePointer, _ poll: mr_poll, _ out: UnsafeMutableRawPointer,
    _ error: UnsafeMutablePointer<mr_error>
) -> Int32 {
    bridge(error) { try learner(handle).exclusively { try $0.supportLosses(tasks(set), into: out, poll: Poll(poll)) } }
}

/// Somebody may write into the parameters from now on.
@c @implementation
public func mr_learner_begin_loan(_ handle: OpaquePointer) { learner(handle).beginLoan() }

/// No longer.
@c @implementation
public func mr_learner_end_loan(_ handle: OpaquePointer) { learner(handle).endLoan() }

/// A learner adapted to one user.
@c @implementation
public func mr_learner_adapt(
    _ handle: OpaquePointer, _ catalogue: OpaquePointer, _ user: OpaquePointer?,
    _ ratings: UnsafePointer<mr_user_ratings>,
    _ out: UnsafeMutablePointer<OpaquePointer?>, _ error: UnsafeMutablePointer<mr_error>
) -> Int32 {
    bridge(error) {
        let guarded = learner(handle)
        let given = ratings.pointee
        let ratings = try UserRatings(
            items: Handle.object(catalogue), user: user.map { Handle.object($0) }, rows: given.items,
            values: try given.ratings.map { try numbers($0, given.dtype) }, count: count(given.count, "ratings: count"))
        let adapted = try guarded.exclusively { try $0.adapt(ratings) }
        out.pointee = Handle.make(GuardedAdaptation(guarded, adapted))
    }
}

/// How many numbers a score is.
@c @implementation
public func mr_adapted_columns(_ handle: OpaquePointer, _ score: Int32) -> Int64 {
    let adaptation: GuardedAdaptation = Handle.object(handle)
    return Int64(Score(rawValue: score).map(adaptation.adapted.columns) ?? 0)
}

/// Its scores of items.
@c @implementation
public func mr_adapted_predict(
    _ handle: OpaquePointer, _ catalogue: OpaquePointer, _ items: UnsafePointer<Int32>?, _ itemCount: Int64,
    _ score: Int32, _ poll: mr_poll, _ out: UnsafeMutableRawPointer, _ error: UnsafeMutablePointer<mr_error>
) -> Int32 {
    bridge(error) {
        guard let score = Score(rawValue: score) else { throw MetarecError.value("score: \(score), which is none") }
        let adaptation: GuardedAdaptation = Handle.object(handle)
        let count = try count(itemCount, "items: count")
        let candidates = UnsafeBufferPointer(start: items, count: items == nil ? 0 : count)
        try adaptation.guarded.exclusively { _ in
            try adaptation.adapted.predict(
                candidates, of: Handle.object(catalogue), score: score, into: out, poll: Poll(poll))
        }
    }
}

/// Gives it back.
@c @implementation
public func mr_adapted_release(_ handle: OpaquePointer) { Handle.release(handle, GuardedAdaptation.self) }
