"""Models by name, each a few lines over the parts of `MetaLearner`."""

import inspect
from typing import Any, ClassVar

from metarec.components import COMPONENTS, Component
from metarec.errors import InvalidTypeError
from metarec.learner import MetaLearner

_PARTS = ("backbone", "algorithm", "loss", "optimizer")


class Preset(MetaLearner):
    """A `MetaLearner` whose parts follow from options of its own, beside the learner's."""

    _fixed: ClassVar[tuple[str, ...]] = _PARTS

    def __init__(self, **options: Any) -> None:
        known = self._parameter_names()
        for name in options:
            if name not in known:
                raise InvalidTypeError(
                    f"{type(self).__name__}: no option {name!r}; there are {known}"
                )
        super().__init__(**options)
        for name in self._fixed:
            delattr(self, name)

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        own = [
            p
            for p in inspect.signature(cls.__init__).parameters.values()
            if p.kind is p.KEYWORD_ONLY
        ]
        learners = inspect.signature(MetaLearner).parameters.values()
        shared = [p for p in learners if p.name not in (*cls._fixed, *(q.name for q in own))]
        cls.__signature__ = inspect.Signature(own + shared)  # type: ignore[attr-defined]

    @classmethod
    def _parameter_names(cls) -> list[str]:
        return list(inspect.signature(cls).parameters)


class MeLU(Preset):
    r"""Meta-learned user preference estimator: MAML on the decision layers, embeddings shared.

    Embeddings of all item and user fields enter a ReLU network; a user's support ratings adapt the
    network's weights, :math:`\theta' = \theta - \alpha \nabla L(\theta; S)`, `inner_steps` times,
    while the embeddings stay as all users share them. The meta-gradient is exact (`order` = 2),
    through all inner steps.

    Parameters
    ----------
    embedding_dim, hidden
        Of the network. Published: 32 and (64, 64); 16 does better on users and items held out of
        training.
    dropout
        Of the network's hidden units while training. On the validation scenarios of
        ``mr.split.melu`` on MovieLens-1M, .4 lowers the RMSE of the best epoch by .006, a mean over
        three seeds, and that epoch comes two to four later.
    inner_lr, inner_steps, order
        Of the inner loop, as in `MAML`. Published: a step size of 5e-6, which adapts nothing.
    lr
        Of the outer Adam.
    **options
        episodes, epochs, patience, batch_size, ... as in `MetaLearner`.

    References
    ----------
    Lee, Im, Jang, Cho and Chung, "MeLU: Meta-Learned User Preference Estimator for Cold-Start
    Recommendation", KDD 2019.

    Examples
    --------
    >>> import metarec as mr
    >>> splits = mr.split.cold_start(mr.datasets.synthetic(users=300, items=150, seed=0), seed=0)
    >>> model = mr.MeLU(epochs=3, seed=0).fit(splits.train, validation=splits.validation)
    >>> model.adapt(items=[3, 14], ratings=[5, 2], user={"age": 1}).recommend(k=3).items.shape
    (3,)
    """

    def __init__(
        self,
        *,
        embedding_dim: int = 16,
        hidden: tuple[int, ...] = (64, 64),
        dropout: float = 0.0,
        inner_lr: float = 0.03,
        inner_steps: int = 5,
        order: int = 2,
        lr: float = 5e-4,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.embedding_dim, self.hidden, self.lr = embedding_dim, hidden, lr
        self.dropout = dropout
        self.inner_lr, self.inner_steps, self.order = inner_lr, inner_steps, order

    def _components(self) -> dict[str, Component]:
        inner = {"inner_lr": self.inner_lr, "inner_steps": self.inner_steps, "order": self.order}
        return {
            "backbone": COMPONENTS["FeatureMLP"](
                embedding_dim=self.embedding_dim, hidden=self.hidden, dropout=self.dropout
            ),
            "algorithm": COMPONENTS["MAML"](adapt="decision", **inner),
            "loss": COMPONENTS["SquaredError"](),
            "optimizer": COMPONENTS["Adam"](lr=self.lr),
        }


class FineTune(Preset):
    r"""Plain transfer learning: one network for all users, then fine-tuned on the new user.

    Training minimises the mean loss of all rows with no inner loop and no meta-gradient. At
    prediction :math:`\theta \leftarrow \theta - \alpha \nabla L(\theta; S)`, `inner_steps` times,
    on the decision layers or the head. What every meta-learner must be compared with.

    Parameters
    ----------
    embedding_dim, hidden, dropout
        Of the network, as in `FeatureMLP`.
    inner_lr, inner_steps
        Of the fine-tuning.
    adapts : "head", "decision" or "all"
        What is fine-tuned.
    lr
        Of the outer Adam.
    **options
        episodes, epochs, patience, batch_size, ... as in `MetaLearner`.

    Examples
    --------
    >>> import metarec as mr
    >>> data = mr.datasets.synthetic(users=300, items=150, seed=0)
    >>> mr.FineTune(epochs=2, seed=0).fit(data).adapt(items=[3], ratings=[5])
    AdaptedUser(FineTune, 1 ratings)
    """

    def __init__(
        self,
        *,
        embedding_dim: int = 16,
        hidden: tuple[int, ...] = (64, 64),
        dropout: float = 0.0,
        inner_lr: float = 0.02,
        inner_steps: int = 5,
        adapts: str = "decision",
        lr: float = 5e-4,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.embedding_dim, self.hidden, self.lr = embedding_dim, hidden, lr
        self.dropout = dropout
        self.inner_lr, self.inner_steps, self.adapts = inner_lr, inner_steps, adapts

    def _components(self) -> dict[str, Component]:
        return {
            "backbone": COMPONENTS["FeatureMLP"](
                embedding_dim=self.embedding_dim, hidden=self.hidden, dropout=self.dropout
            ),
            "algorithm": COMPONENTS["JointTraining"](
                inner_lr=self.inner_lr, inner_steps=self.inner_steps, adapt=self.adapts
            ),
            "loss": COMPONENTS["SquaredError"](),
            "optimizer": COMPONENTS["Adam"](lr=self.lr),
        }
