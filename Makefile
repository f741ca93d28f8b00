# Sightline. `make help` lists what there is.

# OpenCV modules of gocv that build against Debian 12's OpenCV.
TAGS   := gocv_specific_modules,gocv_calib3d,gocv_features2d,gocv_videoio,gocv_imgcodecs
export GOFLAGS := -tags=$(TAGS)

# What the build needs, and what the demo and the tests run: Xvfb, FFmpeg, mosquitto, Chromium,
# VLC.
BUILD_PACKAGES := gcc g++ pkg-config libopencv-dev libavformat-dev libavcodec-dev libavutil-dev \
	libswscale-dev libswresample-dev libasound2-dev libgl1-mesa-dev libxcursor-dev libxi-dev \
	libxinerama-dev libxrandr-dev libxxf86vm-dev
RUN_PACKAGES := xvfb libgl1-mesa-dri ffmpeg mosquitto chromium poppler-utils vlc-bin vlc-plugin-base
PACKAGES     := $(BUILD_PACKAGES) $(RUN_PACKAGES)
SUDO         := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

# A real S3 server for the tests of the store of recordings; without it they are skipped.
VERSITYGW := github.com/versity/versitygw/cmd/versitygw@v1.8.0

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.0

# The demo: make demo SOURCE=file:PATH, SOURCE=seq:DIR; FOR is its length.
SOURCE ?= sim:plant?seed=7&hand=1
FOR    ?= 60s

# The table of the tracker: make bench-vision VISION='--only turns --no-sync'.
VISION ?=

# The long session: make session LENGTH=1m.
LENGTH ?= 10m
SECOND ?= $(addprefix seq:,$(wildcard ../shared/data/walk))

FUZZTIME ?= 10s

.DEFAULT_GOAL := help
.PHONY: help deps build demo bench-vision bench-vision-hour test race fuzz bench bench-relay bench-record nine chaos bench-export bench-scrub session tamper crash trouble poor s3 cluster growth lint clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 20

deps: ## Install the Debian packages that are missing
	@missing=; for p in $(PACKAGES); do \
		[ "$$(dpkg-query -W -f='$${db:Status-Status}' $$p 2>/dev/null)" = installed ] || missing="$$missing $$p"; done; \
	if [ -n "$$missing" ]; then \
		echo "installing:$$missing"; \
		$(SUDO) apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	fi

build: deps ## Build all programs into bin/
	CGO_ENABLED=0 go build -o bin/relay ./relay
	go build -o bin/field ./field
	go build -o bin/field-window ./field/window
	go build -o bin/expert ./expert
	go build -o bin/expert-window ./expert/window
	go build -o bin/bridge ./devices/bridge
	go build -o bin/rig ./devices/rig
	go build -o bin/replay ./field/replay

demo: build ## Run relay, plant, field and expert for a minute; leaves pictures, recordings and a report in out/
	bin/rig --source '$(SOURCE)' --for $(FOR)

bench-vision: build ## Measure the tracker over real and simulated sequences: one table (first time: ten minutes of rendering)
	bin/rig vision $(VISION)

bench-vision-hour: build ## Measure the tracker over an hour of frames, which takes about an hour
	bin/rig vision --only hour --hour 1h $(VISION)

test: build ## Run all tests
	go vet ./...
	go test -timeout 15m ./...

race: deps ## Run the tests of what runs in parallel with the race detector
	go test -race -timeout 20m ./relay/... ./annotate/... ./devices/mqtt/... ./vision/... ./field/internal/... ./expert/internal/...

fuzz: deps ## Fuzz every parser, ten seconds each (FUZZTIME)
	@go list ./... | while read -r p; do \
		for f in $$(go test -list '^Fuzz' $$p 2>/dev/null | grep '^Fuzz'); do \
			echo "$$p $$f"; go test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$p || exit 1; done; done

bench: deps ## Run the benchmarks
	go test -run '^$$' -bench . -benchmem ./...

bench-relay: deps ## Measure the relay: CPU, delay, allocations and memory of 1 to 32 receivers in 1 to 16 rooms
	CGO_ENABLED=0 go build -o bin/relay ./relay
	CGO_ENABLED=0 go run ./relay/bench

bench-export: deps ## Measure the export of a 720p case as a multiple of real time
	go test ./expert/internal/app -run '^$$' -bench Export -benchtime 2x

bench-scrub: deps ## Measure how soon any instant of a 720p case is on screen, over 1,000 random jumps
	go test ./expert/internal/app -run '^$$' -bench Scrub -benchtime 1000x

session: build ## Record ten minutes of four people and fifty tags, play, export and compare it all: one table (LENGTH)
	bin/rig session --for $(LENGTH) --second '$(SECOND)'

bench-record: deps ## Measure what recording costs: CPU and memory of each session, beside forwarding alone
	CGO_ENABLED=0 go build -o bin/relay ./relay
	CGO_ENABLED=0 go run ./relay/bench --record

tamper: deps ## Change recorded cases in 12,000 random ways; all must be found, and no untouched case accused
	CGO_ENABLED=0 go test ./relay/evidence -run Tampering -tamper 12000 -timeout 30m -v | grep -v level=

crash: deps ## Kill a recording relay at 200 random moments, and prove each case up to its end
	CGO_ENABLED=0 go test ./relay/internal/server -run Crash -crash 200 -parallel 6 -timeout 60m -v | grep -v level=

trouble: deps ## Make trouble for a recording relay: disk full and slow, store and authority down, clock set; the table of README (some of it takes root)
	@CGO_ENABLED=0 go test ./relay/internal/server -run "DiskFull|DiskSlow|StoreDown|AuthorityDown|NoRecordingCanBegin|ClockJumps" -timeout 10m -v | grep -E "^ *[a-z_]+\.go:|^(---|FAIL|ok|PASS)|\|" | grep -v level= | sed "s/^ *[a-z_]*\.go:[0-9]*: //"

poor: deps ## Poor networks: loss, narrow links, long ways, outages, changes of network; what people see of each, in one table (some of it takes root)
	@echo "| trouble | for | pictures | freezes | until pictures come again | rung | marks | lost | twice | slowest mark | the other expert's freezes |"
	@echo "|---|---|---|---|---|---|---|---|---|---|---|"
	@CGO_ENABLED=0 go test ./relay/client -run "LossIsMadeGood|AnOutage|OnlyLong|NarrowLink|NoChangeOfSession" -poor -count 1 -timeout 20m -v | grep -E "^ *[a-z_]+\.go:.*\||^(---|FAIL|ok)|_test.go:.*(still|at most|: )" | grep -v level= | sed "s/^ *[a-z_]*\.go:[0-9]*: //"

nine: deps ## Nine people in a room for ten minutes (LENGTH): every packet accounted for, memory flat, nothing left running
	CGO_ENABLED=0 go test ./relay/internal/server -run TestNine -nine $(LENGTH) -timeout 60m -v | grep -v level=

# What make chaos runs besides make trouble's, by package.
CHAOS_SERVER := TestCrash|TestPublisherIsKilled|GoesSilent|TestLogDiskFull|DiskFull|DiskSlow|ClockJumps|TestAThousandJoins|TestManyJoins|TestStalls|TestSizesAndSlowness|TestNoise
CHAOS_CLIENT := TestRelayIsKilledAndComesBack|TestBadInputOnTheSocket

chaos: deps ## Kill, fill, slow down, crowd, stall and garble: one table (make cluster kills NATS; some of it takes root)
	@echo "| what | what happens | what is read |"; echo "|---|---|---|"; \
	{ CGO_ENABLED=0 go test ./relay/client -run "$(CHAOS_CLIENT)" -timeout 10m -v; \
	CGO_ENABLED=0 go test ./relay/internal/server -run "$(CHAOS_SERVER)" -joins 1000 -timeout 20m -v; } | \
	grep -aE "^ *[a-z_]+\.go:.*\| .* \||^ *--- FAIL|^(FAIL|ok)" | grep -av level= | sed "s/^ *[a-z_]*\.go:[0-9]*: //"

s3: ## Build a real S3 server into .cache/bin, for the tests of the store of recordings
	GOFLAGS= GOBIN=$(CURDIR)/.cache/bin go install $(VERSITYGW)

cluster: deps ## Kill each of three NATS servers and three relays in turn, with people at work in their rooms
	CGO_ENABLED=0 go test ./relay/internal/cluster -run Chaos -chaos -timeout 10m -v | grep -v level=

growth: deps ## Measure what the directory and the log of many relays bear (the figures of relay/GROWTH.md)
	CGO_ENABLED=0 go test ./relay/internal/cluster -run Growth -growth 5s -timeout 10m -v | grep -v level=

lint: deps ## go vet, gofmt, staticcheck
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo "run gofmt -w"; exit 1; }
	go vet ./...
	GOFLAGS= go run $(STATICCHECK) -tags $(TAGS) ./...

clean: ## Remove what was built and left
	rm -rf bin out .cache/sequences
