"""The program `dsnet`: use a trained model.

    dsnet predict FILE...        what emotion is in recordings
    dsnet enrol NAME FILE...     what a speaker sounds like, for predict --speaker NAME
    dsnet export OUT.onnx        a model for onnxruntime alone
    dsnet models                 the models of the package

`dsnet COMMAND --help` says more. Models are trained by recipes: see egs/README.md.
"""

import difflib
import importlib
import os
import sys
from contextlib import suppress
from importlib.metadata import version

COMMANDS = {
    "predict": "dsnet.bin.predict",
    "enrol": "dsnet.bin.enrol",
    "export": "dsnet.bin.export_onnx",
    "models": "dsnet.bin.models",
}
USAGE = 2
INTERRUPTED = 130
CLOSED_PIPE = 141


def main() -> int:
    """Run the command that is typed; return the exit status."""
    words = sys.argv[1:]
    if not words or words[0] in ("-h", "--help", "help"):
        print(__doc__.strip())
        return 0 if words else USAGE
    if words[0] == "--version":
        print(f"dsnet {version('dsnet')}")
        return 0
    if words[0] not in COMMANDS:
        close = difflib.get_close_matches(words[0], COMMANDS, n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"there are: {', '.join(COMMANDS)}"
        print(f"dsnet: no command '{words[0]}'; {hint}", file=sys.stderr)
        return USAGE
    from dsnet.errors import DsnetError

    name = f"dsnet {words[0]}"
    for stream in (sys.stdout, sys.stderr):  # a file name may hold any bytes
        stream.reconfigure(encoding="utf-8", errors="surrogateescape")
    try:
        command = importlib.import_module(COMMANDS[words[0]])
        return command.main(name, words[1:])
    except DsnetError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # whoever reads has enough, such as head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED_PIPE
    except OSError as error:  # a file that the user named, or its folder
        print(f"{name}: {error.filename or 'a file'}: {error.strerror or error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        return INTERRUPTED


def script() -> None:
    """Run as the console script does; all files are closed by now.

    The end is short: to take torch down in good order costs a third of a second and 120 MiB.
    """
    status = main()
    with suppress(BrokenPipeError):
        sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    script()
