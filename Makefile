# The commands of the README. Each may be repeated; the second run is quick and changes nothing.
# `make up` and `make test` work on a fresh Debian 12 (sudo is asked for when packages are missing).
SHELL := /bin/bash
PORT ?= 6432
SHARDS ?= 4
DIR ?= $(shell tools/data_dir)
PYTHON := .venv/bin/python
CASES ?= 2000
SEED ?= 1

.PHONY: help deps deps-all build up down clean-cluster test test-all bench score format fuzz-smoke clean

help:
	@echo "make up             build, start a development cluster on 127.0.0.1:$(PORT), load sample data"
	@echo "make down           stop it; its data stays"
	@echo "make clean-cluster  stop it and remove its data"
	@echo "make test           build and run the quick tests"
	@echo "make test-all       also the newest PostgreSQL, all clients, fuzzing, sanitizers"
	@echo "make score          compare $(CASES) random statements with PostgreSQL (SEED=$(SEED))"
	@echo "make bench          compare with PgBouncer and with direct connections"
	@echo "make format         format the sources; make fuzz-smoke: ten seconds of each fuzzer"

deps:
	@tools/deps.sh

deps-all:
	@tools/deps.sh --all

build/release/build.ninja: | deps
	@cmake --preset release >/dev/null

build: deps build/release/build.ninja
	@ninja --quiet -C build/release

up: build
	@$(PYTHON) tools/up --shards $(SHARDS) --port $(PORT) --dir "$(DIR)"

down:
	@if [ -x build/release/shoal ]; then build/release/shoal dev down --dir "$(DIR)"; fi

clean-cluster:
	@if [ -x build/release/shoal ]; then build/release/shoal dev down --destroy --dir "$(DIR)"; fi
	@rm -rf "$(DIR)"

test: build
	@$(PYTHON) tools/run_tests

test-all: deps-all build
	@$(PYTHON) tools/run_tests --all

score: build
	@$(PYTHON) tests/oracle/score.py --count $(CASES) --seed $(SEED)

bench: build
	@$(PYTHON) bench/run.py

format:
	@git ls-files '*.cc' '*.h' | xargs -r clang-format-14 -i

fuzz-smoke: deps
	@tools/fuzz_smoke

clean:
	@rm -rf build
