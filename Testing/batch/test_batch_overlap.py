"""Cases of a batch that overlap: the gates they wait at, and the progress of all together."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from CTADefaceLib.batch import overlap
from CTADefaceLib.batch.batch_progress import BatchProgress
from CTADefaceLib.errors import Cancelled


def test_lanes_hold_one_case_per_gate_and_leave_it_when_stopped():
    inside, most, at_once = {}, {}, []
    lock = threading.Lock()

    def case(number):
        lane = overlap.Lane()
        try:
            for stage in ("read", "segment", "fill", "write"):
                lane.enter(stage)
                gate = overlap.GATE_OF_STAGE.get(stage, overlap.COMPUTE)
                with lock:
                    inside[number] = gate
                    most[gate] = max(most.get(gate, 0), list(inside.values()).count(gate))
                    at_once.append(len(set(inside.values())))
                time.sleep(0.01)
        finally:
            with lock:
                inside.pop(number, None)
            lane.leave()

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(case, range(12)))
    assert most == {"read": 1, "compute": 1, "write": 1} and max(at_once) > 1
    holder, waiting = overlap.Lane(), overlap.Lane()
    holder.enter("read")
    threading.Timer(0.1, waiting.cancel).start()
    with pytest.raises(Cancelled):
        waiting.enter("read")
    waiting.leave()
    holder.leave()


def test_a_lane_that_reads_again_lets_the_next_one_compute():
    """As a study does whose first series shows no face, while the next study is read already."""
    back, onward = overlap.Lane(), overlap.Lane()
    for lane, stage in ((back, "read"), (back, "segment"), (onward, "read")):
        lane.enter(stage)
    with ThreadPoolExecutor(2) as pool:
        try:
            waiting = pool.submit(onward.enter, "segment"), pool.submit(back.enter, "read")
            assert [future.exception(timeout=5) for future in waiting] == [None, None]
        finally:
            for lane in (back, onward):
                lane.cancel()
    for lane in (back, onward):
        lane.leave()


def test_progress_goes_up_to_one_over_all_cases():
    told = []
    progress = BatchProgress(told.append)
    for case, weight in (("a", 1), ("b", 3)):
        progress.expect(case, weight)
    progress.already(4)
    from CTADefaceLib.progress import Report

    progress.of("b")(Report("segment", 0.5, None))
    progress.ended("b", failed=True)
    progress.of("a")(Report("read", 0.2, None))
    progress.ended("a", failed=False)
    assert [round(report.fraction, 3) for report in told] == [0.375, 0.75, 0.8, 1.0]
    assert told[-1].stage == "6/6 cases, 1 failed" and told[-1].seconds_left == 0
