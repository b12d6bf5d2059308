import CMetarec
import Glibc
import Testing

@testable import MetarecABI

/// One call: its status and its message.
private struct Outcome: Equatable {
    let status: Int32
    let message: String

    init(_ call: (UnsafeMutablePointer<mr_error>) -> Int32) {
        var error = mr_error()
        status = call(&error)
        message = withUnsafeBytes(of: error.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        if status != 0 { #expect(error.code == status && !message.isEmpty) }
    }

    static let fine = Outcome { _ in 0 }
}

/// An array that stays where it is.
private func kept<T>(_ elements: [T]) -> UnsafeMutablePointer<T> {
    let pointer = UnsafeMutablePointer<T>.allocate(capacity: max(elements.count, 1))
    pointer.initialize(from: elements, count: elements.count)
    return pointer
}

private func features(_ ids: [Int32], size: Int64 = 4, kind: Int32 = 0) -> (Outcome, OpaquePointer?) {
    var handle: OpaquePointer?
    var field = mr_field(
        name: kept("genre".utf8CString.map { $0 }), kind: kind, dtype: 0, size: size, ids: kept(ids),
        id_count: Int64(ids.count), offsets: nil, vectors: nil, is_constant: 0)
    let outcome = Outcome { mr_features_create(Int64(ids.count), &field, 1, &handle, $0) }
    return (outcome, handle)
}

/// Tasks of three support and two query rows each.
private func tasks(_ count: Int, _ items: OpaquePointer, target: Double = 3, dtype: Int32 = 1) -> (
    Outcome, OpaquePointer?
) {
    var handle: OpaquePointer?
    var arrays = mr_task_arrays(
        task_count: Int64(count), row_count: Int64(5 * count), offsets: kept((0...count).map { Int64(5 * $0) }),
        support_counts: kept([Int64](repeating: 3, count: count)),
        item_index: kept((0..<5 * count).map { Int32($0 % 4) }),
        targets: kept((0..<5 * count).map { $0 == 0 ? target : Double($0 % 3) }), target_dtype: dtype, user_index: nil)
    let outcome = Outcome { mr_tasks_create(&arrays, items, nil, &handle, $0) }
    return (outcome, handle)
}

private struct Option {
    let name: String
    let text: String?
    let numbers: [Double]
    var kind: Int32?
    var count: Int64?

    init(_ name: String, _ numbers: Double...) { (self.name, text, self.numbers) = (name, nil, numbers) }
    init(_ name: String, text: String) { (self.name, self.text, numbers) = (name, text, []) }

    var c: mr_option {
        mr_option(
            name: kept(name.utf8CString.map { $0 }), kind: kind ?? (text == nil ? 0 : 1),
            text: text.map { UnsafePointer(kept($0.utf8CString.map { $0 })) }, numbers: kept(numbers),
            count: count ?? Int64(numbers.count))
    }
}

private func learner(_ options: [Option] = []) -> (Outcome, OpaquePointer?) {
    var handle: OpaquePointer?
    let given = kept(options.map(\.c))
    let outcome = Outcome { mr_learner_create(given, Int64(options.count), &handle, $0) }
    return (outcome, handle)
}

private var silent: mr_poll { mr_poll(function: nil, context: nil) }

private func emptyTensor() -> mr_tensor {
    mr_tensor(
        name: kept([CChar(0)]), kind: 0, dtype: 0, rank: 0, adapted: 0, shape: (0, 0), data: kept([UInt8(0)]))
}

@Suite struct LearnerExportsTests {
    private let items: OpaquePointer
    private let few: OpaquePointer

    init() throws {
        items = try #require(features([0, 1, 2, -1]).1)
        few = try #require(tasks(4, items).1)
    }

    private func initialized(_ options: [Option] = []) throws -> OpaquePointer {
        let handle = try #require(learner([Option("dtype", text: "float64"), Option("threads", 1)] + options).1)
        #expect(Outcome { mr_learner_initialize(handle, few, -1, silent, $0) } == .fine)
        return handle
    }

    private func steps(_ handle: OpaquePointer) -> Int64 {
        var steps: Int64 = -1
        #expect(Outcome { mr_learner_get_steps(handle, &steps, $0) } == .fine)
        return steps
    }

    // MARK: Creation

    @Test func handlesAreMadeAndGivenBack() throws {
        var counts: (Int64, Int64, Int64) = (0, 0, 0)
        mr_tasks_counts(few, &counts.0, &counts.1, &counts.2)
        #expect(counts == (4, 12, 8))
        var view: OpaquePointer?
        #expect(Outcome { mr_tasks_take(few, kept([3, 3, 0]), 3, &view, $0) } == .fine)
        // What a view or a learner needs lives on when its maker is released.
        let (_, otherItems) = features([0, 1, 2, 3])
        let (_, other) = tasks(2, try #require(otherItems))
        mr_features_release(try #require(otherItems))
        let handle = try initialized()
        var loss = Double.nan
        #expect(Outcome { mr_learner_step(handle, other!, silent, &loss, $0) } == .fine && loss.isFinite)
        mr_tasks_release(try #require(other))
        mr_tasks_release(try #require(view))
        mr_learner_release(handle)
    }

    @Test func wrongArraysAreRefused() {
        #expect(features([0, 4]).0.status == Int32(MR_INDEX_ERROR.rawValue))
        #expect(features([0], size: -1).0.status == Int32(MR_VALUE_ERROR.rawValue))
        #expect(features([0], kind: 9).0.message.contains("kind 9"))
        #expect(tasks(1, items, target: .nan).0.message.contains("targets[0]"))
        #expect(tasks(1, items, dtype: 7).0.status == Int32(MR_TYPE_ERROR.rawValue))
        var out: OpaquePointer?
        #expect(Outcome { mr_tasks_take(few, kept([4]), 1, &out, $0) }.status == Int32(MR_INDEX_ERROR.rawValue))
        #expect(out == nil)
    }

    @Test func negativeCountsAreRefused() {
        var out: OpaquePointer?
        var field = mr_field(
            name: kept("a".utf8CString.map { $0 }), kind: 0, dtype: 0, size: 1, ids: kept([0]), id_count: 1,
            offsets: nil,
            vectors: nil, is_constant: 0)
        var option = Option("threads", 1).c
        var short = Option("threads", 1)
        short.count = -5
        let value = Int32(MR_VALUE_ERROR.rawValue)
        #expect(Outcome { mr_features_create(1, &field, -1, &out, $0) }.status == value)
        #expect(Outcome { mr_features_create(-1, &field, 1, &out, $0) }.status == value)
        #expect(Outcome { mr_tasks_take(few, kept([0]), -1, &out, $0) }.status == value)
        #expect(Outcome { mr_learner_create(&option, -1, &out, $0) }.status == value)
        #expect(learner([short]).0.status == value)
        #expect(out == nil)
    }

    @Test func optionsAreCheckedByName() {
        let cases: [([Option], Int32, String)] = [
            ([Option("algorithm", text: "magic")], 1, "algorithm: \"magic\", wanted one of \"maml\""),
            ([Option("algorithm.inner_steps", -1)], 1, "algorithm.inner_steps: -1, "),
            ([Option("speed", 1)], 1, "speed: no such option"), ([Option("algorithm", 1)], 3, "algorithm"),
            ([Option("threads", 1), Option("threads", 2)], 1, "comes twice"),
            ([Option("backbone.hidden", 8, 0)], 1, "backbone.hidden"),
        ]
        for (options, status, part) in cases {
            let (outcome, handle) = learner(options)
            #expect(outcome.status == status && outcome.message.contains(part), "\(outcome)")
            #expect(handle == nil)
        }
        var odd = Option("threads", 1)
        odd.kind = 17
        #expect(learner([odd]).0.message.contains("kind 17"))
    }

    // MARK: Calls

    @Test func callsBeforeInitializeAreStateErrors() throws {
        let handle = try #require(learner().1)
        var (count, loss) = (Int64(0), 0.0)
        var out: OpaquePointer?
        let state = Int32(MR_STATE_ERROR.rawValue)
        #expect(Outcome { mr_learner_tensor_count(handle, &count, $0) }.status == state)
        #expect(Outcome { mr_learner_step(handle, few, silent, &loss, $0) }.status == state)
        var none = mr_user_ratings(count: 0, items: nil, ratings: nil, dtype: 0)
        #expect(Outcome { mr_learner_adapt(handle, items, nil, &none, &out, $0) }.status == state && out == nil)
        #expect(Outcome { mr_learner_initialize(handle, few, -1, silent, $0) } == .fine)
        #expect(Outcome { mr_learner_initialize(handle, few, -1, silent, $0) }.status == state)
        mr_learner_release(handle)
    }

    @Test func tensorsAreViewsOfTheModel() throws {
        let handle = try initialized([Option("backbone.embedding_dim", 2), Option("backbone.hidden", 3)])
        var count: Int64 = 0
        #expect(Outcome { mr_learner_tensor_count(handle, &count, $0) } == .fine && count == 3 * 5)
        var names: [String] = []
        for index in 0..<count {
            var tensor = emptyTensor()
            #expect(Outcome { mr_learner_tensor(handle, index, &tensor, $0) } == .fine)
            names.append(String(cString: tensor.name))
            #expect(tensor.dtype == 1 && tensor.kind == (index < 5 ? 0 : 1))
            if index == 0 {
                #expect(tensor.rank == 2 && tensor.shape.0 == 4 && tensor.shape.1 == 2 && tensor.adapted == 0)
            }
            if index == 2 { #expect(tensor.rank == 1 && tensor.shape.0 == 3 && tensor.adapted == 1) }
        }
        #expect(names.prefix(5) == ["embedding.genre", "dense0.weight", "dense0.bias", "head.weight", "head.bias"])
        #expect(names.contains("adam.m.dense0.weight") && Set(names).count == names.count)
        var tensor = emptyTensor()
        for index in [-1, count, .max] {
            #expect(Outcome { mr_learner_tensor(handle, index, &tensor, $0) }.status == Int32(MR_INDEX_ERROR.rawValue))
        }
        // Writing changes what is predicted: with a head of zeros, the bias alone.
        for (index, value) in [(Int64(3), 0.0), (4, 2.5)] {
            #expect(Outcome { mr_learner_tensor(handle, index, &tensor, $0) } == .fine)
            let size = Int(tensor.shape.0 * max(tensor.shape.1, 1))
            tensor.data.assumingMemoryBound(to: Double.self).update(repeating: value, count: size)
        }
        let (_, cold) = tasks(1, items)
        var steps: Int64 = 0
        #expect(Outcome { mr_learner_inner_steps(handle, &steps, $0) } == .fine && steps == 1)
        let gradients = (0..<5).map { _ in UnsafeMutableRawPointer(kept([Double](repeating: .nan, count: 64))) }
        var loss = Double.nan
        #expect(Outcome { mr_learner_meta_gradient(handle, cold!, silent, &loss, kept(gradients), $0) } == .fine)
        #expect(loss.isFinite && gradients.allSatisfy { $0.assumingMemoryBound(to: Double.self)[0].isFinite })
        mr_learner_release(handle)
    }

    @Test func adaptedUsersPredictUntilTheModelMoves() throws {
        let handle = try initialized()
        let (_, one) = tasks(1, items)
        var adapted: OpaquePointer?
        let (rows, ratings) = (kept([Int32(0), 1, 2]), kept([3.0, 1, 2]))
        var given = mr_user_ratings(count: 3, items: rows, ratings: ratings, dtype: 1)
        for wrong in [
            mr_user_ratings(count: -1, items: rows, ratings: ratings, dtype: 1),
            mr_user_ratings(count: 3, items: nil, ratings: ratings, dtype: 1),
            mr_user_ratings(count: 3, items: rows, ratings: nil, dtype: 1),
            mr_user_ratings(count: 3, items: kept([0, 4, 2]), ratings: ratings, dtype: 1),
            mr_user_ratings(count: 3, items: rows, ratings: kept([1, .nan, 1]), dtype: 1),
            mr_user_ratings(count: 3, items: rows, ratings: ratings, dtype: 7),
        ] {
            var wrong = wrong
            #expect(Outcome { mr_learner_adapt(handle, items, nil, &wrong, &adapted, $0) } != .fine && adapted == nil)
        }
        #expect(Outcome { mr_learner_adapt(handle, items, nil, &given, &adapted, $0) } == .fine)
        let (byUser, byTask) = (kept([0.0, 0]), kept([0.0, 0]))
        let wanted = kept([Int32(3), 0])
        func predict(_ items: UnsafeMutablePointer<Int32>?, _ count: Int64 = 2, score: Int32 = 0) -> Outcome {
            Outcome { mr_adapted_predict(adapted!, self.items, items, count, score, silent, byUser, $0) }
        }
        #expect(predict(wanted) == .fine)
        #expect(Outcome { mr_learner_predict(handle, one!, silent, byTask, $0) } == .fine)
        for row in 0..<2 { #expect(abs(byUser[row] - byTask[row]) < 1e-13 && byTask[row] != 0) }
        #expect(predict(nil) == .fine && predict(wanted, -1).status == Int32(MR_VALUE_ERROR.rawValue))
        #expect(predict(kept([-2, 0])).status == Int32(MR_INDEX_ERROR.rawValue))
        #expect((-1..<4).map { mr_adapted_columns(adapted!, $0) } == [0, 1, 0, 0, 0])
        #expect(predict(wanted, score: 1).status == Int32(MR_STATE_ERROR.rawValue))
        #expect(predict(wanted, score: 3).status == Int32(MR_VALUE_ERROR.rawValue))
        mr_learner_begin_loan(handle)
        #expect(predict(wanted) == .fine)
        mr_learner_end_loan(handle)
        var loss = 0.0
        #expect(Outcome { mr_learner_step(handle, few, silent, &loss, $0) } == .fine && steps(handle) == 1)
        #expect(predict(wanted).status == Int32(MR_STATE_ERROR.rawValue))
        // The adapted user keeps the learner alive.
        mr_learner_release(handle)
        #expect(predict(wanted).status == Int32(MR_STATE_ERROR.rawValue))
        mr_adapted_release(adapted!)
    }

    @Test func stepsAreCountedAndSet() throws {
        let handle = try initialized()
        #expect(steps(handle) == 0)
        #expect(Outcome { mr_learner_set_steps(handle, 41, $0) } == .fine && steps(handle) == 41)
        #expect(Outcome { mr_learner_set_steps(handle, -1, $0) }.status == 1 && steps(handle) == 41)
        mr_learner_release(handle)
    }

    @Test func arithmeticErrorsHaveTheirStatus() throws {
        let handle = try initialized([Option("algorithm.inner_lr", 1e200), Option("algorithm.inner_steps", 3)])
        var loss = 7.0
        let outcome = Outcome { mr_learner_step(handle, few, silent, &loss, $0) }
        #expect(outcome.status == Int32(MR_ARITHMETIC_ERROR.rawValue) && outcome.message.contains("inner_lr"))
        #expect(loss == 7 && steps(handle) == 0)
        mr_learner_release(handle)
    }

    // MARK: Callbacks

    private final class Caller {
        var learner: OpaquePointer?
        var outcomes: [Outcome] = []
        var fractions: [Double] = []
        var limit = Int.max
    }

    private func poll(_ caller: Caller) -> mr_poll {
        mr_poll(
            function: { context, fraction, _ in
                let caller = Unmanaged<Caller>.fromOpaque(context!).takeUnretainedValue()
                caller.fractions.append(fraction)
                var steps: Int64 = -1
                if let learner = caller.learner {
                    caller.outcomes.append(Outcome { mr_learner_get_steps(learner, &steps, $0) })
                }
                return caller.fractions.count >= caller.limit ? 1 : 0
            }, context: Unmanaged.passUnretained(caller).toOpaque())
    }

    /// A callback that uses its own learner is told so instead of waiting for itself for ever.
    @Test func callbacksCannotUseTheirLearner() throws {
        let handle = try initialized([Option("algorithm.inner_steps", 5), Option("batch_size", 16)])
        let (_, many) = tasks(500, items)
        let caller = Caller()
        caller.learner = handle
        caller.limit = 3
        var loss = 0.0
        var pass = mr_pass()
        // However fast the machine: until the callback has been asked often enough to say stop.
        func train() -> Outcome {
            for epoch in 0..<10_000 {
                pass = mr_pass()
                let outcome = Outcome {
                    mr_learner_train_epoch(handle, many!, nil, Int64(epoch), .max, poll(caller), &pass, $0)
                }
                if outcome != .fine { return outcome }
            }
            return .fine
        }
        #expect(train().status == Int32(MR_INTERRUPTED.rawValue))
        #expect(caller.outcomes.count == 3)
        #expect(caller.outcomes.allSatisfy { $0.status == Int32(MR_STATE_ERROR.rawValue) })
        #expect(caller.fractions.allSatisfy { (0...1).contains($0) })
        // Interrupted, it is usable: and another learner may be used meanwhile.
        #expect(Outcome { mr_learner_step(handle, few, silent, &loss, $0) } == .fine)
        let other = try initialized()
        caller.learner = other
        caller.limit = 6
        #expect(train().status == Int32(MR_INTERRUPTED.rawValue))
        #expect(caller.outcomes.dropFirst(3).count == 3 && caller.outcomes.dropFirst(3).allSatisfy { $0 == .fine })
        mr_learner_release(handle)
        mr_learner_release(other)
    }

    /// A second thread waits for its turn.
    @Test func learnersTakeOneCallAtATime() throws {
        let handle = try initialized()
        final class Work: @unchecked Sendable {
            let learner: OpaquePointer
            let tasks: OpaquePointer
            init(_ learner: OpaquePointer, _ tasks: OpaquePointer) { (self.learner, self.tasks) = (learner, tasks) }
        }
        let work = Work(handle, few)
        var threads: [pthread_t] = []
        for _ in 0..<4 {
            var thread = pthread_t()
            pthread_create(
                &thread, nil,
                { context in
                    let work = Unmanaged<Work>.fromOpaque(context!).takeUnretainedValue()
                    var loss = 0.0
                    for _ in 0..<10 { _ = Outcome { mr_learner_step(work.learner, work.tasks, silent, &loss, $0) } }
                    return nil
                }, Unmanaged.passUnretained(work).toOpaque())
            threads.append(thread)
        }
        for thread in threads { pthread_join(thread, nil) }
        #expect(steps(handle) == 40)
        mr_learner_release(handle)
    }

    @Test func episodesAreChecked() throws {
        let handle = try initialized()
        var pass = mr_pass()
        var sizes = mr_episodes(support_low: 1, support_high: 2, query_low: 1, query_high: 2)
        #expect(Outcome { mr_learner_train_epoch(handle, few, &sizes, -1, .max, silent, &pass, $0) } == .fine)
        for wrong in [(-1, 2, 1, 2), (2, 1, 1, 2), (0, 2, 0, 2), (0, 2, 3, 2)] as [(Int64, Int64, Int64, Int64)] {
            sizes = mr_episodes(
                support_low: wrong.0, support_high: wrong.1, query_low: wrong.2, query_high: wrong.3)
            #expect(Outcome { mr_learner_train_epoch(handle, few, &sizes, 0, .max, silent, &pass, $0) }.status == 1)
        }
        // A pass that is none: of more steps than there are, or of fewer than none.
        for step in [-1, 1000] as [Int64] {
            pass = mr_pass()
            pass.step = step
            #expect(Outcome { mr_learner_train_epoch(handle, few, nil, 0, 1, silent, &pass, $0) }.status == 1)
        }
        pass = mr_pass()
        #expect(Outcome { mr_learner_train_epoch(handle, few, nil, 0, -1, silent, &pass, $0) }.status == 1)
        var share = 0.0
        #expect(Outcome { mr_learner_get_rate_share(handle, &share, $0) } == .fine && share == 1)
        #expect(Outcome { mr_learner_set_rate_share(handle, 0.5, $0) }.status == Int32(MR_STATE_ERROR.rawValue))
        mr_learner_release(handle)
    }

    @Test func theLibraryIntroducesItself() {
        #expect(String(cString: mr_version()).split(separator: ".").count == 3)
        #expect(["baseline", "avx2", "avx512"].contains(String(cString: mr_isa())))
        #expect(String(cString: mr_schema()).hasPrefix("{\"algorithm\":["))
        #expect(mr_schema() == mr_schema())
    }
}
