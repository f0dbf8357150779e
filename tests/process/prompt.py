"""A server that purges uploads as soon as it is started, in place of `entrepot serve`.

    python prompt.py python -m entrepot serve CONFIG

Of the command only the last word counts.
"""

import sys

from entrepot.config.load import load
from entrepot.server.patience import Patience
from entrepot.server.run import serve

if __name__ == "__main__":
    serve(load(sys.argv[-1], {}).configuration, 1, lambda _: None, Patience(purging=0.0))
