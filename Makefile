# Every target works on a machine with python3 >= 3.11, pip and make: the environment is made first, from the lock.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
TRITON := .venv/triton
FAST := not system and not slow

# The blocks of a package in the lock, and the lock without them.
only = awk '/^$(1)==/ {on = 1} on {print} on && !/\\$$/ {on = 0}' requirements.lock
without = awk '/^$(1)==/ {off = 1} !off {print} off && !/\\$$/ {off = 0}' requirements.lock

.PHONY: demo demo-triton test test-faults test-network check up down status bench lock

demo: $(READY)          ## the main job, told to a new user
	@$(BIN)/interlock demo

demo-triton: $(TRITON)  ## releases to a real tritonserver: good ones, bad ones, and a kill
	@$(BIN)/interlock demo-triton

up: $(READY)            ## Prefect, MLflow, the serving app, a worker and the reconcile loop on this machine
	@$(BIN)/interlock up

down: $(READY)          ## stop them; what they stored stays
	@$(BIN)/interlock down

status: $(READY)        ## what runs, what is live, what disagrees
	@$(BIN)/interlock status

test: $(TRITON)         ## everything that this machine can run
	$(BIN)/pytest

test-faults: $(TRITON)  ## the whole fault matrices; minutes
	$(BIN)/pytest -m faults

test-network: $(TRITON) ## a fault at every call to MLflow and to the serving app
	$(BIN)/pytest tests/faults/test_network.py

check: $(TRITON)        ## the gate before a commit
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -m "$(FAST)" -q

bench: $(TRITON)        ## the numbers, printed as a table
	$(BIN)/python -m benchmarks.swap
	$(BIN)/python -m benchmarks.triton
	$(BIN)/python -m benchmarks.rollback
	$(BIN)/python -m benchmarks.reconcile
	$(BIN)/python -m benchmarks.first_run

lock: $(READY)          ## resolve the dependencies again
	$(BIN)/uv pip compile -q --universal --generate-hashes --python-version 3.11 --group dev --group triton \
		--no-header --no-annotate pyproject.toml -o requirements.lock

# uv comes from the lock as well; it installs the rest many times faster than pip.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "$(PYTHON) must be 3.11 or newer; choose one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
		|| { echo "python3 cannot make environments: apt-get install python3-venv"; exit 1; }
	@$(PYTHON) -m venv .venv
	@$(call only,uv) > .venv/uv.lock
	@$(BIN)/pip install -q --require-hashes -r .venv/uv.lock
	@$(call without,nvidia-pytriton) > .venv/all.lock
	@$(BIN)/uv pip sync -q --python $(BIN)/python --require-hashes --compile-bytecode .venv/all.lock
	@$(BIN)/uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

# The wheel of the real tritonserver: Linux with glibc >= 2.35. Elsewhere everything but Triton works.
$(TRITON): $(READY)
	@$(call only,nvidia-pytriton) > .venv/triton.lock
	@$(BIN)/uv pip install -q --python $(BIN)/python --no-deps --require-hashes -r .venv/triton.lock \
		&& touch $@ || echo "no Triton here: its wheel needs Linux with glibc 2.35 or newer; everything else works"
