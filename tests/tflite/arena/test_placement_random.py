"""Random small graphs: every placement keeps the bytes, and only what may share memory does."""

from hypothesis import event, given, settings
from hypothesis import strategies as st

from tests.tflite.drafts import File, conv
from tests.tflite.placed import (
    assert_same_bytes,
    assert_sound,
    image,
    pair,
    pool,
    relu,
    sigmoid,
)
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.arena.memory import predict_arena
from tinyseg.tflite.arena.placement import least_arena, place
from tinyseg.tflite.graph import Graph


@st.composite
def networks(draw):
    """Files of branches, tensors read again later, gates of one channel, several outputs."""
    file = File()
    if draw(st.booleans()):
        image(file)
    inputs = [image(file, draw(st.sampled_from([1, 8]))) for _ in range(draw(st.integers(1, 2)))]
    made = list(inputs)
    kinds = ["conv", "gate", "window", "relu", "relu6", "sigmoid", "pool", "add", "mul", "mul"]
    for kind in draw(st.lists(st.sampled_from(kinds), min_size=2, max_size=9)):
        # Mostly the newest, for then an operator may write over what it reads.
        newest = st.sampled_from(made[-2:]) | st.sampled_from(made)
        one, other = draw(newest), draw(newest)
        match kind:
            case "conv" | "gate":
                end = conv(file, one, 8 if kind == "conv" else 1, seed=len(made))
            case "window":
                end = conv(file, one, 8, (3, 3), seed=len(made))
            case "relu" | "relu6":
                end = relu(file, one, kind.upper())
            case "sigmoid":
                end = sigmoid(file, one)
            case "pool":
                end = pool(file, one)
            case _:
                end = pair(file, kind.upper(), one, other)
        made.append(end)
    computed = made[len(inputs) :]
    more = draw(st.lists(st.sampled_from(computed), max_size=2))
    outputs = list(dict.fromkeys([computed[-1], *more]))
    return file.content(inputs, draw(st.permutations(outputs)))


@settings(max_examples=80)
@given(networks())
def test_places_keep_the_bytes(content):
    placed = place(content)
    model = TfliteModel.parse(content)
    event("placed" if placed != content else "as it was")
    if placed == content:
        return
    after = TfliteModel.parse(placed)
    assert_sound(placed)
    # Some of these graphs saturate: they make a single value.
    assert_same_bytes(content, placed, images=1, varied=False)
    assert predict_arena(after).head < predict_arena(model).head
    # Places go with a file's unused tensors, which take bytes too.
    assert least_arena(TfliteModel.parse(Graph(content).to_bytes())) <= predict_arena(after).needed
