"""What users get wrong on the command line, and words that the one line must hold.

Each row is a command, in a folder that :func:`tests.mistakes.place.furnish` makes. ``NET`` is a
published network.
"""

from __future__ import annotations

from typing import NamedTuple

NET = "attention_unet_ds_256k"


class Mistake(NamedTuple):
    """A command that cannot be done, and words of the line that says why."""

    command: str
    words: tuple[str, ...]


def _rows(text: str) -> list[Mistake]:
    """Read ``command -> word | word`` lines."""
    rows = []
    for line in text.strip().splitlines():
        command, _, words = line.partition(" -> ")
        told = tuple(word.strip() for word in words.split(" | "))
        rows.append(Mistake(command.strip().replace("NET", NET), told))
    return rows


# No image and no network is needed to say so: TensorFlow is not even imported.
QUICK = _rows("""
frobnicate -> No such command | frobnicate
train -> Missing argument | tinyseg train --help
train unet lw_unet -> unexpected extra argument
train nonet -> nonet | attention_unet
train unett -> did you mean 'unet'?
train unet --data nowhere -> nowhere | folder
train unet --data busy -> busy | did you mean 'busi'?
train unet --data phantom:count=x -> count=
train unet --data phantom:cuont=3 --dry-run -> cuont
train unet --labels lesion=1 -> --labels | --data
train unet --epochs many -> many
train unet --epochs 0 -> --epochs | 0
train unet --size 3 -> --size | 3
train unet --seed -1 -> --seed
train unet --set training.epochs -> KEY=VALUE
train unet --set training.epochs=[1 -> YAML
train unet --set training.epochs=many -> epochs
train unet --set training.epoch=2 -> epoch | did you mean 'epochs'?
train unet --set trainning.epochs=2 -> trainning | did you mean 'training'?
train unet --set training.batch_size=0 -> training.batch_size is 0, it takes 1 or more
train unet --set training.epochs=-1 -> training.epochs is -1
train unet --set training.learning_rate=-1 -> training.learning_rate is -1, it takes more than 0
train unet --set preprocessing.threshold=7 -> preprocessing.threshold is 7, it takes 0 to 1
train unet --plan no.yaml -> no.yaml | cannot be read
train unet --plan list.yaml -> list.yaml | mapping
train unet --plan broken.yaml -> broken.yaml | not valid YAML
train unet --plan typo.yaml -> typo.yaml | did you mean 'epochs'?
train unet --plan empty -> empty | cannot be read
distill nonet lw_unet -> nonet
distill unet lw_unet -> unet | tinyseg train unet
distill NET lw_unet --method osmosis -> osmosis
binarize nonet -> nonet
zoo nonet -> nonet
evaluate missing.tflite -> missing.tflite | no such file
evaluate bad.tflite -> bad.tflite
evaluate cut.tflite -> cut.tflite
evaluate text.tflite -> text.tflite
evaluate NET --part tests -> tests
evaluate NET --backend tfl -> tfl
predict NET -> Missing argument
predict NET nowhere.png -> nowhere.png | no such file
predict NET empty -> empty
predict NET scan.png --threshold 2 -> --threshold
predict NET scan.png --scale big -> big | not a number
predict NET scan.png --head sigmoyd -> sigmoyd
predict marked/net.tflite scan.png -> marked/net.tflite | did not pass 'tinyseg quantize'
demo NET --port 99999 -> --port
quantize unet -> unet | tinyseg train unet
quantize no.keras -> no.keras | no such file
quantize NET --recipe int4 -> int4 | static_wi8_ai8
quantize NET --weights-bits 9 -> --weights-bits
quantize NET --weights no.h5 -> no.h5 | no such file
quantize NET --data busy -> did you mean 'busi'?
quantize NET --target binary -> binary
verify missing.tflite -> missing.tflite | no such file
verify bad.tflite -> bad.tflite
verify NET --on moon -> moon | nucleo_h743zi
verify NET --on mps2_an50 -> did you mean 'mps2_an505'?
verify NET --max-drop lots -> lots
verify NET --images 0 -> --images
profile missing.tflite -> missing.tflite | cannot be read
memory missing.tflite -> missing.tflite | cannot be read
memory NET --board nucleo_h743z -> did you mean 'nucleo_h743zi'?
memory NET --front -> --engine tinyseg
memory NET --engine tinyseg --passes -> --front
memory NET --measure --target cortex_m -> --board
lower NET --without nothing -> nothing | transposed_convolutions
lower NET --engine tinyseg --patches -> --max-work
lower bad.tflite -o out.tflite -> bad.tflite
lower marked/net.tflite -o out.tflite -> did not pass
fit NET -> --board | --ram | --flash
fit NET --ram 256K -> --board | --ram | --flash
fit NET --ram lots --flash 1M -> 'lots' is no size | 512K
fit NET --board nucleo_h743z -> did you mean 'nucleo_h743zi'?
export-c NET --max-work 1.5 -> --engine tinyseg
export-c NET --arena 0 -> --arena
firmware NET -> --board
firmware NET --board moon -> moon
firmware marked/net.tflite --board mps2_an500 -> did not pass
emulate NET --board moon -> moon
emulate NET --board mps2_an500 --images 0 -> --images
flash NET --board mps2_an500 -> emulated only | tinyseg emulate
flash NET --board nucleo_h743zi --tool commander -> commander | st-flash
boards --bord x -> --bord
data check nowhere -> nowhere
data get bussi -o sets -> bussi | did you mean 'busi'?
data get brats_nifti -o sets -> registered users | https:// | sets/brats2015_nifti
""")
# Here the network has to be built, or images are looked at.
SLOWER = _rows("""
train unet --data empty -> empty
train unet --set model.arguments.base_widt=8 -> did you mean 'base_width'?
train unet --set model.arguments.nothing=8 -> base_width
train unet --data phantom:count=2,size=32 --size 32 -> split
train attention_unet --size 100 -> 112x112
train unet --data masks_without_images -> masks_without_images
report nonet -> nonet
publish NET --run nowhere -> nowhere | no finished training run
publish NET --run marked --set training.epochs=3 -> marked
predict NET one/scan.png two/scan.png -> same name
evaluate text.h5 -> text.h5
evaluate NET --labels lesion=1 --data nowhere -> nowhere
predict NET broken.png -> broken.png
predict NET scan.png -o scan.png -> scan.png
quantize text.keras -> text.keras
train unet --data phantom:count=12,size=32 --size 32 --split bad.json -> bad.json
train unet --data phantom:count=12,size=32 --size 32 --weights text.h5 -> text.h5
""")
