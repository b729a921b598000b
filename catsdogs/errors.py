"""What can go wrong in a way that a user can mend.

    CatsdogsError              exit 1
    ├── ConfigError            exit 2   the request itself is wrong: a key, a value, a flag
    │   └── DisagreementError           processes were given different requests
    ├── DataError                       a folder or a photo that cannot be used
    │   └── TooLargeError               a file beyond what anything of its kind needs
    ├── WeightsError                    no usable ImageNet weights
    ├── DivergedError                   a training, or a network, gave numbers that are none
    ├── OutOfMemoryError                the device's memory is too small for what was asked
    ├── ProcessError                    the other processes of a training are gone
    ├── ModelFileError                  an .h5 that is missing, damaged or not one of ours
    │   └── OtherLayersError            a network with layers that only Keras has
    ├── ExportError                     an exported file cannot be made, or answers otherwise
    ├── StoreError                      features cannot be kept; a training goes on without
    └── StateError                      a checkpoint does not fit the network

Raised anywhere, translated once, in `catsdogs/cli/group.py`, into one line on stderr: what
happened, what was expected, what to do next. Any other exception is a bug and keeps its
traceback.

No message names a flag: an error carries the `key` whose value is the way out, and the command
line, which knows its flags, ends the line with ` by --output FILE` or ` by --set run.dir=…`.
So where there is a key, the message ends in what to do: `choose another place`.
"""


class CatsdogsError(Exception):
    """Base of all errors whose message is written for the user.

    Attributes:
        key: what to set to get out of it: a key of the configuration, such as `data.dir`, or
            an argument of the command, such as `model`; None where neither helps.
        sequel: a sentence that comes after the way out; empty for none.
        exit_code: exit status of the command line: 1, and 2 for a `ConfigError`.
    """

    exit_code: int = 1

    def __init__(self, message: object = "", key: str | None = None) -> None:
        super().__init__(message)
        self.key: str | None = key
        self.sequel: str = ""

    @property
    def message(self) -> str:
        """What happened and what to do, without the sequel."""
        return super().__str__()

    def __str__(self) -> str:
        return f"{self.message}. {self.sequel}" if self.sequel else self.message


class ConfigError(CatsdogsError):
    """The request is wrong: unknown key, bad value, flags that contradict each other."""

    exit_code = 2


class DataError(CatsdogsError):
    """A folder or a photo cannot be used."""


class WeightsError(CatsdogsError):
    """The ImageNet weights are missing or are not what they should be."""


class ModelFileError(CatsdogsError):
    """A model file is missing, damaged, or not written by catsdogs."""


class DivergedError(CatsdogsError):
    """A training gives numbers that are NaN or infinite: nothing of it is worth keeping."""


class OutOfMemoryError(CatsdogsError):
    """What was asked for does not fit into the memory of the device that computes."""


class ProcessError(CatsdogsError):
    """The other processes of a training cannot be reached."""


class ExportError(CatsdogsError):
    """A model cannot be written in a format, or what was written answers otherwise."""
