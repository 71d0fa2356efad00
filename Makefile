# Needs Python 3.11 or newer and make. Everything else is installed into .venv, in the exact versions of requirements.lock.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
READY := .venv/.ready
# Three at once on two cores: a good part of them waits for processes, servers and browsers.
SHARED := -n 3 --dist worksteal

.PHONY: help demo test test-postgresql check bench bench-console detection campaign registry-campaign line-campaign soak snapshots screenshots lock wheel clean

help:  ## what can be done here
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

demo: $(READY)  ## the console on a simulated world; without a terminal the whole path, and what came of it
	@$(BIN)/sundhedsagent demo

test: $(READY)  ## all tests
	$(BIN)/python -m pytest $(SHARED) -m "not campaign"

test-postgresql: $(READY)  ## every test that uses a database on PostgreSQL, the long ones too
	$(BIN)/python -m pytest $(SHARED) -m "not campaign" -k postgresql --everything-on-both

check: $(READY)  ## style, types and import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)  ## the whole job against the floor, the registry, and the production line: one JSON line each
	$(BIN)/python benchmarks/whole_job.py
	$(BIN)/python benchmarks/registry_import.py
	PYTHONPATH=. $(BIN)/python benchmarks/production_line.py

bench-console: $(READY)  ## the console with a million adviser, and the engine beside it: one JSON line each, in twelve minutes
	PYTHONPATH=. $(BIN)/python benchmarks/console_pty.py
	PYTHONPATH=. $(BIN)/python benchmarks/console_beside_engine.py

detection: $(READY)  ## how soon it is seen that nothing flows, over a simulated quarter: one JSON line, in some minutes
	PYTHONPATH=. $(BIN)/python benchmarks/detection.py

campaign: $(READY)  ## the long runs of the tests: invariants, kill -9, a fortnight of deadlines
	$(BIN)/python -m pytest -m campaign --timeout 3600

registry-campaign: $(READY)  ## the long run of administration, traffic, switchovers, crashes and clock jumps alone
	$(BIN)/python -m pytest -m campaign --timeout 3600 tests/flow/test_administration_invariants.py

line-campaign: $(READY)  ## three engines on PostgreSQL and RabbitMQ, 20,000 adviser, everything killed and stopped at random
	$(BIN)/python -m pytest -m campaign --timeout 3600 -s tests/production/test_line.py

soak: $(READY)  ## the console for half an hour on a fast world: does its memory grow?
	PYTHONPATH=. $(BIN)/python benchmarks/console_soak.py

snapshots: $(READY)  ## the console's text snapshots anew; look at what is different
	WRITE_SNAPSHOTS=1 $(BIN)/python -m pytest -q -n 2 tests/console/test_snapshots.py
	$(BIN)/python -m tests.console.test_keys_doc

screenshots: $(READY)  ## the console's pictures anew; look at them
	$(BIN)/python -m screenshots.make

lock: $(READY)  ## renew requirements.lock from pyproject.toml
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --extra dev --generate-hashes --python-version 3.11 --universal \
		--no-header --no-annotate --quiet --upgrade --output-file requirements.lock

wheel: $(READY)  ## the installable package, into dist/
	$(BIN)/python -m hatchling build -t wheel

clean:  ## remove what was installed and made here
	rm -rf .venv dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# Plain pip, and hashes instead of an index: it works with whatever package index the machine is set up for.
$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed, found $$($(PYTHON) --version)"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
