# Every target sets up what it needs; the second run works offline.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
JARS := $(VENV)/.jars
FAULT_RESULTS ?= data/fault-results.jsonl
ROOMS := attribution schemas collector clickhouse accounts datadriven telemetry stream_app api loadgen dashboards ui embedded cli clients/python/attribution_client

.DEFAULT_GOAL := help

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(STAMP): requirements.lock pyproject.toml clients/python/pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed: make PYTHON=python3.11 …")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e . -e clients/python
	$(BIN)/python -m pip check
	touch $@

.PHONY: compiled
compiled: $(STAMP) ## the core compiled by mypyc, if these sources are not yet; interpreted where no C compiler is
	$(BIN)/python -m cli.compile_core

$(JARS): $(STAMP)
	$(BIN)/python -m embedded.broker prefetch
	touch $@

.PHONY: system
system: ## what tests want of Debian's packages, as root: Chromium, Prometheus, nginx, PostgreSQL, Redis, git
	apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends chromium prometheus nginx-light postgresql redis-server git

.PHONY: setup
setup: $(STAMP) $(JARS) compiled ## virtual environment, locked packages, broker jars, compiled core

.PHONY: demo
demo: setup ## whole stack, simulated events, a live table (Ctrl-C ends it; DEMO_ARGS=--once for a summary)
	$(BIN)/attribution demo $(DEMO_ARGS)

.PHONY: up
up: setup ## the local stack in the foreground, until Ctrl-C
	$(BIN)/attribution up $(UP_ARGS)

.PHONY: down
down: ## stop the stack that `make up` started, from another terminal
	$(BIN)/attribution down

.PHONY: test
test: setup ## every test, on a real broker and the real engine
	ATTRIBUTION_REQUIRE_STACK=1 $(BIN)/pytest tests -m "not faults" -n 3 --dist loadfile --no-loadscope-reorder

.PHONY: test-fast
test-fast: setup ## tests that need neither broker nor engine
	$(BIN)/pytest tests -m "not kafka and not clickhouse and not faults"

.PHONY: test-faults
test-faults: setup ## the fault matrix: KILLS=200 SEEDS=2 REBALANCES=50 BROKER_KILLS=20 OUTAGES=20 (about 45 minutes)
	mkdir -p $(dir $(FAULT_RESULTS)) && rm -f $(FAULT_RESULTS)
	ATTRIBUTION_REQUIRE_STACK=1 ATTRIBUTION_FAULT_RESULTS=$(abspath $(FAULT_RESULTS)) \
	ATTRIBUTION_FAULT_KILLS=$(or $(KILLS),200) ATTRIBUTION_FAULT_SEEDS=$(or $(SEEDS),2) \
	ATTRIBUTION_FAULT_REBALANCES=$(or $(REBALANCES),50) ATTRIBUTION_FAULT_BROKER_KILLS=$(or $(BROKER_KILLS),20) \
	ATTRIBUTION_FAULT_OUTAGES=$(or $(OUTAGES),20) $(BIN)/pytest tests/faults

.PHONY: test-containers
test-containers: setup ## the images of docker-compose.yml themselves; lists what is not run where no container engine is (exit code 3)
	@docker compose version >/dev/null 2>&1 && docker info >/dev/null 2>&1 || { $(BIN)/pytest tests/containers -q; echo "no container engine answers: nothing was run"; exit 3; }
	ATTRIBUTION_CONTAINERS=1 $(BIN)/pytest tests/containers

.PHONY: check
check: $(STAMP) ## format, lint, types, import direction
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: security
security: $(STAMP) ## bandit, known vulnerabilities of the locked packages, rules on the source, and the tests of tests/security
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml $(ROOMS) 2>/dev/null
	$(BIN)/python .ci/audit_packages.py
	$(BIN)/pytest tests/security -m "not kafka and not clickhouse"

.PHONY: fuzz
fuzz: setup ## generated requests against the running API on the real broker and engine: FUZZ_REQUESTS=10000 (5 minutes)
	ATTRIBUTION_REQUIRE_STACK=1 FUZZ_REQUESTS=$(or $(FUZZ_REQUESTS),10000) $(BIN)/pytest tests/security/test_fuzz.py -s

.PHONY: client
client: $(STAMP) ## the wheel of the Python client, in clients/python/dist
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir clients/python/dist ./clients/python
	@ls clients/python/dist/*.whl

.PHONY: bench
bench: setup ## the worker beside its peers on the same bytes, three rounds (about 40 minutes); PEERS=folder with run.py
	$(BIN)/python -m bench.run $(BENCH_ARGS)

.PHONY: bench-quick
bench-quick: setup ## one round beside Kafka Streams and Quix, in under 5 minutes
	$(BIN)/python -m bench.run --quick $(BENCH_ARGS)

.PHONY: openapi
openapi: $(STAMP) ## renew clients/openapi.json, from which clients are generated
	$(BIN)/attribution openapi --output clients/openapi.json

.PHONY: docs
docs: $(STAMP) ## the guides as a site in build/docs, built strictly
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

.PHONY: lock
lock: ## renew requirements.lock (needs uv)
	uv pip compile pyproject.toml --all-extras --generate-hashes --no-emit-index-url --universal --no-header -q -o requirements.lock
