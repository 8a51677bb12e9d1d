"""The application for a WSGI server: `gunicorn api.wsgi:app`. One runtime per worker process.

Imported in the worker, after the fork (never preload it): connections and keys are not shared by processes.
"""

import gc
import os

from api import create_app
from governance.bootstrap import assemble
from governance.settings import Settings

app = create_app(assemble(Settings.from_environ(os.environ)))
# What was loaded lives as long as the process: the collector need not walk through it again and again.
gc.collect()
gc.freeze()
# Goes on with imports and screenings that an earlier process left behind.
app.extensions["governance-background"].kick()
