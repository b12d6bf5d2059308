"""A forked child can use models, whatever its parent did before."""

import multiprocessing

import numpy as np
import pytest
from learners import copies, random_tasks, same_bits, small_learner


def child(pipe, model, tasks):
    predictions = model.predict(tasks)
    best = model.adapt([1], [1.0]).recommend(k=3).items
    fitted = small_learner(threads=2, epochs=2).fit(tasks, progress=False)
    model.partial_fit(tasks)
    pipe.send((predictions, best, copies(fitted), copies(model)))


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork")
@pytest.mark.parametrize("threads", [1, 2])
def test_predict_and_fit_in_a_child_give_the_parents_bits(threads):
    tasks = random_tasks(tasks=100)
    model = small_learner(threads=threads, epochs=2).fit(tasks)  # threads have run here
    predictions, best = model.predict(tasks), model.adapt([1], [1.0]).recommend(k=3).items
    before = copies(model)

    context = multiprocessing.get_context("fork")
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=child, args=(send, model, tasks))
    process.start()
    answered = receive.poll(60)
    if not answered:
        process.kill()
    process.join()
    assert answered, "the child does not come to an end"
    theirs = receive.recv()
    assert process.exitcode == 0
    np.testing.assert_array_equal(theirs[0], predictions)
    np.testing.assert_array_equal(theirs[1], best)
    assert same_bits(theirs[2], copies(small_learner(threads=2, epochs=2).fit(tasks)))
    assert same_bits(before, model.parameters())  # the child trained its own
    model.partial_fit(tasks)
    assert same_bits(theirs[3], copies(model))
