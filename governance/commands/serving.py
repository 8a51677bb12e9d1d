"""`governance serve` and `governance jobs`: hand over to the server and to the scheduler."""

import os
import sys

import click


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8080, show_default=True, type=click.IntRange(1, 65535))
@click.option("--workers", default=2, show_default=True, type=click.IntRange(1, 64), help="Processes.")
@click.option("--threads", default=4, show_default=True, type=click.IntRange(1, 64), help="Threads in each.")
def serve(host: str, port: int, workers: int, threads: int) -> None:
    """Serve the HTTP API with several processes (gunicorn)."""
    # Loaded only here: `jobs` gives way to a process that loads all of it itself.
    from governance.commands.console import opened
    from governance.erasure import replay

    # Say in one sentence, before any worker starts, what is missing.
    with opened() as runtime:
        replay.check_whole(runtime, runtime.tenant_ids())
    arguments = [
        sys.executable,
        "-m",
        "gunicorn",
        "api.wsgi:app",
        "--config",
        "python:api.server",
        "--bind",
        f"{host}:{port}",
        "--workers",
        str(workers),
        "--threads",
        str(threads),
    ]
    sys.stdout.flush()
    os.execv(sys.executable, arguments)


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def jobs(arguments: tuple[str, ...]) -> None:
    """Run the scheduled jobs; `jobs run NAME` runs one now, `jobs list` names them."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "retention_jobs", *arguments])
