# Two commands matter: `make serve` runs a hub, `make test` passes every test.

export CGO_ENABLED = 0

.PHONY: serve build test test-go check

# Builds and starts a hub. Data goes to ./pantry-data; SERVE adds flags:
#   make serve SERVE="--listen :7272"
serve: build
	./bin/pantry serve $(SERVE)

build:
	go build -o bin/pantry ./cmd/pantry

# Installs what the tests need (Python and JavaScript clients, PostgreSQL, an
# S3 server) and runs every test against them. Python 3 with venv, npm and git
# must be there; PostgreSQL comes from Debian's packages if it is not.
test:
	script/clients
	script/with-services go test -count=1 -timeout 40m ./...

# The Go tests alone: no network, no services; what needs them is skipped.
test-go:
	go test $$(go list ./... | grep -v /e2e)

check:
	go vet ./...
	test -z "$$(gofmt -l .)"
