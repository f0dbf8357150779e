"""A server that waits for nobody long, started in place of `entrepot serve`.

    python impatient.py HEADERS BODY READER SETTLING WORKERS python -m entrepot serve CONFIG

The first four are seconds, in the order of the fields of `Patience`; of the command only the last word counts.
"""

import sys

from entrepot.config.load import load
from entrepot.server.patience import Patience
from entrepot.server.run import serve

if __name__ == "__main__":
    serve(load(sys.argv[-1], {}).configuration, int(sys.argv[5]), lambda _: None, Patience(*map(float, sys.argv[1:5])))
