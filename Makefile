# Everything a new machine needs is python3, python3-venv, make and git: `.venv` is made from the lock.
.PHONY: help demo run check check-full bench lint types imports test migrations lock clean
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Installations of tests lie in memory where there is enough of it: no test cuts the power, so no disk is waited for.
ROOMY := $(shell df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 > 4000000 {print "yes"}')
MEMORY := $(if $(ROOMY),TMPDIR=/dev/shm)
# Three for two cores, one test at a time: many campaigns wait for a disk or for a lease to run out.
# Hundreds of processes begin in the tests; each would compile every file anew where Python may not keep what it compiled.
export PYTHONDONTWRITEBYTECODE :=
PYTEST := $(MEMORY) $(BIN)/pytest -q -n 3 --maxschedchunk 1

help:            ## list the targets
	@grep -E '^[a-z-]+: .*##' Makefile | sed 's/:.*##/ —/'

$(READY): requirements.lock pyproject.toml
	@test -x $(BIN)/python || python3 -m venv $(VENV)
	@echo "Installing the pinned packages into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --no-deps --no-build-isolation -e .
	@touch $(READY)

demo: $(READY)   ## the main job, end to end, on a made-up CRM
	@$(BIN)/governance demo

run: $(READY)    ## serve on 127.0.0.1:8080 with the data in ./var
	@$(BIN)/governance init
	@$(BIN)/governance serve

check: lint types imports test   ## everything that must be green before a commit

lint: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(READY)
	@$(BIN)/mypy

imports: $(READY)
	@$(BIN)/lint-imports

test: $(READY)
	@$(PYTEST) -m "not full"

check-full: lint types imports   ## the long campaigns as well
	@$(PYTEST)

bench: $(READY)  ## repeatable measurements, printed with the machine's facts
	@$(BIN)/python -m bench

lock: $(READY)   ## resolve the pins again (needs uv on the path)
	@uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 \
	  --generate-hashes --no-header --no-annotate -o requirements.lock

clean:           ## remove the environment and the data of `make run`
	@rm -rf $(VENV) var
