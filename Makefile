# Nacre. `make demo` and `make test` are the two commands; both set up everything they need.
.DEFAULT_GOAL := help
.PHONY: help setup build demo test test-thorough install clean lint bench-smoke bench-forest bench-peers bench-methods bench-simulate bench-policies fuzz fuzz-tokens mutants simulate proto
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
PREFIX ?= /usr/local
BIN := .build/release
# One configuration: tests run the very binaries that users run.
SWIFT_BUILD := swift build -c release

help: ## show the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 22

setup: ## install Debian packages and build libllama (cached)
	@Scripts/bootstrap

build: setup ## build all executables
	@Scripts/step "build" $(SWIFT_BUILD)

demo: build ## a prompt through three daemons on this machine, with figures
	@Scripts/step "benchmark pair (the small models at the cost of 350 M and 25 M parameters)" Scripts/benchmark-pair
	@exec $(BIN)/nacre demo $$(Scripts/benchmark-pair)

test: setup ## set up, build and run all tests
	@Scripts/step "build with tests" $(SWIFT_BUILD) --build-tests
	@Scripts/step --show "tests" Scripts/test

test-thorough: export NACRE_THOROUGH = 1
test-thorough: test ## all tests, every combination in them and all fifty prompts (minutes more)

install: build ## install to PREFIX (default /usr/local)
	@install -d "$(DESTDIR)$(PREFIX)/bin" "$(DESTDIR)$(PREFIX)/share/nacre/Models/prompts"
	@install -m 755 $(BIN)/nacre $(BIN)/nacre-coordinator $(BIN)/nacre-verifier $(BIN)/nacre-drafter $(BIN)/nacre-layers \
		"$(DESTDIR)$(PREFIX)/bin/"
	@install -m 644 Models/*.gguf "$(DESTDIR)$(PREFIX)/share/nacre/Models/"
	@install -m 644 Models/prompts/*.txt "$(DESTDIR)$(PREFIX)/share/nacre/Models/prompts/"
	@echo "installed to $(DESTDIR)$(PREFIX): try '$(PREFIX)/bin/nacre demo'"

lint: ## check the format and the house rules
	@swift format lint --strict --recursive --parallel Package.swift Sources Tests
	@$(MAKE) --no-print-directory setup
	@Scripts/step "build with tests" $(SWIFT_BUILD) --build-tests
	@swift test -c release --skip-build --filter TidyTests

bench-smoke: build ## the figures that README quotes, as ratios in one run (minutes)
	@Scripts/bench-smoke

bench-forest: build ## many jobs, trees, two verifiers, as ratios in one run (a quarter of an hour)
	@Scripts/bench-forest

bench-peers: build ## beside llama.cpp's own tools, in one run, into docs/peers.md (an hour)
	@Scripts/bench-peers --docs

bench-methods: build ## perplexity and target passes per token, the lossy method beside sampling and greedy (minutes)
	@Scripts/bench-methods

bench-simulate: build ## what `nacre simulate` predicts against real jobs (minutes)
	@Scripts/bench-simulate

bench-policies: build ## policies beside the best fixed draft length, by replay, into docs/policies.md (minutes)
	@Scripts/bench-policies --docs

fuzz: setup ## 1,000,000 libFuzzer executions of the frame decoder
	@Scripts/fuzz

fuzz-tokens: setup ## 1,000,000 texts, each in the tokens of two real vocabularies (a quarter of an hour)
	@Scripts/step "build with tests" $(SWIFT_BUILD) --build-tests
	@NACRE_FUZZ_CASES=1000000 Scripts/step --show "texts in two vocabularies" \
		swift test -c release --skip-build --filter RetokenizationFuzzTests

simulate: setup ## 50,000 seeds of the deterministic simulation
	@Scripts/step "build" $(SWIFT_BUILD) --product nacre-sim
	@$(BIN)/nacre-sim --seeds 50000

mutants: setup ## plant three bugs and count the seeds that find them
	@Scripts/mutants

proto: ## regenerate Sources/CNacreProto from proto/
	@Scripts/generate-proto

clean: ## remove build products (the libllama cache stays)
	@rm -rf .build .build-* .engine
