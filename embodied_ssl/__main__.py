"""`python -m embodied_ssl` is `embodied-ssl`."""

import sys

from embodied_ssl.cli import main

sys.exit(main())
