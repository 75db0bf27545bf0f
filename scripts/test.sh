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
guests='/hypervisor/qemu$|/novacron/test/|^novacron/test/'
# Packages whose tests have databases: most of their time they wait for the disk, and the others run meanwhile.
databases='/(api|app|cli|core/auth|reconcile|server|session|store)$'
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
	local packages rest code=0 beside
	mapfile -t packages < <(go list ./... | grep -vE "$guests" | grep -E "$databases")
	mapfile -t rest < <(go list ./... | grep -vE "$guests" | grep -vE "$databases")
	gotest -race -p 1 -timeout 15m "${rest[@]}" >build/beside.log 2>&1 &
	beside=$!
	# One package at a time: their databases wait for the disk, and two at once make each other time out.
	gotest -race -p 1 -timeout 15m "${packages[@]}" || code=1
	finished "$beside" build/beside.log && return $code
}

# finished PID LOG: waits for what runs beside, prints what it said, and gives its exit code.
finished() {
	local code=0
	wait "$1" || code=$?
	cat "$2"
	return $code
}

# What measures the database says that it runs without the race detector, which makes everything ten times as slow.
without_race() {
	gotest -p 1 -timeout 10m -run "$(git grep -hoE '^func Test[A-Za-z0-9_]+_(ofThousands|50CreatesAtOnce)[A-Za-z0-9_]*' -- 'backend/*_test.go' | sed 's/^func /^/; s/$/$/' | paste -sd '|')" \
		./backend/app ./backend/reconcile
}

with_guests() {
	local packages
	mapfile -t packages < <(go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./... | grep -E "$guests")
	# One package at a time: each wants the machine. Three of its tests at once: most of the time they wait for guests and leases.
	# make test-qemu, make test-cluster and make test-sim run their long forms.
	gotest -p 1 -parallel 3 -timeout 20m "${packages[@]}"
}

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
stage 'PostgreSQL and Redis' services
stage 'go vet' go vet ./...
stage 'suites, with the race detector' with_race
stage 'what measures the database, without it' without_race
# Fuzzing takes what the guests leave of the processor.
fuzz >build/fuzzing.log 2>&1 &
fuzzing=$!
stage 'suites with real guests' with_guests
stage 'fuzzing' finished "$fuzzing" build/fuzzing.log
if [ -f frontend/package.json ]; then
	stage 'console' console
	stage 'console in a browser' stories
fi

printf '\n'
if [ ${#failed[@]} -gt 0 ]; then
	printf 'FAILED after %d s:' $((SECONDS - started))
	printf ' [%s]' "${failed[@]}"
	printf '\n'
	exit 1
fi
printf 'all green after %d s\n' $((SECONDS - started))
