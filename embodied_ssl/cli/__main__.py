"""`python -m embodied_ssl.cli` is `embodied-ssl`."""

import sys

from embodied_ssl.cli.main import main

sys.exit(main())
