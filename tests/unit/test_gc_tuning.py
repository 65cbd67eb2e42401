import subprocess
import sys


def test_a_collection_passes_over_what_the_start_has_made() -> None:
    script = (
        "import gc; from zaiko_server import gc_tuning, lifecycle; made = "
        "len(gc.get_objects()); gc_tuning.settle();"
        "assert gc.get_freeze_count() > 0.9 * made; assert len(gc.get_objects()) < 0.1 * made;"
        "cycle = []; cycle.append(cycle); del cycle; assert gc.collect() >= 1"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
