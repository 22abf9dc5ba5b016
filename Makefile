# Every target works on a machine with python3 >= 3.11, pip and make: the environment is made first, from the lock.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
TRITON := .venv/triton
CREDIT := .venv/credit
BOOSTING := .venv/boosting
DASK := .venv/dask
FAST := not system and not slow and not faults
# Most tests wait for servers, processes and disks more than they compute; a file's tests stay together.
PYTEST := $(BIN)/pytest -n 2 --dist loadfile

# The blocks of packages (`a|b`) in the lock, and the lock without them.
only = awk '/^($(1))==/ {on = 1} on {print} on && !/\\$$/ {on = 0}' requirements.lock
without = awk '/^($(1))==/ {off = 1} !off {print} off && !/\\$$/ {off = 0}' requirements.lock
CATBOOST := catboost|plotly
BOOSTERS := xgboost|lightgbm|onnxmltools|imbalanced-learn|sklearn-compat
DASKS := prefect-dask|dask|distributed|locket|msgpack|partd|tblib|toolz|tornado|zict

.PHONY: demo demo-triton demo-credit test test-faults test-syscalls test-network test-network-of-triton test-states \
	test-races test-mutants test-steps test-worker search-states check up down status bench models lock

demo: $(READY)          ## the main job, told to a new user
	@$(BIN)/python -m demos main-job

demo-triton: $(TRITON)  ## releases to a real tritonserver: good ones, bad ones, and a kill
	@$(BIN)/python -m demos triton

demo-credit: $(CREDIT)  ## continuous deployment of a credit score: seed, train, ticks, typed predictions and their log
	@$(BIN)/python -m demos credit

up: $(READY)            ## Prefect, MLflow, the serving app, a worker and the reconcile loop on this machine
	@$(BIN)/interlock up

down: $(READY)          ## stop them; what they stored stays
	@$(BIN)/interlock down

status: $(READY)        ## what runs, what is live, what disagrees
	@$(BIN)/interlock status

test: $(TRITON) $(CREDIT) $(BOOSTING) $(DASK)         ## everything that this machine can run
	$(PYTEST)

# The proofs, each whole; `make test` runs a sixth of their cases, another one after each commit.
proof = FAULTS=all $(PYTEST) -m "faults or in_turn" $(addprefix tests/,$(1))

test-faults: $(TRITON) $(CREDIT) $(BOOSTING)  ## every case of every proof below, and the slow tests that run in turn
	$(call proof,)

test-syscalls: $(READY) ## every system call on a file: SIGKILL, ENOSPC, EIO, EACCES; killed recoveries; full disks
	$(call proof,prove/test_syscalls.py prove/test_double_faults.py prove/test_durability.py prove/test_full_disk.py)

test-network: $(READY)  ## every call to MLflow and the serving app: refused, 5xx, lost, slow, late, garbage
	$(call proof,prove/test_network.py)

test-network-of-triton: $(READY) ## every call to Triton, likewise
	$(call proof,prove/test_network_of_triton.py)

test-states: $(READY)   ## any sequence of operations and faults
	$(call proof,prove/test_states.py)

search-states: $(READY) ## other sequences at every run, a thousand of them, until one breaks something
	PYTHONPATH=tests $(BIN)/python -m prove.test_states

test-races: $(READY)    ## releases and rollbacks at the same instant
	$(call proof,prove/test_races.py)

test-mutants: $(TRITON) ## seeded bugs, each caught by a test that is named
	$(call proof,prove/test_mutants.py)

test-steps: $(READY)    ## each step of a release: killed before, inside, after; exception, hang, cancel
	$(call proof,system/test_step_matrix.py)

test-worker: $(READY)   ## eight ways in which a release under a real worker is broken off
	$(call proof,system/test_worker_scenarios.py)

check: $(READY)         ## format, lint, types, imports, fast tests; what Triton, CatBoost, boosters or Dask are needed for is skipped without them
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(PYTEST) -m "$(FAST)" -q

bench: $(TRITON) $(CREDIT)        ## the numbers, printed as a table
	$(BIN)/python -m benchmarks.swap
	$(BIN)/python -m benchmarks.predict
	$(BIN)/python -m benchmarks.triton
	$(BIN)/python -m benchmarks.rollback
	$(BIN)/python -m benchmarks.reconcile
	$(BIN)/python -m benchmarks.first_run
	$(BIN)/python -m benchmarks.prediction_log
	$(BIN)/python -m benchmarks.batch

models: $(READY)        ## the table of docs/models.md, from what the code does with every estimator of scikit-learn
	PYTHONPATH=tests $(BIN)/python -W ignore -m docs.models_table

lock: $(READY)          ## resolve the dependencies again
	$(BIN)/uv pip compile -q --universal --generate-hashes --python-version 3.11 --group dev --group triton --all-extras \
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
	@$(call without,nvidia-pytriton|$(CATBOOST)|$(BOOSTERS)|$(DASKS)) > .venv/all.lock
	@$(BIN)/uv pip sync -q --python $(BIN)/python --require-hashes --compile-bytecode .venv/all.lock
	@$(BIN)/uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

# The wheel of the real tritonserver: Linux with glibc >= 2.35. Elsewhere everything but Triton works.
$(TRITON): $(READY)
	@$(call only,nvidia-pytriton) > .venv/triton.lock
	@$(BIN)/uv pip install -q --python $(BIN)/python --no-deps --require-hashes -r .venv/triton.lock \
		&& touch $@ || echo "no Triton here: its wheel needs Linux with glibc 2.35 or newer; everything else works"

# The extra `credit`, which `make demo` does not need.
$(CREDIT): $(READY)
	@$(call only,$(CATBOOST)) > .venv/credit.lock
	@$(BIN)/uv pip install -q --python $(BIN)/python --no-deps --require-hashes -r .venv/credit.lock
	@touch $@

# The extra `boosting`, and the samplers that tests put into pipelines.
$(BOOSTING): $(READY)
	@$(call only,$(BOOSTERS)) > .venv/boosting.lock
	@$(BIN)/uv pip install -q --python $(BIN)/python --no-deps --require-hashes -r .venv/boosting.lock
	@touch $@

# The extra `dask`.
$(DASK): $(READY)
	@$(call only,$(DASKS)) > .venv/dask.lock
	@$(BIN)/uv pip install -q --python $(BIN)/python --no-deps --require-hashes -r .venv/dask.lock
	@touch $@
