"""`vietmer` with so many MiB of address space beside what its libraries take: `limited_memory.py MIB ARGUMENT…`."""

import resource
import sys

import psutil
import soundfile  # noqa: F401  # libraries take their share before the limit is set
import vietmer_audio_fourier2vec.encoder
import vietmer_audio_fourier2vec.frontend  # noqa: F401  # as above

import vietmer_core.training.runs  # noqa: F401  # as above
from vietmer_core.cli.main import app

limit = psutil.Process().memory_info().vms + int(sys.argv[1]) * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
del sys.argv[1]
app()
