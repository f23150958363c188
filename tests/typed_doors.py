"""What a type checker makes of `import embodied_ssl as es`; `make types` checks it, and nothing runs it."""

from pathlib import Path
from typing import assert_type

import gymnasium
import numpy as np
from numpy.typing import NDArray

import embodied_ssl as es
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.datasets.spec import Summary
from embodied_ssl.encoders import Encoder
from embodied_ssl.evaluation.results import Results
from embodied_ssl.method import Method
from embodied_ssl.studies.verify import Finding
from embodied_ssl.training.runs.run import Run
from embodied_ssl.training.settings import Hardware

assert_type(es.__version__, str)
assert_type(es.collect("roam", "data/roam", episodes=64, size=64), Summary)
assert_type(es.open("data/roam"), Dataset)
assert_type(es.make_env("roam", size=64), gymnasium.Env[dict[str, NDArray[np.generic]], NDArray[np.float32]])
assert_type(es.make_method("simclr", temperature=0.2), Method)
assert_type(es.train(es.make_method("simclr"), "runs/simclr-0", {"frames": "data/roam"}), Path)
assert_type(es.Recipe(steps=10).steps, int)
assert_type(es.TrainingSettings(seed=1).seed, int)
assert_type(es.Hardware(device="cpu"), Hardware)
assert_type(es.load_encoder("runs/simclr-0"), Encoder)
assert_type(es.load_run("runs/simclr-0"), Run)
assert_type(es.evaluate(["runs/simclr-0"], ["data/held_out"]), Results)
assert_type(es.compare(["simclr"], Path("out"), [Path("data/roam")], [Path("data/held_out")]), Results)
assert_type(es.study("positives", "out", size="minute"), Results)
assert_type(es.verify("out"), list[Finding])
assert_type(es.export("runs/simclr-0", "exported", to="onnx"), Path)

es.train("simclr", "runs/simclr-0", {})  # type: ignore[arg-type]
es.trian  # type: ignore[attr-defined]  # noqa: B018
