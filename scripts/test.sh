#!/usr/bin/env bash
# Every suite, in stages; `make test` and .ci/run call it. Prints a line per package, and every skipped test with its reason.
# All stages run even when one fails; the exit code says whether one did.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
failed=()
PATH=$PWD/.tools/go/bin:$PWD/.tools/node/bin:$PWD/.tools/bin:$PATH:/usr/sbin:/sbin
started=$SECONDS

# Packages that start real guests or whole clusters: under software emulation the race detector would only slow QEMU's
# neighbours down.
guests='/hypervisor/qemu$|/test/(cluster|qemu|sim)$'
security='/test/security$'
# Long enough to find what a new parser does wrong at once, short enough for every run; longer by hand.
fuzz_time=${NOVACRON_FUZZ_TIME:-3s}

stage() {
	local name=$1 begin=$SECONDS
	shift
	printf '\n== %s\n' "$name"
	if "$@"; then
		printf '== %s: ok, %d s\n' "$name" $((SECONDS - begin))
	else
		printf '== %s: FAILED, %d s\n' "$name" $((SECONDS - begin))
		failed+=("$name")
	fi
}

services() {
	scripts/services.sh start || return 1
	local settings
	settings=$(scripts/services.sh env) || return 1
	eval "$settings"
}

gotest() { go test -json "$@" | bin/gotest; }

with_race() {
	local packages
	mapfile -t packages < <(go list ./... | grep -vE "$guests|$security")
	# Two packages at a time: much of it is waiting.
	gotest -race -p 2 -timeout 15m "${packages[@]}"
}

# finished PID LOG: waits for what runs beside, prints what it said, and gives its exit code.
finished() {
	local code=0
	wait "$1" || code=$?
	cat "$2"
	return $code
}

# What measures the database, and bursts of which the race detector sees a part, run without it: it makes everything ten times as slow.
without_race() {
	gotest -p 1 -timeout 10m -run '^Test[A-Za-z0-9]+_([a-z]*[0-9]+(Creates)?AtOnce|ofThousands.*)$' ./backend/api ./backend/app ./backend/reconcile ./backend/server
}

with_guests() {
	local packages
	mapfile -t packages < <(go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./... | grep -E "$guests")
	# One package at a time: each wants the machine. Three of its tests at once: most of the time they wait for guests and leases.
	# make test-qemu, make test-cluster and make test-sim run their long forms.
	gotest -p 1 -parallel 3 -timeout 20m "${packages[@]}"
}

with_strangers() { gotest -timeout 15m ./test/security; }

fuzz() {
	local file name bad=0
	while IFS=: read -r file name; do
		if nice go test -run '^$' -parallel 1 -fuzz "^$name\$" -fuzztime "$fuzz_time" "./$(dirname "$file")" >build/fuzz.log 2>&1; then
			printf 'ok    %s %s\n' "$(dirname "$file")" "$name"
		else
			printf 'FAIL  %s %s\n' "$(dirname "$file")" "$name"
			cat build/fuzz.log
			bad=1
		fi
	done < <(git grep -oE '^func Fuzz[A-Za-z0-9_]+' -- '*_test.go' | sed 's/:func /:/')
	return $bad
}

console() {
	(cd frontend && npm ci --no-audit --no-fund && npm run check && npm test)
}

# The console in a browser, against the binary that was built above. One story at a time, without retries: a server and a
# browser fill two cores.
stories() {
	local browser
	browser=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)}
	if [ -z "$browser" ]; then
		printf 'skipped: there is no Chromium here, and none that this distribution installs unattended; CHROMIUM=/path/to/it names one\n'
		return 0
	fi
	(cd frontend && CHROMIUM=$browser npx playwright test)
}

scripts/setup.sh --for test || exit 1
hash -r
make build bin/gotest || exit 1
# The suites that start the program take this one in place of building their own.
export NOVACRON_TEST_BINARY=$PWD/bin/novacron
stage 'PostgreSQL and Redis' services
stage 'go vet' go vet ./...
stage 'suites, with the race detector' with_race
stage 'what measures the database, without it' without_race
# Fuzzing takes what the guests leave of the processor.
fuzz >build/fuzzing.log 2>&1 &
fuzzing=$!
stage 'suites with real guests' with_guests
stage 'fuzzing' finished "$fuzzing" build/fuzzing.log
# Half of its time it waits for limits and slow clients, and the browser takes the processor.
with_strangers >build/security.log 2>&1 &
strangers=$!
if [ -f frontend/package.json ]; then
	stage 'console' console
	stage 'console in a browser' stories
fi
stage 'security' finished "$strangers" build/security.log

printf '\n'
if [ ${#failed[@]} -gt 0 ]; then
	printf 'FAILED after %d s:' $((SECONDS - started))
	printf ' [%s]' "${failed[@]}"
	printf '\n'
	exit 1
fi
printf 'all green after %d s\n' $((SECONDS - started))
