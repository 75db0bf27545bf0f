# The commands that a person types. `make` alone prints them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# What scripts/setup.sh fetched goes before the distribution's.
export PATH := $(CURDIR)/.tools/go/bin:$(CURDIR)/.tools/node/bin:$(CURDIR)/.tools/bin:$(PATH):/usr/sbin:/sbin

# Root may build in an ordinary user's clone, which git takes for suspicious: it is told that this one is meant, and Go not to ask it.
VERSION := $(shell git -c safe.directory='$(CURDIR)' describe --tags --always --dirty 2>/dev/null || echo unknown)
export GOFLAGS := -buildvcs=false $(GOFLAGS)
ARCH := $(patsubst arm64,aarch64,$(shell uname -m))
TINY := build/images/tiny-$(ARCH).tar
CONSOLE := frontend/dist/index.html
STATICCHECK_VERSION := v0.8.2
STATICCHECK := .tools/bin/staticcheck-$(STATICCHECK_VERSION)
# Prints a line per package, and every skipped test with its reason.
GOTEST := bin/gotest
.PHONY: help up down mine build binary test core-test test-qemu test-cluster test-sim bench check generate clean

help: ## print this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | while IFS=$$'\t' read -r name text; do printf '  make %-13s %s\n' "$$name" "$$text"; done

up: mine ## install what is missing, build, start everything here and boot a first VM; Ctrl-C stops all but the guests
	@scripts/setup.sh --for up
	@$(MAKE) build
	@exec bin/novacron up --demo

down: ## stop the platform that `make up` started, and its guests
	@if [ -x bin/novacron ]; then exec bin/novacron down; else echo 'nothing is built here, so nothing was started from here'; fi

# An ordinary user cannot build over what root built here. Said before minutes of compiling end in it.
mine:
	@theirs=$$(find . bin build build/images frontend frontend/dist frontend/node_modules -maxdepth 0 ! -writable 2>/dev/null | head -n 1 || true); \
	if [ -n "$$theirs" ]; then \
		echo "$$(realpath "$$theirs") belongs to $$(stat -c %U "$$theirs"), so $$(id -un) cannot build here; type \`sudo chown -R $$(id -un) '$(CURDIR)'\`, or use a clone of your own" >&2; exit 1; \
	fi

build: binary $(TINY) ## bin/novacron with the web console, and once the tiny guest image

# Where Node is too old the binary has no console and says so; scripts/setup.sh puts a new one into .tools.
$(CONSOLE): $(shell find frontend/src frontend/public frontend/scripts -type f 2>/dev/null) $(wildcard frontend/*.json frontend/*.html frontend/*.ts)
	@if node -e 'process.exit(process.versions.node.split(".")[0] < 24 ? 1 : 0)' 2>/dev/null; \
	then cd frontend && npm ci --no-audit --no-fund --loglevel=error && npm run --silent build; \
	else echo 'no Node 24 is here (scripts/setup.sh fetches it): building without the web console'; fi

# go decides by itself what is out of date.
binary: mine $(CONSOLE)
	@mkdir -p bin
	@CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X novacron/backend/cli.Version=$(VERSION)' -o bin/ ./backend/cmd/...

$(TINY): $(shell find images/tiny -type f ! -name '*.md' ! -name '*_test.go')
	@images/tiny/build.sh --force

$(GOTEST): $(wildcard scripts/gotest/*.go)
	@go build -o $@ ./scripts/gotest

test: ## install what is missing, then run every suite
	@scripts/test.sh

core-test: $(GOTEST) ## the pure rules; needs no service, takes under a minute
	@go test -json -short ./backend/core/... | $(GOTEST)

test-qemu: build $(GOTEST) ## every test with real guests, also the long ones and the full Debian image
	@scripts/setup.sh --for images
	@images/debian/build.sh
	@NOVACRON_TEST_LONG=1 go test -json -p 1 -timeout 120m ./backend/hypervisor/qemu/... ./test/qemu/... | $(GOTEST)

test-cluster: build $(GOTEST) ## several agents in network namespaces, links cut and shaped; needs root
	@NOVACRON_TEST_LONG=1 go test -json -p 1 -timeout 60m ./test/cluster/... | $(GOTEST)

test-sim: $(GOTEST) ## the long seeded simulation; NOVACRON_SIM_SEED repeats a run
	@NOVACRON_TEST_LONG=1 go test -json -timeout 60m ./test/sim/... | $(GOTEST)

bench: build ## benchmarks, printed as ratios of medians
	@NOVACRON_TEST_BINARY=bin/novacron go run ./test/bench

generate: ## write the generated files again
	@go generate ./backend/...

check: binary $(STATICCHECK) ## format, lint, import rules, generated files, shell scripts
	@scripts/check.sh $(STATICCHECK)

$(STATICCHECK):
	@mkdir -p .tools/bin
	@echo 'installing staticcheck $(STATICCHECK_VERSION) into .tools/bin'
	@GOBIN=$(CURDIR)/.tools/bin go install honnef.co/go/tools/cmd/staticcheck@$(STATICCHECK_VERSION)
	@mv .tools/bin/staticcheck $@

clean: ## remove what was built; images and fetched tools too
	rm -rf bin build .tools
