#!/usr/bin/env bash
# The checks of `make check`, each with one line; all run, and the exit code says whether one failed.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
staticcheck=${1:?usage: scripts/check.sh STATICCHECK}
failed=0
mkdir -p build

# stage NAME COMMAND...: runs it, prints its output only when it fails.
stage() {
	local name=$1 output
	shift
	if output=$("$@" 2>&1); then
		printf 'ok    %s\n' "$name"
	else
		printf 'FAIL  %s\n%s\n' "$name" "$output"
		failed=1
	fi
}

format() {
	local files
	files=$(git ls-files -z '*.go' | xargs -0 -r gofmt -l)
	[ -z "$files" ] || { printf 'gofmt would change:\n%s\n' "$files" && return 1; }
}

# Scripts are found by their first line: those of the guest image have no extension.
scripts() {
	git ls-files -z | xargs -0 -r grep -lIZE -m 1 '^#!(/usr/bin/env (ba)?sh|/bin/(ba)?sh)' | xargs -0 -r shellcheck --severity=warning
}

# Nothing generated may differ from what is committed.
openapi() {
	[ -f backend/api/openapi.json ] || { echo 'backend/api/openapi.json is missing; make generate writes it' && return 1; }
	bin/novacron openapi >build/openapi.json && diff -u backend/api/openapi.json build/openapi.json ||
		{ echo 'make generate writes it again' && return 1; }
}

large() {
	git ls-files -z | xargs -0 -r stat -c '%s %n' 2>/dev/null | awk '$1 > 1048576 { print $2 " is larger than 1 MiB"; bad = 1 } END { exit bad }'
}

stage 'gofmt' format
stage 'go vet' go vet ./...
stage 'staticcheck' "$staticcheck" ./...
stage 'import rules' go test ./backend
stage 'go.mod verified' go mod verify
stage 'openapi.json is fresh' openapi
stage 'shellcheck' scripts
stage 'no large files' large
exit $failed
