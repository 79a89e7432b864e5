import math
from collections.abc import Callable, Sequence
from decimal import Decimal, localcontext
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from vietmer_core.builtin import FocalParams, LabelSmoothingParams, build_focal, build_label_smoothing
from vietmer_core.nn.losses import CrossEntropyLoss, FocalLoss, LabelSmoothingLoss

DIGITS = 950  # 1 - p keeps 50 of them at logits 2000 apart
GAMMA, EPSILON = 1.5, 0.05

Loss = CrossEntropyLoss | FocalLoss | LabelSmoothingLoss
Make = Callable[..., Loss]

LOSSES: dict[str, Make] = {
    "cross_entropy": CrossEntropyLoss,
    "focal": lambda weights=None: FocalLoss(gamma=GAMMA, weights=weights),
    "label_smoothing": lambda weights=None: LabelSmoothingLoss(epsilon=EPSILON, weights=weights),
}
every_loss = pytest.mark.parametrize("kind", LOSSES)


def of_each_class(kind: str, logits: Sequence[float]) -> list[Decimal]:
    """What an utterance loses under each label, from the formulas as they are written, in exact arithmetic."""
    with localcontext() as context:
        context.prec = DIGITS
        exponentials = [Decimal(logit).exp() for logit in logits]
        p = [each / sum(exponentials) for each in exponentials]
        rest = [1 - each for each in p]
    p, rest = [+each for each in p], [+each for each in rest]  # rounded to the digits of the context around
    nll = [-each.ln() for each in p]
    if kind == "focal":
        return [rest[c] ** Decimal(GAMMA) * nll[c] for c in range(len(p))]
    if kind == "label_smoothing":
        spread = Decimal(EPSILON) / (len(p) - 1)
        return [(1 - Decimal(EPSILON)) * nll[c] + spread * (sum(nll) - nll[c]) for c in range(len(p))]
    return nll


@st.composite
def batches(draw: st.DrawFn, *, largest: float = 1e3) -> tuple[Tensor, Tensor, Tensor, list[float]]:
    """Logits, classes, soft labels and weights of a few utterances."""
    classes, size = draw(st.integers(2, 5)), draw(st.integers(1, 3))
    near, far = st.floats(-5, 5), st.sampled_from([largest, -largest, 0.0])
    logits = draw(st.lists(st.lists(near | far, min_size=classes, max_size=classes), min_size=size, max_size=size))
    labels = draw(st.lists(st.integers(0, classes - 1), min_size=size, max_size=size))
    seed = draw(st.integers(0, 99))
    raters = torch.rand(size, classes, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    weights = draw(st.lists(st.floats(0.1, 10), min_size=classes, max_size=classes))
    soft = raters / raters.sum(dim=1, keepdim=True)
    return torch.tensor(logits, dtype=torch.float64), torch.tensor(labels), soft, weights


Drawn = tuple[Tensor, Tensor, Tensor, list[float]]


@every_loss
@given(drawn=batches(), weighted=st.booleans())
def test_values_are_those_of_the_formula(kind: str, drawn: Drawn, weighted: bool) -> None:
    logits, labels, soft, weights = drawn
    loss = LOSSES[kind](weights=weights if weighted else None)
    w = [Decimal(weight) if weighted else Decimal(1) for weight in weights]
    with localcontext() as context:
        context.prec = 40
        per_class = [of_each_class(kind, row) for row in logits.tolist()]
        hard = [float(w[y] * row[y]) for row, y in zip(per_class, labels.tolist(), strict=True)]
        mixed = [
            float(sum((Decimal(p) * each * one for p, each, one in zip(given_, w, row, strict=True)), Decimal(0)))
            for given_, row in zip(soft.tolist(), per_class, strict=True)
        ]
    assert loss(logits, labels).tolist() == pytest.approx(hard, rel=1e-12, abs=1e-12)
    assert loss(logits, soft).tolist() == pytest.approx(mixed, rel=1e-12, abs=1e-12)


@every_loss
@given(drawn=batches())
def test_a_hard_label_is_a_one_hot_soft_label(kind: str, drawn: Drawn) -> None:
    logits, labels, _, weights = drawn
    loss = LOSSES[kind](weights=weights)
    found: dict[str, tuple[Tensor, Tensor]] = {}
    for name, given_ in (("hard", labels), ("soft", functional.one_hot(labels, logits.shape[1]).double())):
        leaf = logits.clone().requires_grad_()
        losses = loss(leaf, given_)
        torch.autograd.backward(losses.sum())
        assert leaf.grad is not None
        found[name] = (losses.detach(), leaf.grad)
    for hard, soft in zip(*found.values(), strict=True):
        torch.testing.assert_close(hard, soft, rtol=1e-12, atol=1e-12)


@given(drawn=batches(), epsilon=st.floats(0, 0.49))
def test_torch_gives_the_same_where_it_defines_the_same(drawn: Drawn, epsilon: float) -> None:
    logits, labels, soft, weights = drawn
    weight = torch.tensor(weights, dtype=torch.float64)
    for given_ in (labels, soft):
        expected = functional.cross_entropy(logits, given_, weight=weight, reduction="none")
        torch.testing.assert_close(CrossEntropyLoss(weights=weights)(logits, given_), expected, rtol=1e-12, atol=1e-12)
        classes = logits.shape[1]
        torchs = epsilon * classes / (classes - 1)
        smoothed = functional.cross_entropy(logits, given_, label_smoothing=torchs, reduction="none")
        found = LabelSmoothingLoss(epsilon=epsilon)(logits, given_)
        torch.testing.assert_close(found, smoothed, rtol=1e-11, atol=1e-11)


def test_cross_entropy_has_the_bits_of_torch() -> None:
    generator = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(64, 5, generator=generator), torch.randint(0, 5, (64,), generator=generator)
    found = [logits.clone().requires_grad_() for _ in range(2)]
    ours, torchs = CrossEntropyLoss()(found[0], labels), functional.cross_entropy(found[1], labels, reduction="none")
    assert torch.equal(ours, torchs)
    torch.autograd.backward([ours.sum(), torchs.sum()])
    assert found[0].grad is not None
    assert found[1].grad is not None
    assert torch.equal(found[0].grad, found[1].grad)


@given(drawn=batches())
def test_focal_without_gamma_and_smoothing_without_epsilon_are_the_cross_entropy(drawn: Drawn) -> None:
    logits, labels, soft, weights = drawn
    for given_ in (labels, soft):
        expected = CrossEntropyLoss(weights=weights)(logits, given_)
        assert torch.equal(FocalLoss(gamma=0.0, weights=weights)(logits, given_), expected)
        assert torch.equal(LabelSmoothingLoss(epsilon=0.0, weights=weights)(logits, given_), expected)


def plainly(kind: str, logits: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """The formulas in torch, good for small logits."""
    p = logits.exp() / logits.exp().sum(dim=1, keepdim=True)
    nll = -p.log()
    losses = {
        "cross_entropy": nll,
        "focal": (1 - p) ** GAMMA * nll,
        "label_smoothing": torch.stack(
            [
                (1 - EPSILON) * nll[:, c] + sum(EPSILON / (p.shape[1] - 1) * nll[:, k] for k in others(c, p.shape[1]))
                for c in range(p.shape[1])
            ],
            dim=1,
        ),
    }[kind]
    return (target * weights * losses).sum(dim=1)


def others(c: int, classes: int) -> list[int]:
    return [k for k in range(classes) if k != c]


@every_loss
@given(drawn=batches(largest=2.0))
def test_gradients_are_those_of_the_formula(kind: str, drawn: Drawn) -> None:
    logits, _, soft, weights = drawn
    ours, plain = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    torch.autograd.backward(LOSSES[kind](weights=weights)(ours, soft).sum())
    torch.autograd.backward(plainly(kind, plain, soft, torch.tensor(weights, dtype=torch.float64)).sum())
    assert ours.grad is not None
    assert plain.grad is not None
    torch.testing.assert_close(ours.grad, plain.grad, rtol=1e-9, atol=1e-10)


@every_loss
def test_gradients_are_those_of_finite_differences(kind: str) -> None:
    logits = torch.randn(3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(3)).requires_grad_()
    loss = LOSSES[kind](weights=[0.5, 1.0, 2.0, 0.7])
    assert torch.autograd.gradcheck(lambda given_: loss(given_, torch.tensor([0, 2, 3])), (logits,))


def formula_of_probabilities(logits: Tensor, label: int, gamma: float) -> Tensor:
    """Focal loss as it is often written, which gives NaN at p = 1."""
    p = logits.softmax(dim=-1)[label]
    return (1 - p) ** gamma * -p.log()


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 1.5, 5.0])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("away", [0.0, 20.0, 50.0, 1e3])
def test_the_gradient_of_focal_is_finite_at_both_ends(gamma: float, dtype: torch.dtype, away: float) -> None:
    logits = torch.tensor([[away, -away, 0.0], [away, -away, 0.0]], dtype=dtype).requires_grad_()
    losses = FocalLoss(gamma=gamma)(logits, torch.tensor([0, 1]))  # p near 1, p near 0
    torch.autograd.backward(losses.sum())
    assert logits.grad is not None
    assert losses.isfinite().all()
    assert logits.grad.isfinite().all()
    torch.testing.assert_close(logits.grad.sum(dim=1), torch.zeros(2, dtype=dtype), rtol=0, atol=1e-5)
    if away == 1e3:
        assert float(losses.detach()[1]) == 2e3
        assert logits.grad[1].tolist() == [1.0, -1.0, 0.0]  # far off, focal is the cross-entropy


def test_focal_of_probabilities_is_what_goes_wrong() -> None:
    logits = torch.tensor([1e3, -1e3, 0.0], dtype=torch.float64).requires_grad_()
    torch.autograd.backward(formula_of_probabilities(logits, 0, 0.5))
    assert logits.grad is not None
    assert logits.grad.isnan().any()


@every_loss
def test_the_loss_of_an_utterance_does_not_depend_on_its_neighbours(kind: str) -> None:
    logits, labels = torch.randn(4, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2, 0])
    loss = LOSSES[kind](weights=[0.2, 1.0, 5.0])
    together = loss(logits, labels)
    for row in range(4):
        assert torch.equal(together[row : row + 1], loss(logits[row : row + 1], labels[row : row + 1]))


@every_loss
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_narrow_logits_are_widened(kind: str, dtype: torch.dtype) -> None:
    logits = torch.tensor([[300.0, -300.0, 0.5]], dtype=dtype)
    losses = LOSSES[kind](weights=[1.0, 2.0, 3.0])(logits, torch.tensor([1]))
    assert losses.dtype == torch.float32
    assert torch.equal(losses, LOSSES[kind](weights=[1.0, 2.0, 3.0])(logits.float(), torch.tensor([1])))


@every_loss
def test_soft_labels_may_be_narrower_than_the_logits(kind: str) -> None:
    logits = torch.tensor([[0.3, -1.0, 2.0], [1.5, 0.1, 0.0]], dtype=torch.float64)
    soft = torch.tensor([[0.5, 0.25, 0.25], [1.0, 0.0, 0.0]])
    assert torch.equal(LOSSES[kind]()(logits, soft), LOSSES[kind]()(logits, soft.double()))


@every_loss
@pytest.mark.parametrize(
    "labels",
    [
        torch.tensor([0, 1], dtype=torch.int32),
        torch.tensor([0.0, 1.0]),  # would be spread over the classes of a batch as large as the label space
        torch.tensor([[1, 0], [0, 1]]),
        torch.tensor([[0.5, 0.5]]),
        torch.tensor([0, 1, 0]),
    ],
)
def test_labels_of_another_form_are_refused(kind: str, labels: Tensor) -> None:
    with pytest.raises(
        ValueError, match=r"`labels` must be int64 of shape \(2,\), or floating point of shape \(2, 2\)"
    ):
        LOSSES[kind]()(torch.zeros(2, 2), labels)


def test_the_builders_give_what_the_parameters_say() -> None:
    counts = {"a": 30, "b": 10}
    logits, labels = torch.tensor([[1.0, 2.0], [0.5, -1.0]], dtype=torch.float64), torch.tensor([0, 1])
    focal = build_focal(FocalParams(class_weights="inverse_frequency"), class_counts=counts)
    nll = functional.cross_entropy(logits, labels, reduction="none")
    expected = torch.tensor([2 / 3, 2.0], dtype=torch.float64) * (1 - (-nll).exp()) ** 1.5 * nll
    torch.testing.assert_close(focal(logits, labels), expected, rtol=1e-12, atol=0)
    smooth = build_label_smoothing(LabelSmoothingParams(), class_counts=counts)
    assert isinstance(smooth, LabelSmoothingLoss)
    assert smooth.epsilon == 0.05


@pytest.mark.parametrize(("epsilon", "classes", "limit"), [(0.5, 2, "0.5"), (0.75, 4, "0.75"), (0.9, 3, "0.6667")])
def test_epsilon_must_leave_the_label_more_than_the_others(epsilon: float, classes: int, limit: str) -> None:
    counts: dict[str, Any] = {f"label {number}": 1 for number in range(classes)}
    expected = f"`epsilon` must be below {limit} with {classes} labels, .* but is {epsilon:g} instead"
    with pytest.raises(ValueError, match=expected):
        build_label_smoothing(LabelSmoothingParams(epsilon=epsilon), class_counts=counts)
    allowed = build_label_smoothing(
        LabelSmoothingParams(epsilon=math.nextafter(1 - 1 / classes, 0)), class_counts=counts
    )
    assert isinstance(allowed, LabelSmoothingLoss)
