"""What looks on while a method is trained: callbacks, a progress bar, and panels for a class room."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.progress import progress_bar
from embodied_ssl.datasets.store.files import write_atomically
from embodied_ssl.parts.panels import panels_of
from embodied_ssl.training.drawing import png_of
from embodied_ssl.training.runs.state import TrainingState

Metrics = Mapping[str, float]


class Callback:
    """Looks on while a method is trained, and changes nothing: with it and without it the weights end the same.

    All are called by the main process alone, in the order in which they were given, so none may wait for the others
    (`distributed.gather`). What may be read is `state.out`, `state.recipe`, `state.updates` (that are made),
    `state.method`, `state.output_encoder`, `state.example` (the first batches, on the CPU) and `state.fabric.device`.
    Randomness may be drawn freely, since each update seeds its own; modules may be put in evaluation mode, since each
    update puts them back. A callback derives from this class and overrides what it wants to hear of.
    """

    def on_update(self, state: TrainingState, metrics: Metrics) -> None:
        """After each update. metrics: of the loss, every tenth update and at the last; else none."""

    def on_monitor(self, state: TrainingState, metrics: Metrics) -> None:
        """After the monitor has looked at the features, every `monitor_every` updates and at the last.

        metrics: what it found.
        """

    def on_save(self, state: TrainingState) -> None:
        """Before a state to go on from is written, and before the weights are: what is not written now a kill takes."""

    def on_end(self, state: TrainingState) -> None:
        """Once, when training ends: `state.updates` tells whether it came to its end, was asked to stop, or failed."""


def check_callbacks(callbacks: Sequence[Callback]) -> None:
    """Raise DataError for what is none, before training rather than at its end."""
    for each in callbacks:
        if not isinstance(each, Callback):
            kind = each.__name__ if isinstance(each, type) else f"a {type(each).__name__}"
            raise DataError(f"callbacks: {kind} is no Callback; give an instance of a class that derives from it")


@contextmanager
def watched(callbacks: Sequence[Callback], state: TrainingState) -> Iterator[None]:
    """Within it a run is trained; after it, however it went, all callbacks hear of the end."""
    with ExitStack() as ends:
        for callback in reversed(callbacks):
            ends.callback(callback.on_end, state)
        yield


class ProgressBar(Callback):
    """Images trained on, images/s, time left, and the latest metrics, on standard error."""

    def __init__(self, name: str, first: int, steps: int, images: int, shown: bool = True):
        """first: updates that were made before. images: of an update, those of all its streams and devices."""
        self._images = images
        self._bar = progress_bar(steps * images, "images", name, shown, initial=first * images, scale=True)

    def on_update(self, state: TrainingState, metrics: Metrics) -> None:
        self._bar.update(self._images)
        if metrics:
            shown = {name: f"{value:.3g}" for name, value in list(metrics.items())[:4]}
            self._bar.set_postfix(shown, refresh=False)

    def on_end(self, state: TrainingState) -> None:
        self._bar.close()

    def warn(self, message: str) -> None:
        """Print a line above the bar."""
        self._bar.write(f"embodied-ssl: {message}", file=sys.stderr)


class ShowPanels(Callback):
    """Shows what the method's own task asks of it and what it answers, again at every look of the monitor.

    In a notebook the image is drawn anew in its place; elsewhere it is written to RUN/panels/UPDATES.png. What is shown
    is the first batch of the data, at rest, with the same views each time.
    """

    def __init__(self) -> None:
        self._shown = None

    def on_monitor(self, state: TrainingState, metrics: Metrics) -> None:
        batches = {name: batch.to(state.fabric.device) for name, batch in state.example.items()}
        rows = panels_of(state.method, batches)
        if not rows:
            return
        image = png_of(rows, f"{state.updates:,} of {state.recipe.steps:,} updates")
        if not self._displayed(image):
            folder = state.out / "panels"
            folder.mkdir(exist_ok=True)
            write_atomically(folder / f"{state.updates:06}.png", [image])

    def _displayed(self, image: bytes) -> bool:
        """Show an image in a notebook, in place of the one before. False where this is none."""
        ipython = sys.modules.get("IPython")
        if ipython is None or ipython.get_ipython() is None or not hasattr(ipython.get_ipython(), "kernel"):
            return False
        from IPython.display import Image, display

        if self._shown is None:
            self._shown = display(Image(image), display_id=True)
        else:
            self._shown.update(Image(image))
        return True
