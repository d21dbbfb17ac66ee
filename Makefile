# make concert   a concert, from a bare clone to the first sound
# make test      set-up, lint, types, tests
SHELL := /bin/bash
VENV := .venv
PYTEST := $(VENV)/bin/python -m pytest
# Few threads that sleep while they wait: torch, numpy and OBS share the cores with the music.
export OMP_NUM_THREADS ?= 2
export OPENBLAS_NUM_THREADS ?= 2
export OMP_WAIT_POLICY ?= PASSIVE
ARGS ?=
QUICK := not air and not slow and not faults
SETLIST ?= setlists/concert.yaml

.DEFAULT_GOAL := help
.PHONY: help setup concert test lint test-slow test-obs test-air test-faults soak bench bench-gpu bench-training bench-speed bench-ablations bench-scaling \
    bench-peer bench-decode lock clean

help:  ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12
	@echo "variables: SETLIST=$(SETLIST)  ARGS=--record concert.mp4  PYTHON=python3.12  TORCH=any"

setup: $(VENV)/.run  ## system packages, .venv, pinned dependencies

concert: setup  ## set up, then play setlists/concert.yaml
	@$(VENV)/bin/conductor run $(SETLIST) $(ARGS)

test: $(VENV)/.dev lint  ## set up, then lint, types and tests (without OBS)
# Two tests at a time, then one by one those that measure in real time; 5: ARGS chose none of these.
	$(PYTEST) -n 2 --dist loadfile -m "not realtime and $(QUICK)" $(ARGS); rest=$$?; \
	$(PYTEST) -m "realtime and $(QUICK)" $(ARGS); alone=$$?; \
	[ $$rest = 0 -o $$rest = 5 ] && [ $$alone = 0 -o $$alone = 5 ] && [ $$rest$$alone != 55 ]

lint: $(VENV)/.dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

test-slow: $(VENV)/.dev  ## the tests that take minutes: every kernel compiled for every GPU
	$(PYTEST) -m slow $(ARGS)

test-obs: $(VENV)/.dev $(VENV)/.air  ## the tests against real OBS, an RTMP server and Xvfb
	$(PYTEST) -m "air and not long" tests/air $(ARGS)

# A quarter of an hour, on a machine that does nothing else; it writes the table of docs/faults.md.
test-faults: $(VENV)/.dev $(VENV)/.air  ## every fault of docs/faults.md injected into a real show, and what is heard of it
	FAULTS_TABLE=$${FAULTS_TABLE-docs/faults.md} $(PYTEST) -m faults tests/faults $(ARGS)

soak: $(VENV)/.dev  ## two days of radio in simulated time, with faults at random: minutes (ARGS="--real --hours 1 --obs": real time)
	@$(VENV)/bin/python -m tests.bench.soak $(or $(ARGS),--hours 48 --simulated --seed 1)

# Quarter of an hour, on a machine that does nothing else; -s: the figures are printed.
test-air: $(VENV)/.dev $(VENV)/.air  ## five minutes on air by RTMP, in a browser and by OBS, then each part killed
	AIR_SECONDS=300 $(PYTEST) -s tests/air/test_onair.py tests/air/test_onair_obs.py tests/air/test_recovery.py $(ARGS)

bench: $(VENV)/.dev  ## benchmarks: a table and a JSON line each
	@shopt -s nullglob; for bench in tests/bench/bench_*.py; do \
	    echo "# $$bench"; $(VENV)/bin/python -m tests.bench.$$(basename $$bench .py) || exit 1; done

# Hours each, on a built corpus: make bench-training ARGS="--data DIR --out DIR". A run that is in --out is not run again.
bench-training: bench-speed bench-ablations bench-scaling bench-peer  ## benchmarks of training: hours; needs ARGS="--data DIR --out DIR"

bench-speed bench-ablations bench-scaling: $(VENV)/.dev
	@$(VENV)/bin/python -m tests.bench.$(patsubst bench-%,%,$(subst bench-speed,bench-training_speed,$@)) $(ARGS)

bench-gpu: $(VENV)/.dev  ## the kernels on this machine's GPU: right, then how fast beside FlexAttention, SDPA and eager
	@$(VENV)/bin/python -m tests.bench.bench_gpu $(ARGS)

bench-decode: $(VENV)/.bench  ## decoding beside Hugging Face, CTranslate2 and llama.cpp: half an hour on a quiet machine
	@$(VENV)/bin/python -m tests.bench.decode_speed $(ARGS)

bench-peer: $(VENV)/.bench
	@$(VENV)/bin/python -m tests.bench.peer $(ARGS)

# --allow-unsafe pins setuptools too. The CPU suffix is setup.sh's business, not the lock's; the line of the
# package itself (its dev extra names its gpu extra) would be a path on this machine.
lock: $(VENV)/.dev  ## write requirements.lock and requirements-dev.lock anew from pyproject.toml
	$(VENV)/bin/python -m pip install -q pip-tools==7.6.2
	for extra in "" "--extra=dev"; do \
	    out=requirements$${extra:+-dev}.lock; \
	    CUSTOM_COMPILE_COMMAND="make lock" $(VENV)/bin/pip-compile -q --allow-unsafe --strip-extras \
	        --no-emit-index-url --no-emit-find-links --no-emit-trusted-host $$extra -o $$out pyproject.toml && \
	    sed -i -E -e 's/^(torch==[0-9.]+)\+cpu/\1/' -e '/^conductor-live @/,/^    # via/d' $$out || exit 1; \
	done

clean:  ## remove .venv and caches (shows and recordings stay)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.run: requirements.lock pyproject.toml setup.sh
	@./setup.sh run

$(VENV)/.dev: requirements-dev.lock $(VENV)/.run
	@./setup.sh dev

$(VENV)/.air: $(VENV)/.dev
	@./setup.sh air

# The peers' libraries; the torch that is there stays. llama.cpp is compiled for this processor: minutes.
$(VENV)/.bench: pyproject.toml $(VENV)/.dev
	@CMAKE_ARGS=-DGGML_NATIVE=ON $(VENV)/bin/python -m pip install -q -c requirements-dev.lock -e '.[bench]' && touch $@
