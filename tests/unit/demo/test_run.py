"""The demo as its command runs it: open at once, trained meanwhile, stopped in order."""

import re
import subprocess
import sys
import urllib.request


def demo(folder, seconds):
    command = [sys.executable, "-m", "aisle.cli", "demo", str(folder), "--products", "60", "--days", "3"]
    with subprocess.Popen(
        [*command, "--port", "0", "--for", str(seconds)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as running:
        assert running.stdout is not None
        yield from running.stdout
    assert running.returncode == 0


def test_it_opens_before_it_is_trained_and_is_trained_once(tmp_path):
    folder = tmp_path / "demo-shop"
    said = []
    for line in demo(folder, 8):  # stopped long before the training is done
        said.append(line)
        if address := re.search(r"open at (http\S+)", line):
            with urllib.request.urlopen(address[1] + "/", timeout=20) as page:
                assert page.status == 200
    assert any("being trained meanwhile" in line for line in said)
    assert not any("failed" in line for line in said)
    assert not (folder / "demo" / "trained").exists()
    (folder / "demo" / "trained").touch()
    assert not any("trained" in line for line in demo(folder, 0.5))
