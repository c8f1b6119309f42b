"""Where it is computed and by how many: the answer is the same."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

from rtdmf_bio import RTDMF
from rtdmf_bio.model.device import limited_threads
from rtdmf_bio.model.stages import run
from rtdmf_bio.model.workers import Workers

GPU = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else ""


@pytest.mark.skipif(not GPU, reason="torch finds no GPU here")
@pytest.mark.parametrize(("dtype", "enough"), [("float64", 1e-8), ("float32", 1e-3)])
def test_a_gpu_gives_what_the_processor_gives(screen, tissues, dtype, enough):
    """In units of the spread; what differs is the order in which sums are taken."""
    if GPU == "mps" and dtype == "float64":
        pytest.skip("mps has no float64")
    one, other = (
        RTDMF(device=device, dtype=dtype).fit(screen, groups=tissues) for device in ("cpu", GPU)
    )
    assert other.device_.startswith(GPU)
    for name in ("corrected_", "low_rank_", "predicted_"):
        apart = np.abs(getattr(one, name) - getattr(other, name)).max()
        assert apart <= enough * np.nanstd(screen), name
    assert (one.flag_ != other.flag_).mean() <= enough


@pytest.mark.parametrize("n", [1, 2, 3])
def test_workers_return_results_in_order_and_leave_threads_alone(n):
    before = torch.get_num_threads()

    def task(k):
        return k, torch.get_num_threads(), torch.is_grad_enabled(), threading.current_thread()

    with torch.no_grad(), limited_threads(0):
        done = Workers(n).each([lambda k=k: task(k) for k in range(7)])
    assert [k for k, *_ in done] == list(range(7))
    assert {(threads, grad) for _, threads, grad, _ in done} == {(1, False)}
    assert len({thread for *_, thread in done}) <= n
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("n", [1, 2])
def test_the_first_error_of_a_worker_is_raised(n):
    began = []

    def task(k):
        began.append(k)
        if k == 1:
            raise FloatingPointError("diverged")
        return k

    with pytest.raises(FloatingPointError, match="diverged"):
        Workers(n).each([lambda k=k: task(k) for k in range(50)])
    assert len(began) < 50


def test_no_bit_depends_on_the_number_of_workers(screen, tissues, monkeypatch):
    fits = []
    for n in (1, 2):
        monkeypatch.setattr(
            "rtdmf_bio.model.estimator.run",
            lambda inputs, plan, tick, _, n=n: run(inputs, plan, tick, Workers(n)),
        )
        fits.append(RTDMF().fit(screen, groups=tissues))
    one, other = fits
    for name in ("corrected_", "low_rank_", "qvalue_", "lower_", "flag_"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert one.fits_ == other.fits_


@pytest.mark.parametrize(("work", "expected"), [(1e7, 1), (2e9, 3)])
def test_threads_are_limited_by_the_work_and_restored(work, expected):
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with limited_threads(work) as idle:
            assert torch.get_num_threads() == expected
            assert idle == (3 if expected == 1 else 1)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
