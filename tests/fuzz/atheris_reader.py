"""Coverage-guided fuzzing of the reader of model files, with atheris (Python 3.11 to 3.13):

    python tests/fuzz/atheris_reader.py CORPUS -max_total_time=480

The folder CORPUS gets small files of each kind where it is empty. An input is tried as a whole
file, as the JSON behind a checksum that is right, and as a change of such a file's JSON.
"""

import sys
import warnings
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

with atheris.instrument_imports(include=["cnn_core.files", "cnn_core.model_checks"]):
    from cnn_core.files import codecs, container, schema, strict_json, values  # noqa: F401
    from cnn_core.files.estimators import unpacked

from file_edits import Parts, put_together, taken_apart

import cnn_core
from cnn_core import ModelFormatError

FOLDER = Path(__file__).resolve().parents[1] / "data" / "models"


def base():
    """The files of the corpus."""
    return [path.read_bytes() for path in sorted(FOLDER.rglob("*.safetensors"))]


MODELS = [one for one in map(taken_apart, base()) if not one.content["class"].startswith("sklearn")]


def try_bytes(data):
    """Read a file; it is a model or a ModelFormatError."""
    try:
        unpacked(data, object, False)
    except (ModelFormatError, ImportError):  # without scikit-learn there are none of its models
        return


def test_one(data):
    """Called by atheris."""
    if not data:
        return
    kind, data = data[0] % 3, data[1:]
    if kind == 0:
        try_bytes(data)
        return
    provider = atheris.FuzzedDataProvider(data)
    parts = MODELS[provider.ConsumeIntInRange(0, len(MODELS) - 1)]
    if kind == 1:  # the whole JSON
        text = "{" + provider.ConsumeUnicodeNoSurrogates(1 << 16)
        try_bytes(put_together(Parts(text, parts.tensors)))
        return
    content = dict(parts.content, model=dict(parts.content["model"]))
    at = content if provider.ConsumeBool() else content["model"]
    key = provider.PickValueInList(sorted(at))
    try:
        at[key] = strict_json.parse(provider.ConsumeBytes(1 << 16), "it")
    except ModelFormatError:
        return
    try_bytes(put_together(Parts(content, parts.tensors)))


def main():
    warnings.simplefilter("ignore")
    corpus = next((Path(one) for one in sys.argv[1:] if not one.startswith("-")), None)
    if corpus is not None:
        corpus.mkdir(exist_ok=True)
        if not any(corpus.iterdir()):
            for i, data in enumerate(base()):
                (corpus / f"file-{i}").write_bytes(b"\0" + data)
                length = int.from_bytes(data[:8], "little")
                (corpus / f"json-{i}").write_bytes(b"\1\0" + data[8 : 8 + length])
    atheris.Setup(sys.argv, test_one)
    atheris.Fuzz()


if __name__ == "__main__":
    print(f"cnn_core {cnn_core.__version__}, {len(MODELS)} models")
    main()
