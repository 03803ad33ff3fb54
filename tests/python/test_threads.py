"""Models in many threads of Python, and in processes that are forked."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest
import torch

import kit

ENGINES = ("native", "torchscript", "aoti")
# From 3.12 on Python says that this may hang, which is what is tested.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
LOST = "libtorch is not to be used on both sides of a fork"


@pytest.fixture(scope="module")
def path(archives: Path) -> Path:
    return archives / "engines.pt"


def inputs() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(rows, 3, generator=generator) for rows in (1, 2, 7, 64, 500)]


@pytest.mark.parametrize("engine", ENGINES)
def test_one_model_in_many_threads(engine: str, path: Path) -> None:
    model, given = kit.load(path, engine=engine), inputs()
    expected = [model(x) for x in given]

    def right(number: int) -> bool:
        which = number % len(given)
        return torch.equal(model(given[which]), expected[which])

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(right, range(4000)))


@pytest.mark.parametrize("engine", ENGINES)
def test_models_come_and_go_in_many_threads(engine: str, path: Path) -> None:
    x = inputs()[2]
    expected = kit.load(path, engine=engine)(x)

    def right(_: int) -> bool:
        return torch.equal(kit.load(path, engine=engine)(x), expected)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(right, range(60)))


def outcome_in_child(work: Callable[[], str]) -> str:
    """What the work gives in a forked child, or the error; "no end" if it takes more than 20 seconds."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        try:
            text = work()
        except BaseException as error:
            text = f"{type(error).__name__}: {error}"
        os.write(writing, text.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        text = file.read().decode()
    _, status = os.waitpid(child, 0)
    return text if not os.WIFSIGNALED(status) else "no end"


@contextmanager
def predicting(model: kit.Model, x: torch.Tensor) -> Iterator[None]:
    """Threads that predict meanwhile."""
    stop = Event()

    def work() -> None:
        while not stop.is_set():
            model(x)

    threads = [Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_forked_child_works_or_says_why_not(engine: str, path: Path) -> None:
    model, x = kit.load(path, engine=engine), inputs()[3]
    expected = model(x)

    def check(text: str) -> None:
        if engine == "native":
            assert text == "True"
        else:
            assert text.startswith("UnavailableError: ")
            assert LOST in text

    def predict() -> str:
        return str(torch.equal(model(x), expected))

    def load() -> str:
        return str(torch.equal(kit.load(path, engine=engine)(x), expected))

    with predicting(model, x):
        for _ in range(5):
            check(outcome_in_child(predict))
            check(outcome_in_child(load))
    assert torch.equal(model(x), expected)


def predicted(path: Path, engine: str) -> str:
    return str(tuple(kit.load(path, engine=engine)(inputs()[1]).shape))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_pool_of_processes(method: str, engine: str, path: Path) -> None:
    kit.load(path, engine="torchscript")(inputs()[1])
    with multiprocessing.get_context(method).Pool(2) as pool:
        result = pool.apply_async(predicted, (path, engine))
        if method == "fork" and engine != "native":
            with pytest.raises(kit.errors.UnavailableError, match=LOST):
                result.get(60)
        else:
            assert result.get(60) == "(2, 1)"
