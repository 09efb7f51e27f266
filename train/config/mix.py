"""Training pictures and videos that are mixed by two: the `mix` section of classification."""

from dataclasses import dataclass

from gluon_glore.utils.errors import InputError

from .checks import above_0, not_below_0

SMALLEST, LARGEST = 0.001, 1000  # far beyond them numpy never ends, or draws what is no share


@dataclass(frozen=True)
class Mix:
    """Pictures of a batch are mixed by two, and so are their labels; off where both alphas are 0.

    `mixup`: above 0 the alpha of the Beta distribution of lambda, the share of a picture's own
    pixels in it (Zhang et al. 2018, https://arxiv.org/abs/1710.09412). `cutmix`: the same of a
    random box that two pictures exchange, lambda being what is left of a picture's own (Yun et al.
    2019, https://arxiv.org/abs/1905.04899). `switch`: the share of the mixed batches that get
    CutMix where both are on. `share`: the share of all batches that are mixed. `off_epochs`: so
    many last epochs have no mixed pictures.
    """

    mixup: float = 0.0
    cutmix: float = 0.0
    switch: float = 0.5
    share: float = 1.0
    off_epochs: int = 0

    @property
    def on(self) -> bool:
        """Whether any picture is mixed."""
        return self.mixup > 0 or self.cutmix > 0

    def check(self):
        """Raise InputError, naming the key, where a value is out of range."""
        values = {f"mix.{name}": value for name, value in vars(self).items()}
        not_below_0(values)
        above_0({"mix.share": self.share})
        for key in ("mix.mixup", "mix.cutmix"):
            if values[key] and not SMALLEST <= values[key] <= LARGEST:
                raise InputError(
                    f"config key {key} is 0, or an alpha from {SMALLEST} to {LARGEST}, given "
                    f"{values[key]}"
                )
        for key in ("mix.switch", "mix.share"):
            if values[key] > 1:
                raise InputError(f"config key {key} is a share of 1, given {values[key]}")
